// The demo's page, as it is served by the real `restante demo --ui`: two devices that follow one session, whatever happens to the network.
import assert from "node:assert/strict"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Demo, conversation, patient } from "./harness/demo.js"
import { folder, useBrowser } from "./harness/index.js"

useBrowser()

// Screenshots of each state, to be looked at.
const shots = process.env.SCREENSHOTS || folder("screenshots")
mkdirSync(shots, { recursive: true })
const shoot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) })

const say = async (page, device, text) => {
  await page.locator(`#pane-${device} textarea`).fill(text)
  await page.locator(`#pane-${device} textarea`).press("Enter")
}
// What somebody has typed is followed by a turn, and until that begins nothing is said after it.
const ended = (page, count) => patient(page, `${count} turns to end`, (count) => panes.every(({ session: { turn, items } }) =>
  turn === null && items.filter((item) => item.kind === "user").length >= count && items.findLast((item) => item.kind !== "note").kind !== "user"), count)
const users = (page, device, text) => page.locator(`#pane-${device} .bubble-text`, { hasText: text }).count()
const shifts = (page) => page.evaluate(() => observed.shifts)

// committed resolves when what the panes have is on the screen, and observers have been told.
const committed = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))))

// same holds both panes to one conversation, and each pane's rendering to its own state.
async function same(page) {
  await committed(page)
  const [laptop, phone] = [await conversation(page, "laptop"), await conversation(page, "phone")]
  assert.deepEqual(phone, laptop, "both devices show the same")
  assert.equal(new Set(laptop.map(([key]) => key)).size, laptop.length, "nothing is there twice")
  return laptop
}

test("a review: asked on the laptop, allowed on the phone, whole on both through cuts and a kill of the broker", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await shoot(page, "empty")
  await page.locator("#pane-laptop .chip", { hasText: "review" }).click()
  await page.locator("#pane-phone .tool").first().waitFor()
  await shoot(page, "live")
  await demo.network(page, "laptop", "cut")
  await page.locator("#kill").click()
  await demo.network(page, "phone", "cut")
  const question = page.locator("#pane-phone .question[data-choice='']")
  await patient(page, "the question on both devices", () => document.querySelectorAll(".question[data-choice='']").length === 2)
  await shoot(page, "question")
  await question.locator("button", { hasText: "Allow" }).press("Enter")
  await ended(page, 1)
  const rows = await same(page)
  const answers = await page.locator(".question-answer:not([hidden])").allInnerTexts()
  assert.deepEqual(answers, ["Allowed on the phone", "Allowed on the phone"])
  const tools = rows.filter(([key]) => key.startsWith("tool:")).map(([, name]) => name)
  assert.ok(tools.length >= 4 && tools.includes("go test"), `the review ran ${tools}`)
  assert.match(JSON.stringify(rows), /sums\.go/, "the output is real")
  await shoot(page, "done")
  assert.deepEqual(await shifts(page), [], "nothing jumps")
})

test("typed without a network: it waits, survives a refresh, and is sent once", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await demo.network(page, "phone", "stall")
  await say(page, "phone", "help")
  await page.locator("#pane-phone .row.pending", { hasText: "waiting for the broker" }).waitFor()
  await shoot(page, "typed-offline")
  await page.reload()
  await page.locator("#pane-phone .row.pending", { hasText: "waiting for the broker" }).waitFor()
  assert.equal(await users(page, "laptop", "help"), 0, "it has not been sent yet")
  await page.locator("#pane-phone[data-network=stalled]").waitFor({ state: "attached" })
  await demo.network(page, "phone", "resume")
  await page.locator("#pane-phone .row.pending").waitFor({ state: "detached" })
  await ended(page, 1)
  // What is said after it would come after a second one as well.
  await say(page, "laptop", "list")
  await ended(page, 2)
  await same(page)
  assert.deepEqual([await users(page, "laptop", "help"), await users(page, "phone", "help")], [1, 1])
  await page.reload()
  await demo.live(page)
  await ended(page, 2)
  assert.deepEqual([await users(page, "laptop", "help"), await users(page, "phone", "help")], [1, 1])
  await same(page)
})

