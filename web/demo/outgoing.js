// What this page has sent and not seen come back. A message goes through three hands: the library has it until the broker's receipt, the agent's outbox until the agent
// takes it, and then it is in the topic, in the order in which the agent took it. Until then its bubble waits at the end of the conversation.

/** Outgoing knows what waits, and where. It has no page in it. */
export class Outgoing {
  #says = new Map()
  #answers = new Map()
  #back = new Set()

  /** What was typed and is not in the conversation yet, in order: `{ key, text, at: "broker" | "agent" | "failed", error }`. */
  get says() {
    return [...this.#says.values()]
  }

  /** answer is the choice that this page has sent for a question, or undefined. */
  answer(question) {
    return this.#answers.get(question)
  }

  /** take has a look at the library's own list: after a refresh it holds what an earlier page has sent. */
  take(pending) {
    for (const { frame } of pending) {
      if (frame.type === "answer") this.#answers.set(frame.question, frame.choice)
      if (frame.type !== "say" || this.#back.has(frame.send) || this.#says.has(frame.send)) continue
      this.#says.set(frame.send, { key: `user:${frame.send}`, text: frame.text, at: "broker" })
    }
  }

  /** settle takes the end of a send: it is with the agent now, or will never be. */
  settle({ frame, error }) {
    if (frame.type === "answer" && error) this.#answers.delete(frame.question)
    const say = frame.type === "say" ? this.#says.get(frame.send) : undefined
    if (!say) return
    if (error) Object.assign(say, { at: "failed", error })
    else say.at = "agent"
  }

  /** arrived takes what has come back from the agent. */
  arrived(frame) {
    if (frame.type === "answered") this.#answers.delete(frame.question)
    if (frame.type !== "user" || !frame.send) return
    this.#back.add(frame.send)
    this.#says.delete(frame.send)
  }

  /** drop forgets a message that could not be sent, and returns its text. */
  drop(key) {
    const send = key.slice("user:".length)
    const say = this.#says.get(send)
    this.#says.delete(send)
    return say?.text
  }
}
