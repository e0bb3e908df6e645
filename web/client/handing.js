import { failure, formatCursor } from "./wire.js"

// Handing is the queue between the connection and the application. It hands over one item at a time, in the order in which they came, and moves the cursor with
// each (P-30); the next one waits until the handlers are through with it. A frame outlives its connection here: another one that brings it again is not heard.
export class Handing {
  #target
  #options
  #queue = []
  #size = 0
  #running
  #closed
  #cursor
  #topics = new Map()

  // target gets the events, and is told what is applied and when the queue is empty.
  constructor(target, options, cursor) {
    this.#target = target
    this.#options = options
    this.#cursor = cursor
  }

  get cursor() {
    return this.#cursor ? formatCursor(this.#cursor) : ""
  }

  topicCursor(topic) {
    const place = this.#topics.get(topic)
    return place?.epoch && place.seq >= 0 ? formatCursor(place) : ""
  }

  // close hands nothing over until it goes on. What waits is kept: it may be all that tells of something.
  close() {
    this.#closed = true
  }

  goOn() {
    this.#closed = false
    this.#running ?? this.#run()
  }

  // room says whether another frame is taken.
  room() {
    return this.#queue.length < this.#options.queueFrames && this.#size < this.#options.queueBytes
  }

  push(item) {
    this.#queue.push(item)
    this.#size += item.size ?? 0
    this.#running ?? this.#run()
  }

  async #run() {
    this.#running = true
    while (this.#queue.length && !this.#closed) {
      const item = this.#queue.shift()
      this.#size -= item.size ?? 0
      const handled = this.#hand(item)
      if (handled) await handled
      if (item.seq) this.#target._applied(item)
    }
    this.#running = undefined
    this.#target._drained()
  }

  // #hand returns what is to be waited for; nothing where the handlers are through with it.
  #hand({ kind, detail, topic, cursor, epoch, seq }) {
    if (topic) this.#topics.set(topic, { ...this.#topics.get(topic), ...cursor })
    else if (kind == "unsubscribed") this.#topics.delete(detail.topic)
    else if (seq) {
      this.#cursor = { epoch, seq }
      const place = this.#topics.get(detail.topic)
      if (place && kind == "frame") place.seq = detail.topic_seq
    } else if (cursor) this.#cursor = cursor
    if (kind == "forget") this.#cursor = undefined
    if (kind == "skip" || !detail) return
    const waits = []
    const failed = (cause) => this.#target._report(failure("handler", undefined, { cause, frame: detail }))
    const event = new CustomEvent(kind, { detail })
    event.waitUntil = (promise) => waits.push(Promise.resolve(promise).catch(failed))
    if (kind == "frame") {
      try {
        const handled = this.#options.onFrame?.(detail)
        if (handled?.then) event.waitUntil(handled)
      } catch (cause) {
        failed(cause)
      }
    }
    this.#target.dispatchEvent(event)
    return waits.length && Promise.all(waits)
  }
}
