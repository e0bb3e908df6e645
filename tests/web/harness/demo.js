import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { restante } from "./broker.js"
import { browser, watch } from "./browser.js"
import { Errors } from "./errors.js"
import { Program, dropFolder, folder, within } from "./process.js"

// What go vet and go test take on a machine whose cache is empty.
export const slowly = 100_000

const sums = {
  "go.mod": "module sums\n\ngo 1.24\n",
  "sums.go": "// Package sums adds.\npackage sums\n\n// TODO: subtract too.\nfunc Add(a, b int) int { return a + b }\n",
  "sums_test.go": "package sums\n\nimport \"testing\"\n\n// TODO: try negative numbers.\nfunc TestAdd(t *testing.T) {\n\tif Add(2, 3) != 5 {\n\t\tt.Fatal(\"2 and 3 are 5\")\n\t}\n}\n",
  "docs/notes.txt": "nothing to do here\n",
}

// project makes a folder of that name with files in it, for the demo's agent to work in; by default a small Go module.
export function project(name = "sums", files = sums) {
  const root = join(folder("project"), name)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

// Demo is one `restante demo --ui`, and a browser window to look at it.
export class Demo {
  errors = new Errors()
  #program
  #dir
  #window

  // start starts one for the test t, which fails if a page has told the console of an error. window is Playwright's options of the window.
  static async start(t, { dir = project(), window = {} } = {}) {
    const demo = new Demo()
    demo.#dir = dir
    t.after(async () => {
      await demo.close()
      demo.errors.none()
    })
    demo.#program = new Program(restante(), ["demo", "--ui", "--listen", "127.0.0.1:0", "--dir", dir])
    demo.url = await demo.#program.firstLine()
    demo.#window = await (await browser()).newContext({ viewport: { width: 1440, height: 900 }, ...window })
    watch(demo.#window, demo.errors)
    await demo.#window.addInitScript(observe)
    return demo
  }

  // open opens the page in a tab, and resolves when both of its panes are live.
  async open() {
    const page = await this.#window.newPage()
    await page.goto(this.url)
    await this.live(page)
    return page
  }

  // live resolves when both panes are.
  async live(page) {
    await page.waitForFunction(() => globalThis.panes?.every((pane) => pane.client.state.name === "live"))
  }

  // network does what a button of a pane's network panel does.
  async network(page, device, what) {
    await page.locator(`#pane-${device} [data-do=${what === "resume" ? "stall" : what}]`).click()
    const state = { stall: "stalled", resume: "up" }[what]
    if (state) await page.locator(`#pane-${device}[data-network=${state}]`).waitFor({ state: "attached" })
  }

  async close() {
    await this.#window?.close()
    await this.#program?.stop().catch(() => this.#program.kill())
    dropFolder(dirname(this.#dir))
  }
}

// observe counts, in each page from its beginning, what the page does to its reader: commits, animation frames, shifts of the layout, long tasks.
function observe() {
  const seen = (globalThis.observed = { commits: 0, frames: 0, shifts: [], longTasks: [] })
  const name = (node) => (node?.nodeType === 1 ? `${node.tagName}.${node.className}` : `text in ${node?.parentElement?.className}`)
  const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true })
  watch("mark", (mark) => mark.name === "restante:commit" && seen.commits++)
  watch("longtask", ({ duration }) => seen.longTasks.push(Math.round(duration)))
  // What follows a key or a click within half a second is what the user has asked for, to the browser too.
  watch("layout-shift", ({ value, hadRecentInput, sources }) => hadRecentInput || seen.shifts.push(`${value} ${sources.map((source) => name(source.node)).join(", ")}`))
  const frame = () => {
    seen.frames++
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}

// conversation is what stands in a pane: each item's key, and its words as they are rendered. The page's own lines are left out.
export async function conversation(page, device) {
  return page.locator(`#pane-${device} .items > .row[data-key]:not(.notice)`).evaluateAll((rows) => rows.map((row) => {
    const text = (selector) => [...row.querySelectorAll(selector)].filter((element) => !element.hidden).map((element) => element.innerText.trim()).join(" | ")
    const parts = [".bubble-text", ".prose", ".tool-name", ".tool-args", ".tool-end", ".tool-label", ".tool-output code", ".question-text", ".question-command", ".question-answer", ".flood-number", ".flood-whole"]
    return [row.dataset.key, ...parts.map(text).filter(Boolean)]
  }))
}

// patient waits for what the page is asked to become true, as long as go test may take.
export async function patient(page, what, fn, arg) {
  await within(page.waitForFunction(fn, arg, { timeout: slowly }), async () => `${what}; the panes show ${JSON.stringify([await conversation(page, "laptop"), await conversation(page, "phone")], null, 1)}`, slowly)
}
