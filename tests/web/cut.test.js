import assert from "node:assert/strict"
import { once } from "node:events"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, reached, seen, stats, useBrowser, within } from "./harness/index.js"

useBrowser()

test("P-3 P-8 P-24 the stream arrives whole though its connections are reset at any byte", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(500)
  // from within the answer to the handshake on, up to some thirty frames
  stage.proxy.cutAfter(() => 1 + Math.floor(Math.random() ** 2 * 8000))
  const page = await stage.open({ clientId: "tab", options: { backoff: { min: 5, max: 50 } } })
  const stream = tab.stream({ burst: 10 })
  while (stage.proxy.cuts < 60) await within(once(stage.proxy, "cut"), "the proxy to cut")
  stage.proxy.cutAfter(null)
  await stream.stop()
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { attaches, resets, lost } = await stats(page)
  assert.ok(attaches > 50, `${attaches} attaches`) // a handshake that is reset before its answer begins, Chromium repeats by itself
  assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 })
})

test("P-22 P-24 a page whose network is cut says how much it has caught up on", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await reached(page, 10)
  await stage.proxy.refuse()
  await seen(page, "waiting", 2)
  await tab.publish(212)
  await stage.proxy.accept()
  await seen(page, "resume", 2)
  const { mode, missed, lost, replayed, snapshot, offlineMs } = (await details(page, "resume")).at(-1)
  assert.deepEqual({ mode, missed, lost, replayed, snapshot }, { mode: "replay", missed: 212, lost: 0, replayed: 212, snapshot: false })
  assert.ok(offlineMs > 0 && offlineMs < 10_000, `${offlineMs} ms`)
  assert.deepEqual((await details(page, "offline")).map(({ code }) => code).slice(0, 2), [1006, 1006])
  await assertWhole(page, tab)
  await assertLater(page, tab)
})

test("P-3 P-17 a tunnel: a short one is not noticed, and from a long one everything comes once", async (t) => {
  const stage = await Stage.set(t, { flags: ["--ping-interval", "2s", "--pong-timeout", "2s"] })
  stage.proxy.delay(40) // each way
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await assertWhole(page, tab)
  stage.proxy.stall()
  await tab.publish(30)
  stage.proxy.pass()
  await assertWhole(page, tab)
  assert.equal((await stats(page)).attaches, 1)

  stage.proxy.stall() // also of what is opened now
  await tab.publish(30)
  await seen(page, "connecting", 2)
  await tab.publish(30)
  stage.proxy.pass() // what was under way for the connection that was given up arrives now as well
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const { resets, lost } = await stats(page)
  assert.deepEqual({ resets, lost }, { resets: 0, lost: 0 })
  assert.equal((await details(page, "resume")).at(-1).missed, 60)
})

test("P-17 a socket that says nothing is doubted, and left when it does not answer", async (t) => {
  const stage = await Stage.set(t, { flags: ["--ping-interval", "1s", "--pong-timeout", "1s"] })
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await reached(page, 10)
  stage.proxy.strand() // nobody closes it, and nothing comes
  await tab.publish(10)
  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.deepEqual((await details(page, "offline")).map(({ code }) => code), [4000])
})

test("P-17 P-24 an attach that nobody answers is given up, and made again", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  stage.proxy.blackhole()
  const opened = once(stage.proxy, "opened")
  stage.proxy.cut()
  await within(opened, "the page to come back")
  stage.proxy.pass()
  await tab.publish(10)
  await assertWhole(page, tab)
  await assertLater(page, tab)
})
