// Clock is time that passes only when a test lets it. It stands in for the timers, for Date.now and for performance.now, of which the library uses no others.
export class Clock {
  #now = 1_000 // since the page began
  #timers = new Map()
  #last = 0
  #real = {}

  // install puts it in place of the real one until the test t is over.
  install(t) {
    const set = (again) => (call, ms, ...args) => {
      const every = Math.min(Math.max(1, Math.trunc(ms) || 0), ms > 2 ** 31 - 1 ? 1 : 2 ** 31 - 1) // as browsers and Node take it
      this.#timers.set(++this.#last, { at: this.#now + every, call: () => call(...args), every: again && every })
      return this.#last
    }
    const clear = (timer) => this.#timers.delete(timer)
    const fakes = { setTimeout: set(false), setInterval: set(true), clearTimeout: clear, clearInterval: clear }
    for (const [name, fake] of Object.entries(fakes)) {
      this.#real[name] = globalThis[name]
      globalThis[name] = fake
    }
    const { performance, Date } = globalThis
    const real = Date.now
    performance.now = () => this.#now // shadows the prototype's
    Date.now = () => begin + this.#now
    this.#real.restore = () => {
      delete performance.now
      Date.now = real
    }
    t?.after(() => this.uninstall())
    return this
  }

  uninstall() {
    const { restore, ...timers } = this.#real
    Object.assign(globalThis, timers)
    restore()
  }

  get now() { return this.#now }

  // pending is how many timers there are.
  get pending() { return this.#timers.size }

  // pass lets so many milliseconds pass, and everything come to rest in between.
  async pass(ms) {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const next = this.#next()
      if (!next || next[1].at > until) break
      const [id, timer] = next
      this.#now = Math.max(this.#now, timer.at)
      if (timer.every) timer.at = this.#now + timer.every
      else this.#timers.delete(id)
      timer.call()
    }
    this.#now = until
  }

  // sleep lets time pass without any timer, as a laptop does with its lid closed: what was due meanwhile is late.
  sleep(ms) {
    this.#now += ms
  }

  #next() {
    let first
    for (const each of this.#timers) if (!first || each[1].at < first[1].at) first = each
    return first
  }
}

const begin = Date.UTC(2026, 0, 1)
const immediate = setImmediate

// settle waits until nothing more happens by itself.
export const settle = () => new Promise((resolve) => immediate(resolve))
