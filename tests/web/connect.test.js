import { test } from "node:test"
import { Stage, assertLater, assertWhole, live, reached, useBrowser } from "./harness/index.js"

useBrowser()

test("P-6 P-7 a page connects, is given what waits for it, and then the stream", async (t) => {
  const stage = await Stage.set(t)
  const tab = stage.publisher("tab")
  await tab.publish(200)
  const page = await stage.open({ clientId: "tab" })
  await live(page)
  await assertWhole(page, tab)
  const stream = tab.stream()
  await reached(page, 400)
  await stream.stop()
  await assertLater(page, tab)
})
