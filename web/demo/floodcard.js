// A flood: 2,500 frames at 500 a second. Each is one cell, coloured by how it came, so that a cut shows as the stretch that was caught up, and a lost
// frame would show as a hole.

import { h, mark, write } from "./dom.js"
import { count, plural } from "./words.js"

const cell = 8 // pixels of the drawing, which is scaled to the card
const columns = 100

/** FloodCard shows a `flood` item. It counts its own updates, which are the page's commits since the flood began. */
export class FloodCard {
  #title = h("span", { class: "flood-title" }, "Flood")
  #number = h("span", { class: "flood-number" })
  #of = h("span", { class: "flood-of" })
  #whole = h("span", { class: "flood-whole" })
  #canvas = h("canvas", { class: "flood-cells", role: "img" })
  #commits = h("span", {})
  #drawn = 0
  #updates = 0
  #item = null

  constructor() {
    const legend = h("div", { class: "flood-legend", "aria-hidden": "true" },
      h("span", { class: "key live" }, "live"), h("span", { class: "key replay" }, "caught up"), h("span", { class: "key hole" }, "not here"))
    this.element = h("li", { class: "row agent" }, h("section", { class: "flood", "aria-label": "Flood" },
      h("div", { class: "flood-head" }, this.#title, this.#number, this.#of, this.#whole), this.#canvas,
      h("div", { class: "flood-foot" }, legend, this.#commits)))
    // The colours are the theme's, and a canvas keeps those that it was drawn in.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#item && this.#draw(this.#item, true))
  }

  update(item) {
    const again = this.#item === null
    this.#item = item
    this.#updates++
    write(this.#number, count(item.last))
    write(this.#of, `of ${count(item.of)}`)
    const wrong = item.missing + item.repeated
    write(this.#whole, wrong ? `${count(item.missing)} missing, ${count(item.repeated)} twice` : item.last === item.of ? "each one once" : "")
    this.#whole.classList.toggle("bad", wrong > 0)
    write(this.#commits, `${plural(item.got, "frame")}, ${plural(this.#updates, "paint")}`)
    mark(this.#canvas, "aria-label", `${plural(item.got, "frame")} of ${count(item.of)}, ${item.missing} missing, ${item.repeated} repeated`)
    this.#draw(item, again)
  }

  #draw(item, again) {
    const canvas = this.#canvas
    const style = getComputedStyle(canvas)
    const colours = { live: style.getPropertyValue("--cell-live"), replay: style.getPropertyValue("--cell-replay"), snapshot: style.getPropertyValue("--cell-snapshot") }
    const pen = canvas.getContext("2d")
    if (again) {
      canvas.width = columns * cell
      canvas.height = Math.ceil(item.of / columns) * cell
      pen.fillStyle = style.getPropertyValue("--cell-none")
      for (let n = 1; n <= item.of; n++) dot(pen, n)
      this.#drawn = 0
    }
    for (const { from, to, how } of item.runs) {
      if (to <= this.#drawn) continue
      pen.fillStyle = colours[how] || colours.live
      for (let n = Math.max(from, this.#drawn + 1); n <= to; n++) dot(pen, n)
    }
    this.#drawn = item.last
  }
}

function dot(pen, n) {
  pen.fillRect(((n - 1) % columns) * cell + 1, Math.floor((n - 1) / columns) * cell + 1, cell - 2, cell - 2)
}
