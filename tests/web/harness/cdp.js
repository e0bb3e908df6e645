import { EventEmitter } from "node:events"
import { chromiumPath, flags } from "./browser.js"
import { Program, dropFolder, folder, within } from "./process.js"

// Plain is a Chromium that is told nothing but what a test says, by the DevTools protocol over a pipe. Playwright's emulates that each tab has the focus, and keeps pages
// out of the back-forward cache; here tabs are hidden, frozen and cached as for a user.
export class Plain {
  #program
  #home = folder("chromium")
  #id = 0
  #calls = new Map()
  #tabs = new Map()
  #rest = ""

  static async start() {
    const plain = new Plain()
    const args = [...flags, "--headless=new", "--remote-debugging-pipe", `--user-data-dir=${plain.#home}`, "about:blank"]
    plain.#program = new Program(chromiumPath(), args, { detached: true, stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] })
    plain.#program.stdio[3].on("error", () => {}) // the browser has ended
    plain.#program.stdio[4].setEncoding("utf8").on("data", (text) => plain.#read(text))
    await plain.call("Target.getTargets")
    return plain
  }

  #read(text) {
    const messages = (this.#rest + text).split("\0")
    this.#rest = messages.pop()
    for (const message of messages) {
      const { id, sessionId, method, params, result, error } = JSON.parse(message)
      if (id === undefined) this.#tabs.get(sessionId)?.emit(method, params)
      else {
        const call = this.#calls.get(id)
        this.#calls.delete(id)
        if (error) call.reject(new Error(`${call.method}: ${error.message}`))
        else call.resolve(result)
      }
    }
  }

  // raw makes a call and waits for its answer as long as that takes.
  raw(method, params, sessionId) {
    const id = ++this.#id
    const answer = new Promise((resolve, reject) => this.#calls.set(id, { method, resolve, reject }))
    this.#program.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return answer
  }

  call(method, params = {}, sessionId) {
    return within(this.raw(method, params, sessionId), () => `Chromium to answer ${method}; it has said:\n${this.#program.errors}`)
  }

  // open opens a tab, in the foreground of the one window, at the URL.
  async open(url, errors) {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" })
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true })
    const tab = new Tab(this, targetId, sessionId)
    this.#tabs.set(sessionId, tab)
    await tab.watch(errors)
    await tab.goto(url)
    return tab
  }

  async close() {
    await this.#program.kill()
    dropFolder(this.#home)
  }
}

// Tab is one tab of a Plain. Events of the DevTools protocol are told under their names.
export class Tab extends EventEmitter {
  #plain
  #target
  #session

  constructor(plain, target, session) {
    super()
    this.#plain = plain
    this.#target = target
    this.#session = session
  }

  call(method, params) {
    return this.#plain.call(method, params, this.#session)
  }

  async watch(errors) {
    const text = ({ value, description }) => `${value ?? description}`
    this.on("Runtime.exceptionThrown", ({ exceptionDetails: { text, exception } }) => errors.add(`${text} ${exception?.description}`))
    this.on("Runtime.consoleAPICalled", ({ type, args }) => type === "error" && errors.add(args.map(text).join(" ")))
    this.on("Log.entryAdded", ({ entry }) => entry.level === "error" && errors.add(entry.text))
    this.on("Inspector.targetCrashed", () => errors.add("the page has crashed"))
    for (const domain of ["Page", "Runtime", "Log", "Inspector"]) await this.call(`${domain}.enable`)
  }

  // happens resolves with the next event of that name; call it before what brings the event about.
  happens(event) {
    return within(new Promise((resolve) => this.once(event, resolve)), `the browser to tell ${event}`)
  }

  async goto(url) {
    const loaded = this.happens("Page.loadEventFired")
    await this.call("Page.navigate", { url })
    await loaded
  }

  // back goes one entry back in the tab's history. A page from the back-forward cache is told as Page.frameNavigated, and loads nothing.
  async back() {
    const { entries, currentIndex } = await this.call("Page.getNavigationHistory")
    await this.call("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1].id })
  }

  // front brings the tab to the front of its window; the one that was there is hidden.
  async front() {
    await this.#plain.call("Target.activateTarget", { targetId: this.#target })
  }

  // evaluate calls a function of the page with one argument, and resolves as what it returns.
  async evaluate(fn, arg) {
    const expression = `(${fn})(${arg === undefined ? "" : JSON.stringify(arg)})`
    const { result, exceptionDetails } = await this.#plain.raw("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, this.#session)
    if (exceptionDetails) throw new Error(`${exceptionDetails.text} ${exceptionDetails.exception?.description ?? ""}`)
    return result.value
  }
}
