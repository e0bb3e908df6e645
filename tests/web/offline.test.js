import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, patiently, reached, seen, stats, useBrowser } from "./harness/index.js"

useBrowser()

// inbox is what the agent has been sent, as the broker holds it.
async function inbox(stage) {
  const { answer } = await stage.broker.call("GET", "/v1/clients/agent/frames?since=0")
  return answer.frames.map(({ from, text }) => [from, text])
}

// type sends a prompt to the agent, as a user does, and does not wait for the receipt.
const type = (page, text) => page.evaluate((text) => void app.client.send("agent", { type: "prompt", text }), text)

const pending = (page) => page.evaluate(() => app.client.pending.map(({ to, frame }) => [to, frame.text]))

test("P-17 P-24 the browser's offline switch closes no socket, it stalls it: the probe finds out", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(10)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await assertWhole(page, tab)
  await stage.window.setOffline(true)
  await seen(page, "page offline")
  assert.equal(await page.evaluate(() => app.client.state.name), "live", "nobody has told the socket")
  await tab.publish(50)
  await seen(page, "offline")
  assert.equal((await details(page, "offline"))[0].code, 4000, "it was given up, and not closed")
  assert.equal(await page.evaluate(() => app.last()), 10, "nothing has come through")
  await seen(page, "waiting", 2) // and no further one is opened
  await stage.window.setOffline(false)
  await seen(page, "page online")
  await assertWhole(page, tab)
  await assertLater(page, tab)
})

test("P-18 P-30 what was sent while offline is sent once when back, in order", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await stage.proxy.refuse()
  await seen(page, "waiting")
  for (const text of ["one", "two", "three"]) await type(page, text)
  assert.deepEqual(await pending(page), [["agent", "one"], ["agent", "two"], ["agent", "three"]])
  await stage.proxy.accept()
  await seen(page, "sent", 3)
  assert.deepEqual((await details(page, "sent")).map(({ frame, receipt }) => [frame.text, receipt.status, receipt.seq]), [["one", "stored", 1], ["two", "stored", 2], ["three", "stored", 3]])
  assert.deepEqual(await inbox(stage), [["tab", "one"], ["tab", "two"], ["tab", "three"]])
  assert.deepEqual(await pending(page), [])
  await tab.publish(10)
  await assertWhole(page, tab)
  await assertLater(page, tab)
})

test("P-18 P-30 what was typed while offline is sent once, also after a refresh while offline", async (t) => {
  const stage = await Stage.set(t)
  const page = await stage.open() // the client_id of the tab: that is what a refresh keeps
  await live(page)
  const id = await page.evaluate(() => app.client.clientId)
  await stage.proxy.refuse()
  await seen(page, "waiting")
  await type(page, "one")
  await page.reload()
  await seen(page, "waiting")
  assert.deepEqual(await pending(page), [["agent", "one"]], "the next page shows what waits")
  await type(page, "two")
  await page.reload()
  await stage.proxy.accept()
  await seen(page, "sent", 2)
  assert.deepEqual((await details(page, "sent")).map(({ frame, receipt }) => [frame.text, receipt?.status]), [["one", "stored"], ["two", "stored"]])
  assert.deepEqual(await inbox(stage), [[id, "one"], [id, "two"]])
  await page.reload()
  await live(page)
  assert.deepEqual(await pending(page), [])
  const tab = stage.publisher(id)
  await tab.publish(10)
  await assertWhole(page, tab)
  await assertLater(page, tab)
  assert.deepEqual(await inbox(stage), [[id, "one"], [id, "two"]])
})

test("P-18 P-30 a send whose receipt was lost is not stored twice", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  for (let i = 1; i <= 10; i++) {
    // Nothing comes back from the broker after the handshake's answer and hello; what goes to it arrives.
    stage.proxy.strand("down")
    await type(page, `${i}`)
    await stage.broker.clientWhen("agent", ({ head }) => head === i, `a head of ${i}`)
    stage.proxy.cut()
    await seen(page, "sent", i)
  }
  assert.deepEqual((await details(page, "sent")).map(({ frame, receipt }) => [frame.text, receipt.status]), Array.from({ length: 10 }, (_, i) => [`${i + 1}`, "duplicate"]))
  assert.deepEqual(await inbox(stage), Array.from({ length: 10 }, (_, i) => ["tab", `${i + 1}`]))
  await tab.publish(10)
  await assertWhole(page, tab)
  await assertLater(page, tab)
})
