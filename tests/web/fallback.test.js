import assert from "node:assert/strict"
import { test } from "node:test"
import { Nginx, Stage, assertLater, assertWhole, details, live, patiently, reached, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

// A page behind a real nginx that passes no Upgrade on: the proxy of the test is before it.
const behind = { relay: (port) => Nginx.start(port) }

const transport = (page) => page.evaluate(() => app.client.stats.transport)
// Nothing is told of the change, so the page is asked again and again.
const climbs = (page) => page.waitForFunction(() => app.client.stats.transport === "websocket", undefined, { polling: 100, timeout: 20_000 })

test("P-11 P-12 P-18 P-19 behind an nginx that refuses upgrades a page reads, acks, sends and subscribes", async (t) => {
  const stage = await Stage.set(t, behind)
  const tab = stage.publisher("tab")
  await tab.publish(100)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  assert.equal(await transport(page), "sse")
  const stream = tab.stream({ burst: 10 })
  await reached(page, 700)
  await stage.broker.clientWhen("tab", ({ acked }) => acked >= 500, "an ack of 500 frames")

  const receipt = await patiently(page, "a receipt", () => app.client.send("agent", { type: "prompt", text: "hello" }))
  assert.deepEqual([receipt.status, receipt.seq], ["stored", 1])
  const subscribed = await patiently(page, "the subscription", () => app.client.subscribe("jobs.1"))
  assert.equal(subscribed.resume, "fresh")
  await stream.stop()
  const { status } = await stage.broker.call("POST", "/v1/topics/jobs.1/frames", { type: "log", text: "compiling" })
  assert.equal(status, 200)
  await seen(page, "other")
  assert.deepEqual((await details(page, "other")).map(({ topic, topic_seq, text }) => [topic, topic_seq, text]), [["jobs.1", 1, "compiling"]])
  await patiently(page, "the end of the subscription", () => app.client.unsubscribe("jobs.1"))
  await stage.broker.call("POST", "/v1/topics/jobs.1/frames", { type: "log", text: "linking" })

  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.equal((await details(page, "other")).length, 1, "what has ended brings nothing more")
  assert.equal(await transport(page), "sse")
})

// Of a page that is left for another one the browser ends the stream, and the ack comes behind that: it counts for the place that the broker holds (P-11).
for (const [how, plain, go] of [
  ["closed", false, (stage, page) => page.close()],
  ["left for another page", false, (stage, page) => page.goto("about:blank")],
  ["hidden", true, (stage) => stage.window.open(`${stage.site.url}/blank.html`, stage.errors)],
]) {
  test(`P-11 P-12 a page on a stream acks when it is ${how}`, async (t) => {
    const stage = await Stage.set(t, { plain })
    const tab = stage.publisher("tab")
    await tab.publish(10)
    const page = await stage.open({ clientId: "tab", options: { transport: "sse" } })
    await assertWhole(page, tab)
    assert.equal((await stage.broker.client("tab")).acked, 0, "an ack is not due yet")
    await go(stage, page)
    // well before the five seconds in which it would come anyhow
    await stage.broker.clientWhen("tab", ({ acked }) => acked === 10, "an ack of the last frame", 3000)
  })
}

test("P-3 P-24 a stream that is cut at any byte behind nginx arrives whole", async (t) => {
  const stage = await Stage.set(t, behind)
  const tab = stage.publisher("tab")
  await tab.publish(100)
  const page = await stage.open({ clientId: "tab", options: { backoff: { min: 5, max: 50 } } })
  await live(page)
  stage.proxy.cut()
  stage.proxy.cutAfter(() => 1 + Math.floor(Math.random() ** 2 * 4000)) // they are compressed
  const stream = tab.stream({ burst: 10 })
  for (let cut = 1; cut <= 20; cut++) {
    await seen(page, "offline", cut + 2) // two were the sockets
    await page.evaluate(() => void app.client.send("agent", { type: "prompt", n: app.count("offline") }))
  }
  stage.proxy.cutAfter(null)
  await stream.stop()
  await seen(page, "sent", 20)
  const { answer } = await stage.broker.call("GET", "/v1/clients/agent/frames?since=0")
  assert.deepEqual(answer.frames.map(({ n }) => n), (await details(page, "sent")).map(({ frame }) => frame.n), "what was sent meanwhile is stored once, in order")
  assert.equal(answer.frames.length, 20)
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { transport, resets, lost } = await stats(page)
  assert.deepEqual({ transport, resets, lost }, { transport: "sse", resets: 0, lost: 0 })
})

test("P-3 a page climbs back in mid-stream when nginx lets sockets through", async (t) => {
  const stage = await Stage.set(t, behind)
  const tab = stage.publisher("tab")
  await tab.publish(100)
  const page = await stage.open({ clientId: "tab", options: { climbAfter: 100 } })
  await live(page)
  const stream = tab.stream()
  await reached(page, tab.last + 50)
  const offline = (await details(page, "offline")).length
  await stage.relay.reload({ upgrades: true })
  await climbs(page)
  await reached(page, tab.last + 50)
  await stream.stop()
  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.equal((await details(page, "offline")).length, offline, "the change is made beside the stream, and nothing is seen of it")
  const { resets, lost } = await stats(page)
  assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 })
})

test("P-24 streams that are cut do not put off the climb", async (t) => {
  const stage = await Stage.set(t, behind)
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab", options: { climbAfter: 1000 } })
  await live(page)
  await stage.relay.reload({ upgrades: true })
  for (let cut = 1; cut <= 5; cut++) {
    stage.proxy.cut()
    await seen(page, "resume", cut + 1)
  }
  await climbs(page)
  await assertWhole(page, tab)
  await assertLater(page, tab)
})
