import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, patiently, reached, seen, useBrowser } from "./harness/index.js"

useBrowser()

test("P-9 P-30 a page refreshed in mid-stream is built from the snapshot and what follows it", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  // what the application does now and then: a summary of everything up to a frame that is stored
  const summarize = () => stage.broker.snapshot("tab", tab.cursor, { list: [...tab.published] })
  await tab.publish(30)
  await summarize()
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  const stream = tab.stream()
  for (const seq of [100, 200, 300, 400]) {
    await reached(page, seq)
    await page.reload()
    await seen(page, "snapshot")
    // what was summarized is not in the outbox any more for long: the next page has it from the snapshot alone
    await reached(page, seq)
    await summarize()
  }
  await stream.stop()
  await assertWhole(page, tab)
  await assertLater(page, tab)
  const [{ asOf }] = await details(page, "snapshot")
  assert.ok(asOf >= 200, `the snapshot is as of ${asOf}`)
  assert.deepEqual(await details(page, "error"), [])
})

test("P-9 a page that comes when all is acked has it from the snapshot alone", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(40)
  const page = await stage.open({ clientId: "tab" })
  await assertWhole(page, tab)
  await stage.broker.snapshot("tab", tab.cursor, { list: [...tab.published] })
  await page.reload()
  await seen(page, "resume")
  await stage.broker.clientWhen("tab", ({ floor }) => floor === 40, "a floor of 40")
  await assertWhole(page, tab)
  const [report] = await details(page, "resume")
  assert.deepEqual({ mode: report.mode, snapshot: report.snapshot, lost: report.lost }, { mode: "fresh", snapshot: true, lost: 0 })
  await assertLater(page, tab)
})

test("P-30 a page that has kept its state goes on with the cursor that it kept with it", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(20)
  const page = await stage.open({ clientId: "tab" })
  await assertWhole(page, tab)
  const since = await patiently(page, "the cursor", () => app.client.cursor)
  assert.equal(since, tab.cursor)
  await page.close()
  const restored = tab.published.splice(0)
  await tab.publish(15)
  const next = await stage.open({ clientId: "tab", since })
  await assertWhole(next, tab)
  await assertLater(next, tab)
  const [{ mode, missed, lost, replayed }] = await details(next, "resume")
  assert.deepEqual({ mode, missed, lost, replayed }, { mode: "replay", missed: 15, lost: 0, replayed: 15 })
  assert.equal(tab.published[0].seq, restored.length + 1)
})
