import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, patiently, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

// log publishes numbered lines to a topic.
async function log(stage, topic, from, to) {
  const lines = Array.from({ length: to - from + 1 }, (_, i) => JSON.stringify({ type: "log", text: `${from + i}` }))
  const { status, answer } = await stage.broker.call("POST", `/v1/topics/${topic}/frames`, lines.join("\n"), { "Content-Type": "application/x-ndjson" })
  assert.equal(status, 200, JSON.stringify(answer))
  return answer
}

// read is what the page has had of a topic: numbers in its log, and texts.
const read = async (page, topic) => (await details(page, "other")).filter((frame) => frame.topic === topic).map(({ topic_seq, text }) => [topic_seq, text])

const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => [from + i, `${from + i}`])

const has = (page, topic, seq) =>
  patiently(page, `frame ${seq} of ${topic}`, ([topic, seq]) => app.until(() => app.details("other").some((frame) => frame.topic === topic && frame.topic_seq === seq)), [topic, seq])

for (const bundled of [false, true]) {
  test(`P-9 P-19 P-32 a page follows topics through cuts and a killed broker${bundled ? ", from the bundle of the npm package" : ""}`, async (t) => {
    const stage = await Stage.set(t, { bundled })
    const tab = stage.publisher("tab")
    await log(stage, "jobs.1", 1, 20)
    const { epoch } = await log(stage, "jobs.2", 1, 10)
    const { status } = await stage.broker.call("PUT", "/v1/topics/jobs.2/snapshot", { as_of: `${epoch}:4`, data: { done: 4 } })
    assert.equal(status, 200)

    const page = await stage.open({ clientId: "tab", subscribe: { "jobs.1": { history: 5 }, "jobs.2": { history: 100 }, "news.*": {} } })
    await seen(page, "subscribed", 3)
    await has(page, "jobs.1", 20)
    await has(page, "jobs.2", 10)
    await seen(page, "topic_snapshot")
    assert.deepEqual((await details(page, "topic_snapshot")).map(({ topic, asOf, data }) => [topic, asOf, data]), [["jobs.2", 4, { done: 4 }]])
    for (let i = 1; i <= 5; i++) {
      await log(stage, "jobs.1", 10 * i + 11, 10 * i + 20)
      await log(stage, "news.at", i, i) // born after the page has subscribed to its pattern
      await tab.publish(10)
      if (i === 3) await stage.broker.restart()
      else stage.proxy.cut()
    }
    await log(stage, "jobs.2", 11, 15)
    await has(page, "jobs.1", 70)
    await has(page, "news.at", 5)
    await has(page, "jobs.2", 15)
    assert.deepEqual(await read(page, "jobs.1"), lines(16, 70))
    assert.deepEqual(await read(page, "jobs.2"), lines(5, 15))
    assert.deepEqual(await read(page, "news.at"), lines(1, 5))
    assert.equal(await page.evaluate(() => app.client.topicCursor("jobs.2")), `${epoch}:15`)
    const { topicHoles, resets, lost } = await stats(page)
    assert.deepEqual({ topicHoles, resets, lost }, { topicHoles: 0, resets: 0, lost: 0 })

    await stage.broker.call("POST", "/v1/topics/jobs.1/close")
    await seen(page, "unsubscribed")
    assert.deepEqual((await details(page, "unsubscribed")).map(({ topic, closed }) => [topic, closed]), [["jobs.1", true]])
    await patiently(page, "the page's own frames", (count) => app.until(() => app.list.length >= count), tab.published.length)
    assert.deepEqual((await page.evaluate(() => app.rendered())).map(({ n }) => n), tab.published.map(({ n }) => n))
    assert.deepEqual(await details(page, "error"), [])
  })
}

test("P-19 P-30 a refreshed page begins a topic anew, and has each of its frames once", async (t) => {
  const stage = await Stage.set(t)
  let n = 30
  await log(stage, "session", 1, n)
  const page = await stage.open({ subscribe: { session: { history: 1000 } } })
  await has(page, "session", n)
  for (let i = 0; i < 3; i++) {
    await log(stage, "session", n + 1, n + 10)
    await page.reload()
    await live(page)
    await log(stage, "session", n + 11, (n += 20))
    await has(page, "session", n)
    assert.deepEqual(await read(page, "session"), lines(1, n))
  }
  assert.equal((await stats(page)).topicHoles, 0)
})
