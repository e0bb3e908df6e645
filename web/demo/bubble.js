// What somebody typed: a bubble, which waits at the end until its frame is back from the agent.

import { h, icon, write } from "./dom.js"
import { errorWords } from "./words.js"

const waiting = { broker: "waiting for the broker", agent: "waiting for the agent", failed: "not sent" }

/** Bubble shows a `user` item, or a message that is still on its way (`at`). It stays the same element when it becomes the former. */
export class Bubble {
  #text = h("div", { class: "bubble-text" })
  #meta = h("div", { class: "bubble-meta" })
  #shown = ""

  constructor({ device, onretry }) {
    this.device = device
    this.onretry = onretry
    this.element = h("li", { class: "row user" }, h("div", { class: "bubble" }, this.#text), this.#meta)
  }

  update(item) {
    write(this.#text, item.text)
    const state = item.at ?? (item.device && item.device !== this.device ? `from ${item.device}` : "")
    if (state === this.#shown) return
    this.#shown = state
    this.element.classList.toggle("pending", item.at === "broker" || item.at === "agent")
    this.element.classList.toggle("failed", item.at === "failed")
    // A new element, since words of another length would move this one.
    const meta = h("div", { class: "bubble-meta" }, ...this.#words(item))
    this.#meta.replaceWith(meta)
    this.#meta = meta
  }

  #words(item) {
    if (item.at === "failed") {
      const again = h("button", { class: "link", type: "button", onclick: () => this.onretry(item.key) }, "Edit and send again")
      return [icon("warn"), h("span", {}, `${waiting.failed}: ${errorWords(item.error)}`), again]
    }
    if (item.at) return [icon("clock"), h("span", {}, waiting[item.at])]
    if (item.device && item.device !== this.device) return [icon(item.device === "phone" ? "phone" : "laptop"), h("span", {}, `from the ${item.device}`)]
    return []
  }
}
