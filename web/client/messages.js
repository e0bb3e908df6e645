import { errorText, isJSON } from "./problem.js"

// What a status says of a message where something between has refused it, for what is in it: it would be refused again. Any other is said of the connection.
const verdicts = { 400: "bad_request", 403: "forbidden", 413: "too_large", 429: "rate_limited" }

/**
 * The client's messages on their way to POST …/messages: one at a time and in order, as on a socket, but for acks, which are cumulative. It holds each message of its caller's
 * once; the caller repeats what had no answer when the connection has ended.
 */
export class Messages {
  /** hello's connection_id: before it there is nothing to ack. */
  connection
  #to
  #on
  #queue = []
  #busy = false
  #leaving = new Set()
  #ack
  #acking = 0
  #hurry = false

  /**
   * @param {{url: string, headers: object, signal: AbortSignal, patience: number}} to patience is how long an answer may take, in milliseconds
   * @param {{begin(m: object): void, reply(text: string): void, message(text: string): void, lost(code: number, error?: unknown): void}} on begin says which message is on its
   * way, and reply what the broker answered to it, "" for nothing; message is what it says of an ack. lost says that the connection is to end.
   */
  constructor(to, on) {
    this.#to = to
    this.#on = on
  }

  /** Sends one message, in its turn. */
  push(text) {
    const m = JSON.parse(text)
    if (m.type === "ack") {
      this.#ack = m.seq
      this.#sendAck()
    } else if (m.type !== "pong") { // a stream's pings are comments
      this.#queue.push({ type: m.type, id: m.id, topic: m.topic, text })
      this.#next()
    }
  }

  /** Sends the last ack without waiting for the one before, and so from now on: there may be no later. */
  hurry = () => {
    this.#hurry = true
    this.#sendAck()
  }

  /** Says that the stream has brought `unsubscribed`. */
  left(topic) {
    this.#leaving.delete(topic)
    this.#next()
  }

  async #next() {
    const m = this.#queue[0]
    // A new `subscribed` would overtake the `unsubscribed` that the stream is still to bring.
    if (this.#busy || !m || this.#to.signal.aborted || m.type === "subscribe" && this.#leaving.has(m.topic)) return
    this.#busy = true
    this.#queue.shift()
    this.#on.begin(m)
    const leave = m.type === "unsubscribe"
    if (leave) this.#leaving.add(m.topic)
    const reply = await this.#post(m)
    if (!reply) return
    this.#busy = false
    if (leave && reply.code) this.#leaving.delete(m.topic)
    // The broker writes `unsubscribed` on the stream as well, in its place behind the last frame.
    this.#on.reply(leave && !reply.code ? "" : reply.text)
    this.#next()
  }

  async #sendAck() {
    const seq = this.#ack, { connection } = this
    if (seq === undefined || !connection || this.#acking && !this.#hurry) return
    this.#ack = undefined
    this.#acking++
    const reply = await this.#post({ type: "ack", text: JSON.stringify({ type: "ack", seq, connection_id: connection }) })
    this.#acking--
    // The broker has no such connection. The stream's last word says why, if it still comes.
    if (reply?.code === "not_found") setTimeout(this.#on.lost, 3000, 1006)
    else if (reply?.text) this.#on.message(reply.text)
    if (!this.#to.signal.aborted) this.#sendAck()
  }

  // post resolves with what the broker answered, and with its code where that is a refusal; with nothing where the connection has ended with it.
  async #post(m) {
    const { url, headers, signal, patience } = this.#to, { lost } = this.#on, keepalive = m.type === "ack"
    const late = setTimeout(() => lost(1006, new Error(`no answer to a ${m.type} for ${patience} ms`)), patience)
    try {
      const response = await fetch(url, {
        method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: m.text, cache: "no-store",
        keepalive, signal: keepalive ? undefined : signal, // an ack outlives the page, and close(): it is the last thing that both do
      })
      const { ok, status } = response, text = await response.text(), json = isJSON(response)
      if (ok && (json || status === 204)) return { text }
      const problem = { code: ok ? undefined : verdicts[status], detail: `refused with status ${status}`, ...(json && JSON.parse(text)) }
      if (!problem.code) throw new Error(`a ${m.type} was answered with ${status}, and not by the broker`)
      // A socket ends when its grant does, and no message is refused for it.
      if (problem.code === "token_expired") return lost(4401)
      return { code: problem.code, text: errorText(response, problem, m) }
    } catch (error) {
      lost(1006, error)
    } finally {
      clearTimeout(late)
    }
  }
}
