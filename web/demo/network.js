// The network between one pane and the broker, to be broken by hand: a proxy of the demo's server.

import { h, icon, write } from "./dom.js"

/** Network shows a pane's proxy; `ondo(what)` is called with cut, stall, resume or tunnel. */
export class Network {
  #words = h("span", { class: "network-words" }, "up")
  #cut
  #stall
  #stallWord = h("span", {}, "Stall")
  #tunnel
  #tunnelWord = h("span", {}, "Tunnel")
  #state = "up"
  #until = 0
  #cuts = 0

  constructor({ device, ondo }) {
    const button = (name, title, word, act) => h("button", { type: "button", class: "segment", title, data: { do: name }, onclick: act }, h("span", { class: "segment-icon" }, icon(name)), word)
    this.#cut = button("cut", "Reset the connection", h("span", {}, "Cut"), () => ondo("cut"))
    this.#stall = button("stall", "Let nothing pass, without a sign to anybody", this.#stallWord, () => ondo(this.#state === "stalled" ? "resume" : "stall"))
    this.#tunnel = button("tunnel", "Nothing passes and nothing connects for 30 seconds", this.#tunnelWord, () => ondo("tunnel"))
    this.element = h("div", { class: "network" },
      h("div", { class: "segments", role: "group", "aria-label": `Network of the ${device}` }, this.#cut, this.#stall, this.#tunnel), this.#words)
  }

  /** Whether there is a countdown to show. */
  get counting() {
    return this.#state === "tunnel"
  }

  /** show takes what the server says of this pane: `{ state, tunnel_ms, cuts, connections }`. */
  show({ state, tunnel_ms: left = 0, cuts = 0 }) {
    this.#state = state
    this.#until = performance.now() + left
    this.#cuts = cuts
    this.element.dataset.state = state
    write(this.#stallWord, state === "stalled" ? "Resume" : "Stall")
    this.#stall.setAttribute("aria-pressed", String(state === "stalled"))
    this.#stall.querySelector(".segment-icon").replaceChildren(icon(state === "stalled" ? "resume" : "stall"))
    for (const button of [this.#cut, this.#stall, this.#tunnel]) button.disabled = state === "tunnel"
    this.commit()
  }

  /** commit shows how much of a tunnel is left. */
  commit() {
    const left = Math.max(0, Math.ceil((this.#until - performance.now()) / 1000))
    write(this.#tunnelWord, this.counting ? `${left} s left` : "Tunnel")
    const words = { up: this.#cuts ? `cut ${this.#cuts === 1 ? "once" : `${this.#cuts} times`}` : "up", stalled: "nothing passes", tunnel: "in a tunnel" }
    write(this.#words, words[this.#state] ?? this.#state)
  }
}