test("a flood, with a cut and a stall: each frame once, a commit a frame, and nothing jumps", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await page.locator("#flood").click()
  const past = (n) => patient(page, `${n} frames of the flood`, (n) => panes.every((pane) => pane.session.items.some((item) => item.kind === "flood" && item.last >= n)), n)
  await past(300)
  await shoot(page, "flood")
  await demo.network(page, "laptop", "cut")
  await demo.network(page, "phone", "stall")
  await patient(page, "the laptop to go on", () => panes[0].session.items.findLast((item) => item.kind === "flood").last >= 1000)
  await shoot(page, "stalled")
  // A handler that waits holds the client where it is (P-12): catching up takes as long as the picture.
  await page.evaluate(() => {
    const wait = new Promise((resolve) => (globalThis.letGo = resolve))
    globalThis.waiting = (event) => event.waitUntil(wait)
    panes[1].client.addEventListener("frame", waiting)
  })
  await demo.network(page, "phone", "cut")
  await demo.network(page, "phone", "resume")
  await page.locator("#pane-phone .pill[data-state=catching_up]", { hasText: /catching up on \d/ }).waitFor()
  await shoot(page, "catching-up")
  await page.evaluate(() => {
    panes[1].client.removeEventListener("frame", waiting)
    letGo()
  })
  await past(2500)
  const floods = await page.evaluate(() => panes.map((pane) => pane.session.items.find((item) => item.kind === "flood")))
  for (const { got, missing, repeated, first, last } of floods) assert.deepEqual({ got, missing, repeated, first, last }, { got: 2500, missing: 0, repeated: 0, first: 1, last: 2500 })
  await page.locator("#pane-phone .notice", { hasText: /Caught up on [\d,]+ updates/ }).first().waitFor()
  await shoot(page, "flooded")
  await committed(page)
  const { commits, frames, longTasks } = await page.evaluate(() => observed)
  assert.ok(commits > 20 && commits <= frames, `${commits} commits in ${frames} animation frames`)
  assert.deepEqual(await shifts(page), [], "nothing jumps")
  t.diagnostic(`2,500 frames a pane: ${commits} commits in ${frames} animation frames; long tasks, in ms: ${longTasks.join(", ") || "none"}`)
})

test("by keyboard alone: lines, sending, stopping from the other device, going to the question and denying", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await page.keyboard.press("Alt+Digit1")
  await page.keyboard.type("one")
  await page.keyboard.press("Shift+Enter")
  assert.equal(await page.locator("#pane-laptop textarea").inputValue(), "one\n")
  await page.keyboard.press("ControlOrMeta+a")
  await page.keyboard.type("review")
  await page.keyboard.press("Enter")
  await page.locator("#pane-phone .row.agent .prose").first().waitFor()
  await page.keyboard.press("Alt+Digit2")
  await page.keyboard.press("Escape")
  await page.locator("#pane-laptop .notice", { hasText: "Stopped" }).waitFor()
  await ended(page, 1)
  await page.keyboard.type("test")
  await page.keyboard.press("Enter")
  await patient(page, "the question", () => document.querySelectorAll(".question[data-choice='']").length === 2)
  await page.keyboard.press("Alt+KeyQ")
  assert.equal(await page.evaluate(() => document.activeElement.dataset.choice), "allow")
  await page.keyboard.press("Tab")
  await page.keyboard.press("Space")
  await page.locator("#pane-laptop .question-answer", { hasText: "Denied on the phone" }).waitFor()
  await ended(page, 2)
  await same(page)
  // The phone's pane was used last, so that it speaks: each message once, when it was finished.
  const said = await page.locator("#pane-phone [role=log]").innerText()
  assert.match(said, /The agent asks:/)
  assert.equal(await page.locator("#pane-laptop [role=log]").innerText().then((text) => text.includes("The agent asks:")), false)
})

