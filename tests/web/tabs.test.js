import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, patiently, plainHost, useBrowser } from "./harness/index.js"

useBrowser()

// identity is the client_id that the page has for its tab.
async function identity(page) {
  await live(page)
  return page.evaluate(() => app.client.clientId)
}

// duplicate opens the page once more from itself, as "duplicate tab" does: with a copy of its sessionStorage.
async function duplicate(stage, page) {
  const opened = page.waitForEvent("popup")
  await page.evaluate(() => void open(location.href))
  const copy = await opened
  await patiently(copy, "the duplicate to load", () => new Promise((resolve) => (document.readyState === "complete" ? resolve() : addEventListener("load", resolve))))
  return copy
}

// streams publishes to each client and holds its page to it.
async function streams(stage, pages) {
  for (const [page, id] of pages) {
    const own = stage.publisher(id)
    await own.publish(25)
    await assertWhole(page, own)
    await assertLater(page, own)
  }
}

test("P-4 P-12 a page with a fresh client_id acks within five seconds", async (t) => {
  const stage = await Stage.set(t)
  const page = await stage.open()
  const tab = stage.publisher(await identity(page))
  await tab.publish(25)
  await assertWhole(page, tab)
  await stage.broker.clientWhen(tab.id, ({ acked }) => acked === 25, "an ack of 25")
  await assertLater(page, tab)
})

test("P-4 P-15 a duplicated tab gets a client_id of its own, and both see their own frames", async (t) => {
  const stage = await Stage.set(t)
  const page = await stage.open()
  const id = await identity(page)
  const copy = await duplicate(stage, page)
  assert.ok((await copy.evaluate(() => app.inherited)).includes(id), "the duplicate has a copy of the first tab's id")
  const second = await identity(copy)
  assert.notEqual(second, id)
  await streams(stage, [[page, id], [copy, second]])
  for (const tab of [page, copy]) assert.deepEqual(await details(tab, "stopped"), [])
})

test("P-4 a refresh keeps the tab's client_id", async (t) => {
  const stage = await Stage.set(t)
  const page = await stage.open()
  const id = await identity(page)
  const copy = await duplicate(stage, page)
  const second = await identity(copy)
  for (let i = 0; i < 5; i++) {
    await Promise.all([page.reload(), copy.reload()])
    assert.deepEqual([await identity(page), await identity(copy)], [id, second])
  }
})

test("P-4 P-18 a page without a secure context works, and each tab has a client_id of its own", async (t) => {
  const stage = await Stage.set(t)
  const page = await stage.open({}, plainHost)
  const lacks = await page.evaluate(() => [isSecureContext, crypto.randomUUID, navigator.locks].map((there) => !there))
  assert.deepEqual(lacks, [true, true, true], "no secure context, no crypto.randomUUID, no Web Locks")
  const id = await identity(page)
  const copy = await duplicate(stage, page)
  assert.ok((await copy.evaluate(() => app.inherited)).includes(id), "the duplicate has a copy of the first tab's id")
  const second = await identity(copy)
  assert.notEqual(second, id)
  await streams(stage, [[page, id], [copy, second]])
  const receipt = await patiently(page, "a receipt", (to) => app.client.send(to, { type: "note", text: "from tab to tab" }), second)
  assert.equal(receipt.status, "stored")
  await patiently(copy, "the note", () => app.seen("other"))
  const [note] = await details(copy, "other")
  assert.deepEqual([note.from, note.text], [id, "from tab to tab"])
  await page.reload()
  assert.equal(await identity(page), id, "a refresh keeps it")
})
