import assert from "node:assert/strict"
import { test } from "node:test"
import { Stage, assertLater, assertWhole, details, live, reached, stats, useBrowser } from "./harness/index.js"

useBrowser()

const ways = [
  ["by events", {}, false],
  ["by for await", { iterate: true }, false],
  ["from the bundle of the npm package", {}, true],
]

for (const [way, asked, bundled] of ways) {
  test(`P-6 P-7 P-11 P-12 a page connects, is given what waits for it, and then the stream, ${way}`, async (t) => {
    const stage = await Stage.set(t, { bundled })
    const tab = stage.publisher("tab")
    await tab.publish(200)
    const page = await stage.open({ clientId: "tab", ...asked })
    await live(page)
    const stream = tab.stream({ burst: 10 })
    await reached(page, 700)
    await stream.stop()
    await assertWhole(page, tab)
    await assertLater(page, tab)
    const [report] = await details(page, "resume")
    assert.deepEqual([report.mode, report.reason, report.lost, report.snapshot, report.offlineMs], ["fresh", undefined, 0, false, 0])
    assert.equal(report.missed, report.replayed)
    const { attaches, duplicates, resets, transport } = await stats(page)
    assert.deepEqual({ attaches, duplicates, resets, transport }, { attaches: 1, duplicates: 0, resets: 0, transport: "websocket" })
    // 500 frames were due at once, the rest goes with the tab
    await stage.broker.clientWhen("tab", ({ acked }) => acked >= 500, "an ack of 500 frames")
    await page.close({ runBeforeUnload: false })
    await stage.broker.clientWhen("tab", ({ acked }) => acked === tab.last, "an ack of the last frame")
  })
}
