import { eventParser } from "./events.js"
import { Messages } from "./messages.js"
import { askedFor, closeOf, errorText, isJSON } from "./problem.js"
import { uuid } from "./uuid.js"

// Bounds: how long a POST may take, in milliseconds; how many characters one event may have, and how many may wait for the answer to a subscribe.
const usual = { answer: 30_000, event: 2 << 20, held: 4 << 20 }

// openStream is a transport as socket.js is one: the broker's messages come as Server-Sent Events, read with fetch so that the token stays out of the URL, and the
// client's go by POST …/messages. A stream that ends without a word closes with 1006; `after` is what `retry` or Retry-After has asked for, in milliseconds.
export const openStream = (params, on, bounds) => new Stream(params, on, { ...usual, ...bounds })

class Stream {
  name = "sse"
  #over = false
  #gone = new AbortController()
  #messages
  // held is what the stream has brought since a subscribe is under way, of size characters.
  #held
  #size
  // read is when it brought something last, and quiet how long it may bring nothing, in milliseconds.
  #read = 0
  #quiet = 30_000

  constructor({ url, clientId, since, takeover, ping, token }, on, bounds) {
    this.on = on
    this.bounds = bounds
    const base = `${url}/v1/clients/${encodeURIComponent(clientId || uuid())}/`
    const headers = token ? { Authorization: `Bearer ${token}` } : {}
    const { signal } = this.#gone
    const lost = (code, error) => this.#end({ code, error })
    this.#messages = new Messages({ url: base + "messages", headers, signal, patience: bounds.answer }, {
      begin: ({ type }) => {
        if (type != "subscribe") return
        this.#held = []
        this.#size = 0
      },
      reply: (text) => this.#reply(text),
      message: (text) => this.#deliver(text),
      lost,
    })
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ since, attach: takeover && "takeover", ping })) if (value) query.set(name, value)
    this.#open(`${base}events?${query}`, { headers: { Accept: "text/event-stream", ...headers }, cache: "no-store", signal }).catch((error) => lost(1006, error))
  }

  send(text) {
    if (!this.#over) this.#messages.push(text)
  }

  // ping gives the sign of life for the stream: it is well if its broker's comments (P-16) have come of late. There is no question that a stream would answer.
  ping() {
    const age = Date.now() - this.#read
    if (!this.#over && age >= 0 && age < this.#quiet) this.on.alive()
  }

  // close takes no code: a stream cannot say goodbye, and the broker takes it for lost. It lets the last ack arrive first, for up to a second, since the broker takes none
  // for a connection that is gone.
  async close() {
    this.#over = true
    const stop = () => this.#gone.abort()
    const acked = this.#messages.finish()
    if (!acked) return stop()
    setTimeout(stop, 1000)
    await acked
    stop()
  }

  #end(end) {
    if (this.#over) return
    this.#over = true
    this.#gone.abort()
    this.on.close(end)
  }

  async #open(url, request) {
    const response = await fetch(url, request)
    const { status, headers, body } = response
    if (status != 200) {
      const problem = isJSON(response) ? await response.json() : {}
      if (problem.code) this.#deliver(errorText(response, problem, {}))
      return this.#end({ code: closeOf(status, problem.code), after: askedFor(response, problem) })
    }
    if (!/^text\/event-stream/i.test(headers.get("Content-Type"))) throw new TypeError("what answered is no event stream")
    const parse = eventParser((...event) => this.#arrive(...event), this.bounds.event)
    const decoder = new TextDecoder()
    const reader = body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return this.#end({ code: 1006 })
      if (this.#over) return
      this.#read = Date.now()
      this.on.alive()
      parse(decoder.decode(value, { stream: true }))
    }
  }

  #arrive(name, text, retry) {
    if (name == "close") {
      const { code } = JSON.parse(text)
      return this.#end({ code, after: code < 4500 ? retry : undefined })
    }
    if (name == "hello") {
      const hello = JSON.parse(text)
      this.#messages.connection = hello.connection_id
      this.#quiet = (hello.ping_interval_ms || 25_000) + 5000
    }
    if (!this.#held) return this.#deliver(text)
    this.#held.push(text)
    if ((this.#size += text.length) > this.bounds.held) this.#end({ code: 4001 })
  }

  // #reply delivers an answer, and what waited for it. Stream and answers are two ways, and what a subscription brings must not overtake its `subscribed` (P-19).
  #reply(text) {
    const waited = this.#held ?? []
    this.#held = undefined
    if (text) waited.unshift(text)
    for (const each of waited) this.#deliver(each)
  }

  #deliver(text) {
    if (!this.#over) this.on.message(text)
  }
}
