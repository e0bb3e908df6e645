// A tool call: what is run, its real output as it comes, how far it is, and how it ended.

import { h, icon, mark, write } from "./dom.js"
import { count, lasting, toolWords } from "./words.js"
import { Follower } from "./follower.js"

/** ToolCard shows a `tool` item. Its output is bounded by the session; here the pieces that have gone from there go too, and only new ones are added. */
export class ToolCard {
  #badge = h("span", { class: "tool-badge" })
  #name = h("span", { class: "tool-name" })
  #args = h("span", { class: "tool-args" })
  // Two elements, of which one is there: a word that becomes longer would move what is before it.
  #limit = h("span", { class: "tool-end" })
  #end = h("span", { class: "tool-end", hidden: true })
  #fill = h("div", { class: "bar-fill" })
  #bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", hidden: true }, this.#fill)
  #label = h("div", { class: "tool-label", hidden: true })
  #cut = h("div", { class: "tool-cut", hidden: true }, "earlier output is not shown")
  #pieces = h("code")
  #output = h("pre", { class: "tool-output", tabindex: "0", role: "group", hidden: true }, this.#cut, this.#pieces)
  #follower = new Follower(this.#output)
  #shown = 0

  constructor() {
    const summary = h("summary", { class: "tool-head" }, this.#badge, this.#name, this.#args, this.#limit, this.#end, icon("chevron"))
    this.card = h("details", { class: "tool", open: true }, summary, this.#bar, this.#label, this.#output)
    this.element = h("li", { class: "row agent" }, this.card)
  }

  update(item) {
    write(this.#name, item.name ?? "")
    write(this.#args, (item.args ?? []).join(" "))
    write(this.#limit, item.limit ? `at most ${lasting(item.limit)}` : "")
    this.#look(item)
    this.#progress(item)
    this.#append(item)
  }

  #look(item) {
    const look = item.status === "running" ? "running" : item.status === "stopped" ? "stopped" : item.exit || item.error ? "failed" : "good"
    if (this.card.dataset.look === look) return
    this.card.dataset.look = look
    this.#limit.hidden = look !== "running"
    this.#end.hidden = look === "running"
    write(this.#end, item.ms === undefined ? toolWords(item) : `${toolWords(item)}, ${lasting(item.ms)}`)
    const names = { good: "check", failed: "cross", stopped: "stop" }
    this.#badge.replaceChildren(look === "running" ? h("span", { class: "spinner" }) : icon(names[look]))
    mark(this.#output, "aria-label", `Output of ${item.name}`)
    mark(this.#bar, "aria-label", `Progress of ${item.name}`)
  }

  // The bar is there for as long as the card, once it is: what stands below it must not jump.
  #progress({ progress }) {
    if (!progress) return
    this.#bar.hidden = this.#label.hidden = false
    const { done, of, label } = progress
    const share = of > 0 ? Math.min(1, done / of) : 0
    this.#fill.style.transform = `scaleX(${share})`
    mark(this.#bar, "aria-valuemax", of)
    mark(this.#bar, "aria-valuenow", done)
    write(this.#label, `${count(done)} of ${count(of)}${label ? ` · ${label}` : ""}`)
  }

  #append({ pieces, count: total }) {
    if (total === this.#shown) return
    this.#output.hidden = false
    const first = pieces[0].n
    const added = document.createDocumentFragment()
    for (const { n, text, stream } of pieces) {
      if (n > this.#shown) added.append(h("span", { data: { n }, class: stream === "stderr" && "stderr" }, text))
    }
    this.#pieces.append(added)
    this.#shown = total
    while (Number(this.#pieces.firstChild.dataset.n) < first) this.#pieces.firstChild.remove()
    this.#cut.hidden = first === 1
    this.#follower.follow()
  }
}
