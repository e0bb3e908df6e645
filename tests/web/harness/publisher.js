import { randomUUID } from "node:crypto"
import { patience } from "./process.js"

// Publisher publishes to one client by HTTP and keeps what it has published: seq and n of each frame, in order. It outlives the broker: what got no answer is
// published again with its key (P-18), so that it is stored once.
export class Publisher {
  #broker
  #n = 0

  constructor(broker, id) {
    this.#broker = broker
    this.id = id
    this.epoch = ""
    this.published = []
  }

  get last() {
    return this.published.at(-1)?.seq ?? 0
  }

  get cursor() {
    return `${this.epoch}:${this.last}`
  }

  // publish publishes count numbered frames in one call, with size characters of text each, and returns the last seq.
  async publish(count = 1, { size = 20, ...more } = {}) {
    const frames = Array.from({ length: count }, () => ({ type: "line", n: ++this.#n, text: "x".repeat(size), ...more }))
    const answer = await this.#post(frames.map((frame) => JSON.stringify(frame)).join("\n"))
    this.epoch = answer.epoch
    frames.forEach(({ n }, i) => this.published.push({ seq: answer.first_seq + i, n }))
    return answer.seq
  }

  async #post(body) {
    const key = randomUUID()
    for (const begun = Date.now(); ; ) {
      try {
        const { status, answer } = await this.#broker.call("POST", `/v1/clients/${this.id}/frames`, body, {
          "Content-Type": "application/x-ndjson",
          "Idempotency-Key": key,
        })
        if (status === 200) return answer
        if (status !== 503) throw new TypeError(`publishing to ${this.id}: ${status} ${JSON.stringify(answer)}`)
      } catch (error) {
        if (error instanceof TypeError && error.message !== "fetch failed") throw error
      }
      if (Date.now() - begun > patience) throw new Error(`the broker at ${this.#broker.url} takes no frame for ${this.id}`)
      await new Promise((resolve) => setTimeout(resolve, 20)) // it is dead; it does not say when it is back
    }
  }

  // stream goes on publishing bursts until stop() of what it returns, which resolves when the last one is stored.
  stream({ every = 10, burst = 3, size = 200 } = {}) {
    let going = true
    const done = (async () => {
      while (going) {
        await this.publish(burst, { size })
        await new Promise((resolve) => setTimeout(resolve, every))
      }
    })()
    done.catch(() => {}) // stop() tells it
    return {
      stop: async () => {
        going = false
        await done
      },
    }
  }

  // reached resolves when the stream has published seq.
  async reached(seq) {
    for (const begun = Date.now(); this.last < seq; ) {
      if (Date.now() - begun > patience) throw new Error(`the stream to ${this.id} stands at ${this.last}, before ${seq}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
