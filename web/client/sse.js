import { eventParser } from "./events.js"
import { Messages } from "./messages.js"
import { closeOf, errorText, isJSON, retryAfter } from "./problem.js"
import { uuid } from "./uuid.js"

/**
 * Attaches by Server-Sent Events: the broker's messages come on a stream, the client's go by POST …/messages. It looks to its caller as a WebSocket does.
 *
 * on.message is given each message of the broker's, and on.alive is called whenever the stream brought something. on.close is called once, when it has ended: with 1006 where
 * nobody said why, and with `after`, in milliseconds, where the broker said when to come back. After close() nothing is called any more.
 * @param {{url: string, clientId: string, since: string, takeover: boolean, ping?: number, token: string}} params url has no slash at its end
 * @param {{message(text: string): void, alive(): void, close(end: {code: number, error?: unknown, after?: number}): void}} on
 * @param {{answer?: number, held?: number, event?: number}} [bounds] how long a POST may take, in milliseconds; how many characters may wait for the answer to a subscribe; how many one event may have
 * @returns {{name: string, send(text: string): void, ping(): void, close(code?: number): void}}
 */
export function openStream(params, on, bounds = {}) {
  return new Stream(params, on, bounds)
}

class Stream {
  name = "sse"
  #on
  #over = false
  #gone = new AbortController()
  #messages
  // What the stream has brought while a subscribe was under way.
  #held
  #size = 0
  #bounds
  #read = 0
  #quiet = 30_000

  constructor({ url, clientId, since, takeover, ping, token }, on, bounds) {
    this.#on = on
    this.#bounds = bounds
    const base = `${url}/v1/clients/${encodeURIComponent(clientId || uuid())}/`, { signal } = this.#gone
    const headers = token ? { Authorization: `Bearer ${token}` } : {} // never in the URL, which others log
    const lost = (code, error) => this.#finish({ code, error })
    this.#messages = new Messages({ url: base + "messages", headers, signal, patience: bounds.answer ?? 30_000 }, {
      begin: (m) => m.type === "subscribe" && (this.#held = []),
      reply: (text) => this.#reply(text),
      message: (text) => this.#deliver(text),
      lost,
    })
    globalThis.addEventListener?.("pagehide", this.#messages.hurry, { signal })
    const query = new URLSearchParams(Object.entries({ since, attach: takeover && "takeover", ping }).filter(([, value]) => value))
    this.#open(`${base}events?${query}`, headers).catch((error) => lost(1006, error))
  }

  send(text) {
    if (!this.#over) this.#messages.push(text)
  }

  /** Calls on.alive if the stream is as lively as its broker makes it by comments (P-16). There is no question that a stream would answer. */
  ping() {
    const age = Date.now() - this.#read
    if (age >= 0 && age < this.#quiet) queueMicrotask(() => this.#over || this.#on.alive())
  }

  /** Ends it. The broker takes it for lost, whatever the code: a stream cannot say goodbye. */
  close() {
    this.#over = true
    this.#messages.hurry()
    this.#gone.abort()
  }

  #finish(end) {
    if (this.#over) return
    this.#over = true
    this.#gone.abort()
    this.#on.close(end)
  }

  async #open(url, headers) {
    const response = await fetch(url, { headers: { Accept: "text/event-stream", ...headers }, cache: "no-store", signal: this.#gone.signal })
    if (!response.ok) return this.#refused(response)
    if (!/^text\/event-stream/i.test(response.headers.get("Content-Type"))) throw new TypeError("what answered is no event stream")
    const parse = eventParser((...event) => this.#arrive(...event), this.#bounds.event)
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true }), reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return this.#finish({ code: 1006 })
      if (this.#over) return
      this.#read = Date.now()
      this.#on.alive()
      parse(decoder.decode(value, { stream: true }))
    }
  }

  async #refused(response) {
    const { status } = response, problem = isJSON(response) ? await response.json() : {}, { code } = problem
    if (code) this.#deliver(errorText(response, problem, {}))
    this.#finish({ code: closeOf(status, code), after: retryAfter(response, problem) })
  }

  #arrive(name, text, retry) {
    if (this.#over) return
    if (name === "close") {
      const { code } = JSON.parse(text)
      return this.#finish({ code, after: code < 4500 ? retry : undefined })
    }
    if (name === "hello") {
      const hello = JSON.parse(text)
      this.#messages.connection = hello.connection_id
      this.#quiet = (hello.ping_interval_ms || 25_000) + 5000
    }
    if (!this.#held) this.#deliver(text)
    else if ((this.#size += text.length) > (this.#bounds.held ?? 4 << 20)) return this.#finish({ code: 4001 })
    else this.#held.push(text)
    if (name === "unsubscribed") this.#messages.left(JSON.parse(text).topic)
  }

  // reply delivers an answer, and behind it what waited for it. The stream and the answers are two ways, and what a subscription brings must not overtake `subscribed` (P-19).
  #reply(text) {
    const waited = this.#held ?? []
    this.#held = undefined
    this.#size = 0
    if (text) this.#deliver(text)
    for (const later of waited) this.#deliver(later)
  }

  #deliver(text) {
    if (!this.#over) this.#on.message(text)
  }
}
