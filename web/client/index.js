import { Restante as Core, gone, now } from "./core.js"
import { tabClientId } from "./identity.js"
import { iterate } from "./iterate.js"
import { watchPage } from "./page.js"
import { openSocket } from "./socket.js"
import { openStream } from "./sse.js"
import { expiry } from "./token.js"
import { failure } from "./wire.js"

export { RestanteError } from "./core.js"
export { tabClientId }

// Times in milliseconds. probe: until a connection that is doubted must give a sign of life; asleep: a tick that is so late has slept.
const probe = 3_000
const asleep = 15_000

const storageOf = (storage) => {
  try {
    return storage === undefined ? globalThis.sessionStorage : storage
  } catch {} // a browser that allows none: then there is none
}

// Restante is the core with all that a page needs: a client_id for each tab, sends that outlive a refresh, tokens that are renewed, a page that sleeps and wakes, and Server-Sent
// Events where no socket comes through.
export class Restante extends Core {
  #options
  #storage
  #key
  #unwatch
  #lastTick = Date.now()
  // an attach beside the connection, which takes its place at its hello
  #standby
  #renewal
  #fresh
  // how many sockets in a row have come to no hello; from two on it is streams, until a socket comes to one
  #falls = 0
  #climb
  #climbing
  #wait

  constructor(url, options = {}) {
    const { clientId = tabClientId(), storage, climbAfter = 15_000 } = options
    let client
    super(url, {
      ...options,
      clientId: Promise.resolve(clientId).then((id) => {
        client?.#open(id)
        return id
      }),
      keep: (pending) => client?.#keep(pending),
    })
    client = this
    this.#options = options
    this.#storage = storageOf(storage)
    this.#wait = climbAfter
    this.#watch()
  }

  [Symbol.asyncIterator]() { return iterate(this) }

  restart() {
    this._over = "restart"
    this._end(this._connection, 1000)
    this._handing.goOn()
    this._topics.restart()
    this.#falls = 0
    this.#watch()
    this._begin()
  }

  _stop(code, error) {
    clearTimeout(this.#renewal)
    clearTimeout(this.#climb)
    this.#unwatch()
    super._stop(code, error)
  }

  // --- sends that outlive a refresh

  #open(id) {
    if (!this.#storage) return
    this.#key = "restante.sends." + id
    this.#take()
  }

  // #take takes up what other pages of this tab had to send: those before this one, and those that were shown while it lay in the back-forward cache.
  #take() {
    if (!this.#key) return
    const have = new Set(this.pending.map(({ id }) => id))
    this.#stored(() => this._sends.restore(JSON.parse(this.#storage.getItem(this.#key) ?? "[]").filter(({ id }) => !have.has(id))))
    this.#keep(this.pending)
  }

  #keep(pending) {
    if (this.#key) this.#stored(() => (pending.length ? this.#storage.setItem(this.#key, JSON.stringify(pending)) : this.#storage.removeItem(this.#key)))
  }

  #stored(use) {
    try {
      use()
    } catch (cause) {
      this._report(failure("storage", "what is to be sent cannot be kept, or read again", { cause }))
    }
  }

  // --- a page that sleeps and wakes

  #watch() {
    this.#unwatch?.()
    this.#unwatch = watchPage({
      ack: () => this._ack(),
      wake: () => this.#wake(),
      back: () => {
        this.#take()
        this.#wake()
      },
      // A page with an open socket is not kept in the back-forward cache. One that may come back keeps its place. A new one has to wait until it is hidden.
      hide: (persisted) => {
        const c = this._connection
        if (!c) return
        c.after ||= 1000
        this._lost(c, 0, 0, persisted ? gone : 1000)
      },
    })
  }

  // #wake is called when the network or the page has come back. A connection is not made anew for that, but doubted.
  #wake() {
    const c = this._connection
    if (!c?.hello) {
      if (c && now() - c.heard > probe) this._lost(c, 4000)
      this._hurry()
    } else if (!c.probing) {
      c.probing = now()
      c.link.ping()
      setTimeout(() => {
        if (c.heard < c.probing) this._lost(c, 4000)
        c.probing = 0
      }, probe)
    }
  }

  _tick() {
    const late = Date.now() - this.#lastTick > asleep // the monotonic clock may stand still meanwhile
    this.#lastTick = Date.now()
    if (late) this.#wake()
    super._tick()
  }

  // --- tokens

  async _token() {
    const { token } = this.#options
    const got = this.#fresh ?? (await (token?.call ? token() : token))
    this.#fresh = undefined
    const text = got?.token ?? got
    const left = (got?.expiresAt ?? expiry(text)) - Date.now()
    clearTimeout(this.#renewal)
    // In time for the next one to be there before this one ends, at most half a minute earlier.
    if (token?.call && left > 0 && this.state.name != "stopped") this.#renewal = setTimeout(() => this.#renew(), Math.min(left - Math.min(left / 5, 30_000), 2 ** 31 - 1))
    return text
  }

  async #renew() {
    try {
      this.#fresh = await this.#options.token()
      await this.#change()
    } catch (cause) {
      this._report(failure("token", "there is no new token", { cause }))
    }
  }

  // --- attaching beside the connection, which is left when the other has come to its hello, so that nothing is seen of it

  async #change() {
    const before = this._connection
    const wanted = () => before?.live && !before.dead && !this.#standby
    if (!wanted()) return false
    const c = await this._attach()
    if (!wanted()) return false
    c.quiet = true
    this.#standby = c
    this._start(c)
    return true
  }

  _message(c, text) {
    if (c == this.#standby && !c.dead) {
      if (!text.startsWith('{"type":"hello"')) return
      this.#standby = undefined
      this._end(this._connection, gone)
      this._connection = c
    }
    super._message(c, text)
    if (c.link.name == "websocket" && c.hello && this.#falls) this.#landed()
  }

  _end(c, code) {
    if (c == this.#standby) this.#standby = undefined
    else if (c == this._connection) this._end(this.#standby, gone) // it was to take this one's place
    super._end(c, code)
  }

  _lost(c, ...how) {
    if (!c.dead && !c.hello && !c.refused && !c.after) this.#fell(c)
    super._lost(c, ...how)
  }

  // --- another transport where no socket comes through

  _open(params, on, c) {
    const { transport = "auto" } = this.#options
    const socket = transport == "websocket" || (transport == "auto" && (this.#falls < 2 || (c.quiet && this.#climbing)))
    this.#climbing = false
    // A standby that took over would have the connection that it stands by stopped.
    return (socket ? openSocket : openStream)({ ...params, takeover: !c.quiet && params.takeover }, on)
  }

  #landed() {
    this.#falls = 0
    this.#wait = this.#options.climbAfter ?? 15_000
    clearTimeout(this.#climb)
  }

  // #fell is told of an attach that has come to no hello. Where not even a stream does, there is no network, and sockets have their turn again.
  #fell(c) {
    if (c.link?.name == "sse") c.quiet || this.#landed()
    else if (++this.#falls >= 2) {
      this.#climbLater()
      this.#wait = Math.min(this.#wait * 2, 300_000)
    }
  }

  #climbLater() {
    clearTimeout(this.#climb)
    this.#climb = setTimeout(async () => {
      this.#climbing = true
      const begun = await this.#change().catch((cause) => this._report(failure("offline", undefined, { cause })))
      if (!begun && this.state.name != "stopped") this.#climbLater()
    }, this.#wait)
  }
}
