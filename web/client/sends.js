import { Tries } from "./backoff.js"
import { failure, retried, retryAfter } from "./wire.js"

// life is how long a send is repeated before it is given up as unknown (P-30), in milliseconds.
const life = 24 * 3600_000

// Sends are those without a receipt, in the order of their calls. One for each target is under way at a time, so that a target gets them in that order
// even if one must be repeated.
export class Sends {
  #list = []
  #storage
  #key
  #backoff

  // told is given each end; broken what the storage threw.
  constructor(backoff, told, broken) {
    this.#backoff = backoff
    this.told = told
    this.broken = broken
  }

  get pending() {
    return this.#list.map(({ id, to, frame, at }) => ({ id, to, frame, at }))
  }

  // open takes up what an earlier page of the same client_id has left, in front of what this one has to send.
  open(storage, clientId) {
    if (!storage || this.#key) return
    this.#storage = storage
    this.#key = "restante.sends." + clientId
    try {
      const kept = JSON.parse(storage.getItem(this.#key) ?? "[]").filter((k) => this.#list.every((p) => p.id != k.id))
      this.#list.unshift(...kept.map((k) => this.#pending(k)))
    } catch (cause) {
      this.broken(cause)
    }
    this.#keep()
  }

  #pending(send) {
    const tries = new Tries(this.#backoff)
    tries.count = 1 // the first try is the send itself
    return { ...send, after: 0, tries }
  }

  add(send) {
    return new Promise((resolve, reject) => {
      this.#list.push({ ...this.#pending(send), resolve, reject })
      this.#keep()
    })
  }

  #keep() {
    if (!this.#key) return
    try {
      const all = this.pending
      if (all.length) this.#storage.setItem(this.#key, JSON.stringify(all))
      else this.#storage.removeItem(this.#key)
    } catch (cause) {
      this.broken(cause)
    }
  }

  // due returns the messages that are to be written now on that connection, and when there will be more; 0 for no such time.
  due(connection, maxBytes, now) {
    const busy = new Set()
    const out = []
    let next = 0
    for (const p of [...this.#list]) {
      if (now - p.at > life) {
        this.#end(p, failure("unknown", "nobody has answered for 24 hours"))
      } else if (!busy.has(p.to)) {
        const bytes = new TextEncoder().encode(JSON.stringify(p.frame)).length
        if (bytes > maxBytes) {
          this.#end(p, failure("too_large", `the frame has ${bytes} bytes, the limit is ${maxBytes}`))
          continue
        }
        busy.add(p.to)
        if (p.on == connection) continue
        if (p.after > now) {
          next = Math.min(next || Infinity, p.after)
          continue
        }
        p.on = connection
        out.push({ type: "send", id: p.id, to: p.to, frame: p.frame })
      }
    }
    return { out, next }
  }

  #end(p, error, receipt) {
    this.#list.splice(this.#list.indexOf(p), 1)
    this.#keep()
    if (error) error.id = p.id
    const { id, to, frame, at } = p
    this.told({ id, to, frame, at, ...(error ? { error } : { receipt }) })
    if (error) p.reject?.(error)
    else p.resolve?.(receipt)
  }

  // receipt takes the broker's confirmation.
  receipt(receipt) {
    const p = this.#list.find((p) => p.id == receipt.id)
    if (p) this.#end(p, undefined, receipt)
  }

  // refused takes an error with an id; false if it is no send's.
  refused(error, now) {
    const p = this.#list.find((p) => p.id == error.id)
    if (p && retried(error.code)) {
      p.on = undefined
      p.after = now + Math.max(retryAfter(error.retry_after_ms), p.tries.next())
    } else if (p) {
      this.#end(p, failure(error.code, error.message))
    }
    return !!p
  }

  // abandon rejects the promises of those who wait. The sends themselves are kept, for the next page or a restart.
  abandon(error) {
    for (const p of this.#list) {
      p.reject?.(error)
      p.resolve = p.reject = p.on = undefined
    }
  }
}
