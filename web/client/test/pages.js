import { webcrypto } from "node:crypto"

// Origin is what the pages of one origin share in a browser, with a clock of its own: locks and channels as their standards say them, as far as they are needed here.
export class Origin {
  #now = 0
  #timers = []
  locks = new Map() // name to {holder, queue}
  channels = new Set()
  strange = [] // what was to be cleared and is no timer

  // pass lets time pass, and everything come to rest in between.
  async pass(ms) {
    const until = this.#now + ms
    for (;;) {
      await settle()
      this.#timers.sort((a, b) => a.at - b.at)
      if (!(this.#timers[0]?.at <= until)) break
      const due = this.#timers.filter(({ at }) => at == this.#timers[0].at) // pages run beside each other: none hears of another in between
      this.#now = due[0].at
      for (const timer of due) {
        this.clearTimeout(timer)
        timer.call()
      }
    }
    this.#now = until
  }

  setTimeout(call, ms) {
    const timer = { at: this.#now + ms, call }
    this.#timers.push(timer)
    return timer
  }

  // A browser takes what is no timer for a number, and clears somebody else's.
  clearTimeout(timer) {
    if (timer !== undefined && !timer.call) this.strange.push(timer)
    this.#timers = this.#timers.filter((t) => t != timer)
  }

  holder(name) {
    return this.locks.get(name)?.holder?.page
  }

  // grant gives a lock to whoever is next.
  grant(name) {
    const lock = this.locks.get(name)
    const next = !lock.holder && lock.queue.shift()
    if (!next) return
    lock.holder = next
    Promise.resolve(next.call({ name })).finally(() => {
      if (lock.holder == next) lock.holder = undefined
      this.grant(name)
      next.over()
    })
  }

  request(page, name, options, call) {
    if (!this.locks.has(name)) this.locks.set(name, { queue: [] })
    const lock = this.locks.get(name)
    return new Promise((resolve, reject) => {
      const asked = { page, call, over: resolve }
      lock.queue.push(asked)
      options.signal?.addEventListener("abort", () => {
        if (!lock.queue.includes(asked)) return
        lock.queue.splice(lock.queue.indexOf(asked), 1)
        reject(new DOMException("given up", "AbortError"))
      })
      queueMicrotask(() => this.grant(name))
    })
  }

  // leave ends what a page holds, as a browser does.
  leave(page) {
    for (const channel of this.channels) if (channel.page == page) this.channels.delete(channel)
    for (const [name, lock] of this.locks) {
      lock.queue = lock.queue.filter((asked) => asked.page != page)
      if (lock.holder?.page != page) continue
      lock.holder = undefined
      this.grant(name)
    }
  }
}

const settle = async () => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
}

// Page is one page's globals. means are those that it has to hold an id.
export class Page {
  #listeners = []

  constructor(origin, { storage = new Map(), means = ["locks", "channel"], secure = true } = {}) {
    const page = this
    this.origin = origin
    this.storage = storage
    this.means = means
    this.sessionStorage = { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) }
    this.navigator = means.includes("locks") ? { locks: { request: (...request) => origin.request(page, ...request) } } : {}
    this.crypto = { getRandomValues: (array) => webcrypto.getRandomValues(array), randomUUID: secure ? () => webcrypto.randomUUID() : undefined }
    this.setTimeout = (call, ms) => origin.setTimeout(call, ms)
    this.clearTimeout = (timer) => origin.clearTimeout(timer)
    if (means.includes("channel")) {
      this.BroadcastChannel = class {
        constructor(name) {
          Object.assign(this, { name, page })
          origin.channels.add(this)
        }
        postMessage(data) {
          if (!origin.channels.has(this)) throw new DOMException("the channel is closed", "InvalidStateError")
          const copy = structuredClone(data)
          setImmediate(() => {
            for (const other of [...origin.channels]) if (other != this && other.name == this.name && !other.page.frozen) other.onmessage?.({ data: copy })
          })
        }
        close() {
          origin.channels.delete(this)
        }
      }
    }
  }

  addEventListener(type, listener) {
    this.#listeners.push({ type, listener })
  }

  #tell(type, persisted) {
    for (const each of this.#listeners) if (each.type == type) each.listener({ type, persisted })
  }

  // hide puts the page into the back-forward cache, and show takes it out again.
  hide() {
    this.#tell("pagehide", true)
    this.frozen = true
  }

  show() {
    this.frozen = false
    this.#tell("pageshow", true)
  }

  // unload ends the page; late ms go by until the browser has taken what it held.
  unload(late = 0) {
    if (late) this.origin.setTimeout(() => this.origin.leave(this), late)
    else this.origin.leave(this)
  }

  // duplicate is a page in another tab, with a copy of this one's storage.
  duplicate(more) {
    return new Page(this.origin, { means: this.means, storage: new Map(this.storage), ...more })
  }

  // reload is the next page in the same tab.
  reload(late) {
    this.unload(late)
    return new Page(this.origin, { means: this.means, storage: this.storage })
  }
}
