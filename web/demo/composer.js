// Where one types: suggestions, a text that grows with what is in it, and the two buttons.

import { h, icon } from "./dom.js"

const suggestions = ["review", "list", "grep TODO", "vet", "test", "help"]

/** Composer calls `onsay(text)` and `onstop()`. */
export class Composer {
  #text
  #send
  #stop

  constructor({ device, onsay, onstop }) {
    this.onsay = onsay
    const chips = suggestions.map((text) => h("button", { type: "button", class: "chip", onclick: () => onsay(text) }, text))
    this.#text = h("textarea", {
      class: "composer-text", rows: "1", name: "text", placeholder: "Ask the agent", "aria-label": `Message from the ${device}`, autocomplete: "off",
      maxlength: "4000", enterkeyhint: "send", oninput: () => this.#look(), onkeydown: (event) => this.#key(event),
    })
    this.#send = h("button", { type: "submit", class: "round send", "aria-label": "Send", title: "Send (Enter)", "aria-disabled": "true" }, icon("send"))
    this.#stop = h("button", { type: "button", class: "round stop", "aria-label": "Stop the agent", title: "Stop the agent (Escape)", onclick: onstop }, icon("stop"))
    this.element = h("form", { class: "composer", onsubmit: (event) => this.#submit(event) },
      h("div", { class: "chips", role: "group", "aria-label": "Suggestions" }, ...chips),
      h("div", { class: "composer-box" }, this.#text, this.#stop, this.#send))
    this.running(false)
  }

  /** running says whether there is something to stop. */
  running(on) {
    if (this.#stop.inert === !on) return
    // The button goes, and the keyboard must not go with it.
    if (!on && document.activeElement === this.#stop) this.#text.focus()
    this.#stop.inert = !on
    this.#stop.classList.toggle("shown", on)
  }

  /** focus brings the keyboard here. */
  focus() {
    this.#text.focus()
  }

  /** fill puts a text back, to be sent again. */
  fill(text) {
    this.#text.value = text
    this.#look()
    this.focus()
  }

  #look() {
    this.#send.setAttribute("aria-disabled", String(this.#text.value.trim() === ""))
    if (CSS.supports("field-sizing", "content")) return
    this.#text.style.height = "auto"
    this.#text.style.height = `${this.#text.scrollHeight}px`
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    this.element.requestSubmit()
  }

  #submit(event) {
    event.preventDefault()
    const text = this.#text.value.trim()
    if (text === "") return
    this.#text.value = ""
    this.#look()
    this.onsay(text)
  }
}
