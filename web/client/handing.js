import { failure, formatCursor } from "./wire.js"

// Handing is the queue between the connection and the application. It hands over one item at a time, in the order in which they came, and moves the cursor with
// each (P-30); the next one waits until the handlers are through with it. A frame outlives its connection here: another one that brings it again is not heard.
export class Handing {
  #target
  #onFrame
  #bounds
  #queue = []
  #bytes = 0
  #life = 0
  #running = false
  #closed = false
  #finishing = false
  #cursor
  #topics = new Map()
  #consumers = new Set()

  // bounds: {frames, bytes, stats, applied(item), drained(), failed(error)}
  constructor(target, onFrame, cursor, bounds) {
    this.#target = target
    this.#onFrame = onFrame
    this.#cursor = cursor
    this.#bounds = bounds
  }

  get cursor() { return this.#cursor ? formatCursor(this.#cursor) : "" }

  topicCursor(topic) {
    const { epoch, seq } = this.#topics.get(topic) ?? {}
    return epoch && seq >= 0 ? formatCursor({ epoch, seq }) : ""
  }

  // adopt gives a bare cursor the epoch in which the broker has understood it (P-5).
  adopt(epoch) { this.#cursor.epoch ||= epoch }

  open() {
    this.#life++
    this.#closed = this.#finishing = this.#running = false
  }

  // clear drops what has not been handed over.
  clear() {
    this.#queue = []
    this.#bytes = 0
  }

  // close hands nothing over any more; with finish it does so when what it holds has been handed over, and forgets the cursor then.
  close(finish, error) {
    for (const consumer of this.#consumers) consumer.end(error)
    this.#finishing = finish
    if (!finish) {
      this.#closed = true
      this.clear()
    } else if (!this.#running) {
      this.#cursor = undefined
    }
  }

  room() { return this.#queue.length < this.#bounds.frames && this.#bytes < this.#bounds.bytes }

  push(item) {
    if (this.#closed || this.#finishing) return
    this.#queue.push(item)
    this.#bytes += item.size ?? 0
    if (!this.#running) this.#run()
  }

  async #run() {
    const life = this.#life
    this.#running = true
    while (this.#queue.length && life == this.#life && !this.#closed) {
      const item = this.#queue.shift()
      this.#bytes -= item.size ?? 0
      const handled = this.#hand(item)
      if (handled) await handled
      if (item.seq) this.#bounds.applied(item)
    }
    if (life != this.#life) return
    this.#running = false
    if (this.#finishing) this.#cursor = undefined
    else if (!this.#closed) this.#bounds.drained()
  }

  // #hand returns what is to be waited for; nothing where the handlers are through with it.
  #hand({ kind, detail, topic, cursor, position, seq }) {
    if (cursor && !topic) this.#cursor = { ...cursor }
    if (cursor && topic) this.#topics.set(topic, { ...this.#topics.get(topic), ...cursor })
    if (kind == "unsubscribed") this.#topics.delete(detail.topic)
    if (seq) {
      this.#cursor = { epoch: position.epoch, seq }
      const place = this.#topics.get(detail.topic)
      if (place) place.seq = detail.topic_seq
    }
    if (kind == "skip" || kind == "place" || !detail) return
    const waits = []
    if (kind == "frame") {
      this.#bounds.stats.frames++
      try {
        const handled = this.#onFrame?.(detail)
        if (handled?.then) waits.push(handled)
      } catch (cause) {
        this.#failed(cause, detail)
      }
      for (const consumer of this.#consumers) waits.push(consumer.give(detail))
    }
    const event = new CustomEvent(kind, { detail })
    event.waitUntil = (promise) => waits.push(promise)
    this.#target.dispatchEvent(event)
    if (waits.length) return Promise.all(waits.map((wait) => Promise.resolve(wait).catch((cause) => this.#failed(cause, detail))))
  }

  #failed(cause, frame) { this.#bounds.failed(failure("handler", "a handler has failed, and counts as through with it", { cause, frame })) }

  // iterate gives each frame to a loop, and counts it as applied when the loop asks for the next one.
  iterate() {
    let held, waiting, release, over
    const last = { value: undefined, done: true }
    const take = (frame, through) => {
      release = through
      return { value: frame, done: false }
    }
    const consumer = {
      give: (frame) =>
        new Promise((through) => {
          if (waiting) waiting.resolve(take(frame, through))
          else held = [frame, through]
          waiting = undefined
        }),
      end: (error) => {
        over = { error }
        if (waiting) error ? waiting.reject(error) : waiting.resolve(last)
        this.#consumers.delete(consumer)
      },
    }
    this.#consumers.add(consumer)
    const next = async () => {
      release?.()
      release = undefined
      if (held) {
        const [frame, through] = held
        held = undefined
        return take(frame, through)
      }
      if (over?.error) throw over.error
      return over ? last : new Promise((resolve, reject) => (waiting = { resolve, reject }))
    }
    return {
      next,
      return: async () => {
        consumer.end()
        release?.()
        held?.[1]()
        return last
      },
      [Symbol.asyncIterator]() { return this },
    }
  }
}
