import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, reached, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

test("P-26 P-24 the broker is killed and started again in mid-stream", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  const stream = tab.stream()
  for (let kill = 1; kill <= 4; kill++) {
    await reached(page, tab.last + 60)
    await stage.broker.restart({ how: "kill" })
    await seen(page, "resume", kill + 1)
  }
  await stream.stop()
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { resets, lost, attaches } = await stats(page)
  assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 }, "its data outlives a kill (--sync always): the epoch is the same, and the cursor goes on")
  assert.ok(attaches >= 5, `${attaches} attaches`)
})

test("P-23 a deployment in order: the page waits as goaway says, and comes back", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  const page = await stage.open({ clientId: "tab" })
  const goaways = []
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => payload.startsWith('{"type":"goaway"') && goaways.push(JSON.parse(payload))))
  await page.reload() // from the first socket on
  await tab.publish(20)
  await reached(page, 20)
  await stage.broker.restart({ how: "stop" })
  await tab.publish(20)
  await seen(page, "waiting")
  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.equal(goaways.length, 1)
  const events = await page.evaluate(() => app.events)
  const at = events.findIndex(({ name }) => name === "offline")
  const [offline, waiting, connecting] = events.slice(at, at + 3)
  assert.deepEqual([offline.name, offline.detail.code, waiting.name, connecting.name], ["offline", 4002, "waiting", "connecting"])
  const { retry_after_ms } = goaways[0]
  assert.ok(waiting.detail.ms >= retry_after_ms && connecting.at - offline.at >= retry_after_ms - 5, `it was told to stay away for ${retry_after_ms} ms, and waits ${JSON.stringify(waiting)}`)
})

test("P-7 P-30 a broker that has forgotten everything: the page discards, and goes on", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(20)
  const page = await stage.open({ clientId: "tab" })
  await assertWhole(page, tab)
  await stage.broker.call("DELETE", "/v1/clients/tab")
  await seen(page, "stopped")
  assert.deepEqual((await details(page, "stopped")).map(({ code }) => code), [4504])
  tab.published.length = 0
  await tab.publish(10)
  await page.evaluate(() => app.client.restart())
  await seen(page, "reset")
  await assertWhole(page, tab)
  await assertLater(page, tab)
})
