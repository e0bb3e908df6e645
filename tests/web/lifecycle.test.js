import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, patiently, reached, seen, stats } from "./harness/index.js"

// Tabs of plain CDP: hidden, frozen and cached as a user's are. Each test asserts first that the page saw what it is about.

const beside = (stage) => stage.window.open(`${stage.site.url}/blank.html`, stage.errors)

test("P-24 a tab that is hidden and shown ten times keeps its connection", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  const other = await beside(stage)
  const stream = tab.stream()
  for (let i = 1; i <= 10; i++) {
    await seen(page, "page visibilitychange", 2 * i - 1)
    const at = tab.last
    await reached(page, at + 10) // hidden, it goes on
    await page.front()
    await seen(page, "page visibilitychange", 2 * i)
    if (i < 10) await other.front()
  }
  await stream.stop()
  assert.deepEqual(await details(page, "page visibilitychange"), Array.from({ length: 20 }, (_, i) => (i % 2 ? "visible" : "hidden")))
  await assertWhole(page, tab)
  await assertLater(page, tab)
  // behind the deadline of a probe: none has found anything
  await patiently(page, "3.5 s to pass", () => new Promise((resolve) => setTimeout(resolve, 3500)))
  const { attaches, duplicates } = await stats(page)
  assert.deepEqual({ attaches, duplicates }, { attaches: 1, duplicates: 0 })
  assert.equal(stage.proxy.opened, 1, "one connection, and no other")
})

test("P-12 a tab that is hidden acks what it has applied", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await assertWhole(page, tab)
  assert.equal((await stage.broker.client("tab")).acked, 0, "an ack is not due yet")
  await beside(stage)
  await seen(page, "page visibilitychange")
  await stage.broker.clientWhen("tab", ({ acked }) => acked === 10, "an ack of 10", 3000)
})

test("P-3 P-24 a tab that was frozen has everything when it wakes", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await beside(stage)
  await seen(page, "page visibilitychange")
  const stream = tab.stream()
  for (let i = 1; i <= 3; i++) {
    await reached(page, tab.last)
    await page.call("Page.setWebLifecycleState", { state: "frozen" })
    await tab.reached(tab.last + 100)
    await page.call("Page.setWebLifecycleState", { state: "active" })
    await seen(page, "page resume", i)
  }
  await page.front()
  await seen(page, "page visibilitychange", 2)
  await stream.stop()
  const froze = await details(page, "page freeze")
  assert.equal(froze.length, 3, "the page saw freeze, and resume")
  assert.deepEqual(await details(page, "page resume"), froze, "and rendered nothing between them")
  await assertWhole(page, tab)
  await assertLater(page, tab)
})

test("P-17 P-24 a laptop that wakes in another network: the dead socket is found by a probe", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await assertWhole(page, tab)
  await beside(stage)
  await seen(page, "page visibilitychange")
  stage.proxy.strand() // its silence would be found in a minute
  await tab.publish(100)
  await page.front()
  await seen(page, "page visibilitychange", 2)
  assert.deepEqual(await details(page, "page visibilitychange"), ["hidden", "visible"])
  await assertWhole(page, tab)
  const [shown, lost, back] = await page.evaluate(() => ["page visibilitychange", "offline", "resume"].map((name) => app.events.findLast((e) => e.name === name).at))
  assert.ok(lost - shown > 2900 && lost - shown < 10_000, `it was given up ${lost - shown} ms after the wake; 3 s are the probe's`)
  assert.ok(back > lost && back - lost < 10_000, `and was made up for in ${back - lost} ms`)
  await assertLater(page, tab)
})

test("P-3 P-30 a page from the back-forward cache goes on where it was", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  const refused = []
  page.on("Page.backForwardCacheNotUsed", ({ notRestoredExplanations }) => refused.push(...notRestoredExplanations))
  const stream = tab.stream()
  for (let i = 1; i <= 3; i++) {
    await reached(page, tab.last)
    await page.goto(`${stage.site.url}/blank.html`)
    await tab.reached(tab.last + 50)
    const shown = page.happens("Page.frameNavigated")
    await page.back()
    const { type } = await shown
    assert.equal(type, "BackForwardCacheRestore", `Chromium has not kept the page: ${JSON.stringify(refused)}`)
    await seen(page, "page pageshow", i + 1)
  }
  await stream.stop()
  assert.deepEqual(await details(page, "page pageshow"), [false, true, true, true], "the page saw pageshow, and that it was persisted")
  assert.deepEqual(await details(page, "page pagehide"), [true, true, true])
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { resets, lost } = await stats(page)
  assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 })
})

test("P-18 P-30 what was typed offline on a page that the user has left by \"back\" is sent by the one that he came back to", async (t) => {
  const stage = await Stage.set(t, { plain: true })
  const type = (page, text) => page.evaluate((text) => void app.client.send("agent", { type: "prompt", text }), text)
  const pending = (page) => page.evaluate(() => app.client.pending.map(({ frame }) => frame.text))
  const page = await stage.open()
  await live(page)
  await stage.proxy.refuse()
  await seen(page, "waiting")
  await type(page, "one")
  await page.goto(`${stage.address()}&another`)
  await seen(page, "waiting")
  await type(page, "two")
  assert.deepEqual(await pending(page), ["one", "two"], "both pages have the tab's client_id, and what waits to be sent")
  await page.back()
  await seen(page, "page pageshow", 2)
  assert.deepEqual(await details(page, "page pageshow"), [false, true])
  await stage.proxy.accept()
  await live(page)
  await type(page, "three")
  await seen(page, "sent", 3)
  assert.deepEqual(await pending(page), [])
  const { answer } = await stage.broker.call("GET", "/v1/clients/agent/frames?since=0")
  assert.deepEqual(answer.frames.map(({ text }) => text), ["one", "two", "three"])
})
