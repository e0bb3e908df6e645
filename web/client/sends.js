import { again, failure, retried } from "./wire.js"

// life is how long a send is repeated before it is given up as unknown (P-30), in milliseconds.
const life = 24 * 3600_000

const bare = ({ id, to, frame, at }) => ({ id, to, frame, at })

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
    return this.#list.map(bare)
  }

  // restore takes up what other pages of the same client_id have left, in the order in which all was sent.
  restore(kept) {
    this.#list = [...kept, ...this.#list].sort((a, b) => a.at - b.at)
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
    this.expire()
    return [...this.#list].flatMap((p) => {
      const { id, to, frame } = p
      const waits = busy.has(to) || p.on == connection || p.after > now
      if (!waits && new TextEncoder().encode(JSON.stringify(frame)).length > most) this.#end(p, failure("too_large"))
      else busy.add(to)
      if (waits || !busy.has(to)) return []
      p.on = connection
      return { type: "send", id, to, frame }
    })
  }

  // expire gives up what nobody has answered for too long.
  expire() {
    for (const p of [...this.#list]) if (Date.now() - p.at > life) this.#end(p, failure("unknown"))
  }

  #end(p, error, receipt) {
    this.#list.splice(this.#list.indexOf(p), 1)
    this.#changed()
    this.#target._tell("sent", { ...bare(p), error, receipt })
    error ? p.reject?.(error) : p.resolve?.(receipt)
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
      again(p, now, this.#options.backoff, retry_after_ms)
      p.on = undefined
    }
    return true
  }
}
