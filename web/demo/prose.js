// What the agent says. It grows word by word; only the block that has changed is made anew.

import { h } from "./dom.js"
import { blocks, inline } from "./markup.js"

/** Prose shows a `text` item, with a caret while it is still being written. */
export class Prose {
  #body = h("div", { class: "prose" })
  #sources = []

  constructor() {
    this.element = h("li", { class: "row agent" }, this.#body)
  }

  update(item) {
    const list = blocks(item.text)
    list.forEach((block, at) => {
      if (this.#sources[at] === block.source) return
      const made = build(block)
      if (at < this.#body.children.length) this.#body.children[at].replaceWith(made)
      else this.#body.append(made)
    })
    while (this.#body.children.length > list.length) this.#body.lastChild.remove()
    this.#sources = list.map((block) => block.source)
    this.#body.classList.toggle("open", item.open)
  }
}

function build({ kind, lines }) {
  switch (kind) {
    case "ul":
    case "ol":
      return h(kind, {}, ...lines.map((line) => h("li", {}, ...spans(line))))
    case "pre":
      return h("pre", { tabindex: "0" }, h("code", {}, lines.join("\n")))
    case "h":
      return h("p", { class: "heading" }, ...spans(lines[0]))
    default:
      return h("p", {}, ...lines.flatMap((line, at) => (at ? [h("br"), ...spans(line)] : spans(line))))
  }
}

function spans(line) {
  return inline(line).map(({ kind, text }) => (kind === "text" ? text : h(kind, {}, text)))
}
