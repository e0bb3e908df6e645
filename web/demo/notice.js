// A line across the conversation, from the page itself: what coming back has come to, or that a turn was stopped.

import { h, write } from "./dom.js"

/** Notice shows a `note` item. */
export class Notice {
  #text = h("span", {})

  constructor() {
    this.element = h("li", { class: "row notice" }, this.#text)
  }

  update(item) {
    this.element.dataset.tone = item.tone
    write(this.#text, item.text)
  }
}
