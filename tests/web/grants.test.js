import assert from "node:assert/strict"
import { test } from "node:test"
import { Grants, Stage, assertLater, assertWhole, details, live, reached, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

// 24 MiB at 4 MiB a second: a replay of twice a grant's length.
const frames = 96
const calls = 16
const size = 16_000
const rate = 4 << 20

for (const told of [false, true]) {
  const how = told ? "the page knows when, and has the next token" : "the page is told by 4401, and fetches the next token"
  test(`P-22 P-25 a grant of three seconds expires in mid-replay: ${how}`, async (t) => {
    const stage = await Stage.set(t, { server: (site) => Grants.start(site.url) })
    const tab = stage.publisher("tab")
    for (let i = 0; i < calls; i++) await tab.publish(frames, { size })
    stage.proxy.throttle(rate)
    const page = await stage.open({ clientId: "tab", token: stage.broker.token("tab", told) })
    await seen(page, "resume")
    const before = await page.evaluate(() => {
      const at = (name) => app.events.findIndex((event) => event.name === name)
      return { code: app.events[at("offline")]?.detail.code, midReplay: at("offline") > at("catching_up") && at("offline") < at("live") }
    })
    assert.deepEqual(before, { code: 4401, midReplay: true })
    assert.ok((await details(page, "token")).length >= 2)
    await assertWhole(page, tab)
    await assertLater(page, tab)
    const { resets, lost, replayed } = await stats(page)
    assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 })
    assert.ok(replayed >= frames * calls)
    // The page has caught up on all of it, over two attaches.
    const [report] = await details(page, "resume")
    assert.deepEqual([report.missed, report.replayed], [frames * calls, frames * calls])
    assert.deepEqual(await details(page, "error"), [])
  })
}

test("P-25 a page that knows when its token expires changes over beside the connection", async (t) => {
  const stage = await Stage.set(t, { server: (site) => Grants.start(site.url) })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab", token: stage.broker.token("tab", true) })
  await live(page)
  const stream = tab.stream()
  await seen(page, "token", 3)
  await reached(page, tab.last + 10)
  await stream.stop()
  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.deepEqual(await details(page, "offline"), [], "nothing is seen of it")
  assert.equal((await details(page, "live")).length, 1)
  const { attaches, resets } = await stats(page)
  assert.ok(attaches >= 2, `${attaches} attaches`)
  assert.equal(resets, 0)
})

test("P-21 P-22 P-25 a page that may not read this client stops, and says why", async (t) => {
  const stage = await Stage.set(t, { server: (site) => Grants.start(site.url) })
  const page = await stage.open({ clientId: "tab", token: stage.broker.token("other", true) })
  await seen(page, "stopped")
  const [{ code, error }] = await details(page, "stopped")
  assert.equal(code, 4503)
  assert.ok(error)
  assert.deepEqual((await details(page, "error")).map((e) => e.code), ["forbidden"])
})
