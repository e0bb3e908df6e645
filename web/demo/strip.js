// The numbers of one client, and its state in a word.

import { h, write } from "./dom.js"
import { count, stateWords } from "./words.js"

/** Pill shows the client's state. Words grow to its right, so that nothing beside it moves. */
export class Pill {
  #words = h("span", {}, "connecting")
  element = h("span", { class: "pill", data: { state: "connecting" } }, h("span", { class: "pill-dot" }), this.#words)

  /** commit shows a state; see stateWords for `more`. */
  commit(state, more) {
    this.element.dataset.state = state.name
    write(this.#words, stateWords(state, more))
  }
}

const cells = [
  ["seq", "the last frame that was handed over"],
  ["acked", "the last frame that the broker was told is applied"],
  ["floor", "the broker keeps what comes after this frame"],
  ["replayed", "frames handed over while catching up"],
  ["duplicates", "frames that had been here before, and were dropped"],
  ["lost", "frames that nobody can bring back"],
]

/** Strip shows a client's numbers; `transport`, an element of its own, how its frames come. */
export class Strip {
  #values = new Map()
  transport = h("span", { class: "transport", title: "how the frames come" })

  constructor(device) {
    this.element = h("dl", { class: "strip", "aria-label": `Numbers of the ${device}` })
    for (const [name, title] of cells) {
      const value = h("dd", { data: { cell: name } }, "–")
      this.#values.set(name, value)
      this.element.append(h("div", { class: "cell", title }, h("dt", {}, name), value))
    }
  }

  /** commit shows a client's cursor and stats. */
  commit({ cursor, stats }) {
    const { acked, floor, replayed, duplicates, lost, topicHoles, transport } = stats
    const seq = Number(cursor.slice(cursor.lastIndexOf(":") + 1)) || 0
    const numbers = { seq, acked, floor, replayed, duplicates, lost: lost + topicHoles }
    for (const [name, value] of Object.entries(numbers)) write(this.#values.get(name), count(value))
    write(this.transport, transport)
    this.#values.get("lost").dataset.bad = String(numbers.lost > 0)
  }
}
