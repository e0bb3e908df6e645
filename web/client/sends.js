import { delay, failure, retried } from "./wire.js"

// life is how long a send is repeated before it is given up as unknown (P-30), in milliseconds.
const life = 24 * 3600_000

// Sends are those without a receipt, in the order of their calls. One for each target is under way at a time, so that a target gets them in that order
// even if one must be repeated.
export class Sends {
  #list = []
  #target
  #options

  // target is told the end of each, by the event `sent`; options.keep is called with the list when it has changed.
  constructor(target, options) {
    this.#target = target
    this.#options = options
  }

  #changed() { this.#options.keep?.(this.pending) }

  get pending() {
    return this.#list.map(({ id, to, frame, at }) => ({ id, to, frame, at }))
  }

  // restore takes up what an earlier page of the same client_id has left, in front of what this one has to send.
  restore(kept) {
    this.#list.unshift(...kept)
  }

  add(send) {
    return new Promise((resolve, reject) => {
      this.#list.push({ ...send, resolve, reject })
      this.#changed()
    })
  }

  // due returns the messages that are to be written now on that connection.
  due(connection, most, now) {
    const busy = new Set()
    return [...this.#list].flatMap((p) => {
      const { id, to, frame, at, on, after } = p
      if (Date.now() - at > life) this.#end(p, failure("unknown", "nobody has answered for 24 hours"))
      else if (busy.has(to)) return []
      else if (new TextEncoder().encode(JSON.stringify(frame)).length > most) this.#end(p, failure("too_large", `a frame has at most ${most} bytes`))
      else {
        busy.add(to)
        if (on == connection || after > now) return []
        p.on = connection
        return { type: "send", id, to, frame }
      }
      return []
    })
  }

  #end(p, error, receipt) {
    const { id, to, frame, at, resolve, reject } = p
    this.#list.splice(this.#list.indexOf(p), 1)
    this.#changed()
    this.#target._tell("sent", { id, to, frame, at, error, receipt })
    error ? reject?.(error) : resolve?.(receipt)
  }

  // abandon rejects the promises of those who wait. The sends themselves are kept, for the next page or a restart.
  abandon(error) {
    for (const p of this.#list) p.reject?.(error)
  }

  // answered takes a receipt, or an error with an id; false if it is no send's.
  answered(answer, now) {
    const { id, code, message, retry_after_ms } = answer
    const p = this.#list.find((p) => p.id == id)
    if (!p) return false
    if (!code) this.#end(p, undefined, answer)
    else if (!retried(code)) this.#end(p, failure(code, message, { id }))
    else {
      p.tries = (p.tries ?? 0) + 1 // the first try is the send itself
      p.after = now + delay(p.tries, this.#options.backoff, retry_after_ms)
      p.on = undefined
    }
    return true
  }
}
