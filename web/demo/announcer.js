// What a screen reader is told. The conversation itself is silent, since it grows word by word; here each message is said once, when it is finished. Two panes show the
// same session, so only the one that was used last speaks.

import { h, write } from "./dom.js"
import { answerWords, lasting, toolWords } from "./words.js"

const kept = 8 // lines in the log
const settle = 900 // milliseconds that a state has to last before it is told

let speaker = null

/** Announcer is one pane's voice. */
export class Announcer {
  #device
  #log = h("div", { role: "log", "aria-live": "polite" })
  #status = h("div", { role: "status" })
  #timer = 0
  #words = "connecting"

  constructor(device) {
    this.#device = device
    this.element = h("div", { class: "unseen" }, this.#log, this.#status)
    speaker ??= this
  }

  /** take makes this pane the one that speaks. */
  take() {
    speaker = this
  }

  /** item tells of an item if it is finished, or asks something. */
  item(before, after) {
    const text = finished(before, after, this.#device)
    if (text && speaker === this) this.say(text)
  }

  /** say adds a line to the log. */
  say(text) {
    this.#log.append(h("p", {}, text))
    while (this.#log.children.length > kept) this.#log.firstChild.remove()
  }

  /** state tells a state when it has lasted: one that is over in a moment is no news. */
  state(words) {
    if (words === this.#words) return
    this.#words = words
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => speaker === this && write(this.#status, `${this.#device}: ${words}`), settle)
  }
}

// finished is what is to be said of an item that was `before` and is `after`, or "".
function finished(before, after, device) {
  if (!after) return ""
  switch (after.kind) {
    case "user":
      return before || after.device === device ? "" : `From the ${after.device}: ${after.text}`
    case "text":
      return !after.open && (!before || before.open) ? after.text : ""
    case "tool":
      return after.status !== "running" && (!before || before.status === "running") ? `${after.name}: ${toolWords(after)}${after.ms === undefined ? "" : ` after ${lasting(after.ms)}`}` : ""
    case "question":
      if (!before) return `The agent asks: ${after.text} ${after.command ?? ""}`
      return after.choice !== null && before.choice === null ? answerWords(after.choice, after.device) : ""
    case "note":
      return after.text
    case "flood":
      return after.last === after.of && before?.last !== after.of ? `Flood: ${after.got} frames, ${after.missing} missing, ${after.repeated} repeated` : ""
    default:
      return ""
  }
}
