// A flood: 2,500 frames at 500 a second. Each is one cell, coloured by how it came, so that a cut shows as the stretch that was caught up, and a lost
// frame would show as a hole.

import { h, mark, write } from "./dom.js"
import { count, plural } from "./words.js"

const least = 4 // pixels of a cell, at least: below that they are no cells to the eye
const most = 100 // cells in a row, at most

/** FloodCard shows a `flood` item. It counts its own updates, which are the page's commits since the flood began. */
export class FloodCard {
  #title = h("span", { class: "flood-title" }, "Flood")
  #number = h("span", { class: "flood-number" })
  #of = h("span", { class: "flood-of" })
  #whole = h("span", { class: "flood-whole" })
  #canvas = h("canvas", { class: "flood-cells", role: "img" })
  #commits = h("span", { class: "flood-commits" })
  #drawn = 0
  #columns = 0
  #cell = 0
  #updates = 0
  #item = null

  constructor() {
    const legend = h("div", { class: "flood-legend", "aria-hidden": "true" },
      h("span", { class: "key live" }, "live"), h("span", { class: "key replay" }, "caught up"), h("span", { class: "key hole" }, "not here"))
    this.element = h("li", { class: "row agent" }, h("div", { class: "flood", role: "group", "aria-label": "Flood" },
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
    write(this.#whole, wrong ? `${count(item.missing)} missing, ${count(item.repeated)} twice` : words(item))
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
      this.#measure(item.of)
      pen.fillStyle = style.getPropertyValue("--cell-none")
      for (let n = 1; n <= item.of; n++) this.#dot(pen, n)
      this.#drawn = 0
    }
    for (const { from, to, how } of item.runs) {
      if (to <= this.#drawn) continue
      pen.fillStyle = colours[how] || colours.live
      for (let n = Math.max(from, this.#drawn + 1); n <= to; n++) this.#dot(pen, n)
    }
    this.#drawn = item.last
  }

  // Cells are whole pixels of the screen, so that they are all alike. A card that is hidden has no width; it gets that of a phone.
  #measure(of) {
    const canvas = this.#canvas
    const ratio = globalThis.devicePixelRatio || 1
    const width = canvas.parentElement.clientWidth - 30 || 300
    this.#cell = Math.ceil(Math.max(least, width / most) * ratio)
    this.#columns = Math.floor((width * ratio) / this.#cell)
    canvas.width = this.#columns * this.#cell
    canvas.height = Math.ceil(of / this.#columns) * this.#cell
    canvas.style.width = `${canvas.width / ratio}px`
  }

  #dot(pen, n) {
    const gap = Math.max(1, Math.round(this.#cell / 5))
    const side = this.#cell - gap
    pen.fillRect(((n - 1) % this.#columns) * this.#cell, Math.floor((n - 1) / this.#columns) * this.#cell, side, side)
  }
}

// words is what can be said of those that came. A page that was opened later has the end only.
function words({ first, last, of }) {
  if (first > 1) return `from ${count(first)} on`
  return last === of ? "each one once" : ""
}