test("reading back: what comes does not pull the reader down, and a button does", async (t) => {
  const demo = await Demo.start(t, { window: { viewport: { width: 1100, height: 640 } } })
  const page = await demo.open()
  await say(page, "laptop", "review")
  const log = page.locator("#pane-phone .log")
  await patient(page, "more than fits", () => document.querySelector("#pane-phone .log").scrollHeight > document.querySelector("#pane-phone .log").clientHeight + 200)
  await log.hover({ position: { x: 6, y: 60 } }) // beside the boxes, which scroll by themselves
  await page.mouse.wheel(0, -5000)
  await page.locator("#pane-phone .jump.shown").waitFor()
  await patient(page, "the question", () => document.querySelectorAll(".question[data-choice='']").length === 2)
  assert.equal(await log.evaluate((box) => box.scrollTop), 0)
  await page.locator("#pane-phone .jump").click()
  await patient(page, "the end", () => ((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 2)(document.querySelector("#pane-phone .log")))
  await page.locator("#pane-phone .jump:not(.shown)").waitFor({ state: "attached" })
})

for (const colorScheme of ["light", "dark"]) {
  test(`on a phone's width, ${colorScheme}: one device at a time, the network in a sheet`, async (t) => {
    const demo = await Demo.start(t, { window: { viewport: { width: 360, height: 740 }, colorScheme, hasTouch: true, isMobile: true } })
    const page = await demo.open()
    assert.deepEqual([await page.locator("#pane-laptop").isVisible(), await page.locator("#pane-phone").isVisible()], [true, false])
    await page.locator("#pane-laptop .chip", { hasText: "review" }).tap()
    await page.locator("#pane-laptop .tool").first().waitFor()
    await page.locator("#tab-phone").tap()
    await page.locator("#pane-phone .question[data-choice='']").waitFor({ timeout: 100_000 })
    await shoot(page, `narrow-question-${colorScheme}`)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it does not scroll sideways")
    await page.locator("#pane-phone summary", { hasText: "Network" }).tap()
    await page.locator("#pane-phone [data-do=cut]").tap()
    await page.locator("#pane-phone .network-words", { hasText: "cut once" }).waitFor()
    await shoot(page, `narrow-sheet-${colorScheme}`)
    await page.locator("#pane-phone .question button", { hasText: "Deny" }).tap()
    await ended(page, 1)
    await page.locator("#tab-laptop").tap()
    assert.deepEqual(await shifts(page), [], "nothing jumps")
  })
}

test("without the key, or with another, the page says what to do", async (t) => {
  const demo = await Demo.start(t, { window: { colorScheme: "dark" } })
  const page = await demo.open()
  await shoot(page, "dark")
  const bare = demo.url.split("#")[0]
  const other = await page.context().newPage()
  await other.goto(bare)
  await other.locator("#gate", { hasText: "Open the address that the demo has printed" }).waitFor()
  await other.goto(`${bare}#key=wrong`)
  await other.locator("#gate", { hasText: "This key is not valid" }).waitFor()
  await shoot(other, "gate")
})

test("a client that the broker has sent away says so, and comes back by its button", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await page.evaluate(() => panes[1].client.close())
  const alert = page.locator("#pane-phone .alert[data-kind=stays]")
  await alert.waitFor()
  await say(page, "phone", "list")
  await page.locator("#pane-phone .row.failed", { hasText: "not sent" }).waitFor()
  await shoot(page, "stopped")
  await page.locator("#pane-phone .row.failed button").click()
  assert.equal(await page.locator("#pane-phone textarea").inputValue(), "list")
  await alert.locator("button", { hasText: "Try again" }).click()
  await demo.live(page)
  await page.locator("#pane-phone textarea").press("Enter")
  await ended(page, 1)
  await same(page)
  assert.equal(await page.locator(".row.failed").count(), 0)
  // Beginning anew (P-10) makes the same conversation again.
  await page.evaluate(() => new Promise((resolve) => {
    panes[0].client.addEventListener("reset", resolve, { once: true })
    panes[0].client.restart()
  }))
  await ended(page, 1)
  await same(page)
})

test("in a tunnel: the device knows, counts down, and tries to come back", async (t) => {
  const demo = await Demo.start(t)
  const page = await demo.open()
  await demo.network(page, "laptop", "tunnel")
  await page.locator("#pane-laptop [data-do=tunnel]", { hasText: /\d+ s left/ }).waitFor()
  await page.locator("#pane-laptop[data-away=true]").waitFor()
  assert.equal(await page.locator("#pane-laptop .pill").getAttribute("data-state") !== "live", true)
  await say(page, "laptop", "list")
  await page.locator("#pane-laptop .row.pending").waitFor()
  await say(page, "phone", "help")
  await page.locator("#pane-phone .prose").waitFor()
  await shoot(page, "cut")
  assert.equal(await users(page, "phone", "list"), 0)
  assert.equal(await page.locator("#pane-phone[data-away=true]").count(), 0, "the other device has nothing to do with it")
})
