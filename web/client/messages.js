import { errorText, isJSON } from "./problem.js"

// What a status says of a message, where something between has refused it for what is in it and would refuse it again. Any other says something of the connection.
const verdicts = { 400: "bad_request", 403: "forbidden", 413: "too_large", 429: "rate_limited" }

// Messages are the client's own on their way to POST …/messages: one at a time and in order, as on a socket. What has had no answer when the connection ends is asked for
// again by who asked for it, so that what waits here is never more than that.
export class Messages {
  // connection is hello's connection_id, which an ack is for.
  connection
  #queue = []
  #busy = false
  // seq is the ack that waits. Acks are cumulative, and while one is under way only the last of the others counts.
  #seq
  #acking
  #hurry = false

  // to is {url, headers, signal, patience}: what ends all, and how long an answer may take, in milliseconds.
  // on is told which message is on its way by begin(m), and what the broker answers it by reply(text), "" for nothing; what it answers to an ack by message(text);
  // and by lost(code, error) that the connection has to end.
  constructor(to, on) {
    this.to = to
    this.on = on
  }

  push(text) {
    const { type, id, topic, seq } = JSON.parse(text)
    if (type == "ack") {
      this.#seq = seq
      this.#ack()
    } else if (type != "pong") { // a stream's pings are comments
      this.#queue.push({ type, id, topic, text })
      this.#next()
    }
  }

  // finish sends the last ack, without waiting for the one before, and nothing else any more. It returns a promise of its arrival; undefined where there is none to send.
  finish() {
    this.#hurry = true
    this.#queue = []
    this.#ack()
    return this.#acking
  }

  async #next() {
    if (this.#busy || !this.#queue.length) return
    this.#busy = true
    const m = this.#queue.shift()
    this.on.begin(m)
    const reply = await this.#post(m)
    if (!reply) return
    this.#busy = false
    // The broker writes `unsubscribed` on the stream as well, and there it has its place behind the last frame.
    this.on.reply(reply.code || m.type != "unsubscribe" ? reply.text : "")
    this.#next()
  }

  async #ack() {
    if (this.#seq == null || (this.#acking && !this.#hurry)) return
    const text = JSON.stringify({ type: "ack", seq: this.#seq, connection_id: this.connection })
    this.#seq = undefined
    const { code, text: answer } = (await (this.#acking = this.#post({ type: "ack", text }))) ?? {}
    this.#acking = undefined
    // The broker has no such connection. The stream's last word says why, if it still comes.
    if (code == "not_found") setTimeout(this.on.lost, 3000, 1006)
    else if (answer) this.on.message(answer)
    this.#ack()
  }

  // #post resolves with what the broker answered, and its code where that is a refusal; with nothing where the connection has ended with it.
  async #post({ type, id, topic, text: body }) {
    const { url, headers, signal, patience } = this.to
    const { lost } = this.on
    const late = setTimeout(() => lost(1006, new Error(`no answer to ${type} for ${patience} ms`)), patience)
    try {
      const response = await fetch(url, {
        method: "POST", headers: { "Content-Type": "application/json", ...headers }, body, cache: "no-store", signal,
        keepalive: type == "ack", // it outlives the page: it is the last thing that one says
      })
      const { ok, status } = response
      const text = await response.text()
      const json = isJSON(response)
      if (ok && (json || status == 204)) return { text }
      const problem = { code: verdicts[status], detail: `refused with ${status}`, ...(json && JSON.parse(text)) }
      const { code } = problem
      if (!code) throw new Error(`${type} was answered with ${status}, and not by the broker`)
      // A socket ends when its grant does, and no message is refused for it.
      if (code == "token_expired") return lost(4401)
      return { code, text: errorText(response, problem, { id, topic }) }
    } catch (error) {
      lost(1006, error)
    } finally {
      clearTimeout(late)
    }
  }
}
