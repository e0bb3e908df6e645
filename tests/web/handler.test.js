import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, reached, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

test("P-12 P-30 a handler of 50 ms whose queue overflows loses nothing, and acks follow it", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(100)
  const page = await stage.open({ clientId: "tab", slow: 50, options: { queueFrames: 40 } })
  await live(page)
  await tab.publish(200)
  // While the handler works, the broker never learns of an ack for a frame that it has not returned from.
  let acks = 0
  while ((await page.evaluate(() => app.last())) < 300) {
    const { acked } = await stage.broker.client("tab")
    const last = await page.evaluate(() => app.last())
    assert.ok(acked <= last, `${acked} is acked, and the handler has returned from ${last}`)
    if (acked > 0) acks++
    await reached(page, Math.min(300, last + 5))
  }
  assert.ok(acks > 0, "acks come while the handler works, not only behind it")
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { attaches, resets, frames } = await stats(page)
  assert.ok(attaches > 1, "the queue has overflown, and another connection has brought the rest")
  assert.deepEqual({ resets, frames }, { resets: 0, frames: 301 })
})

test("P-12 a handler that throws is reported, and nothing is lost", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(50)
  const page = await stage.open({ clientId: "tab", throwAt: 10 })
  await live(page)
  await tab.publish(50)
  await assertWhole(page, tab)
  const errors = await details(page, "error")
  assert.deepEqual(errors.map(({ code, seq }) => [code, seq]), Array.from({ length: 10 }, (_, i) => ["handler", (i + 1) * 10]))
  assert.match(errors[0].cause, /the handler does not like 10/)
  await assertLater(page, tab)
  await page.close()
  await stage.broker.clientWhen("tab", ({ acked }) => acked === tab.last, "an ack of what the handler threw at")
})

test("P-3 P-30 what comes again while it waits for the handler is dropped", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(300)
  const page = await stage.open({ clientId: "tab", slow: 5 })
  await live(page)
  for (let cut = 1; cut <= 5; cut++) {
    await reached(page, 30 * cut)
    await seen(page, "live", cut)
    stage.proxy.cut() // the cursor is at what was handed over, and all behind it comes again
    await seen(page, "offline", cut)
  }
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { duplicates, resets, frames } = await stats(page)
  assert.ok(duplicates > 0, "frames have come again")
  assert.deepEqual({ resets, frames }, { resets: 0, frames: 301 })
})
