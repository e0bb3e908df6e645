// On a narrow screen one pane is shown at a time. On a wide one there are no tabs, and the panels stand open.

const narrow = matchMedia("(max-width: 700px)")

/** Tabs shows and hides the panes; `shown` is the index of the one that is in front. */
export class Tabs {
  shown = 0
  #panes
  #list = document.getElementById("tabs")
  #buttons

  constructor(panes) {
    this.#panes = panes
    this.#buttons = [...this.#list.querySelectorAll("[role=tab]")]
    this.#buttons.forEach((button, at) => button.addEventListener("click", () => this.show(at)))
    this.#list.addEventListener("keydown", (event) => this.#key(event))
    panes.forEach((pane, at) => pane.element.addEventListener("focusin", () => (this.shown = at)))
    narrow.addEventListener("change", () => this.#layout())
    this.#layout()
  }

  /** show brings a pane to the front. */
  show(at) {
    this.shown = at
    this.#update()
  }

  #layout() {
    for (const pane of this.#panes) {
      pane.panel.open = !narrow.matches
      if (narrow.matches) pane.element.setAttribute("role", "tabpanel")
      else pane.element.removeAttribute("role")
    }
    this.#update()
  }

  #update() {
    this.#panes.forEach((pane, at) => (pane.element.hidden = narrow.matches && at !== this.shown))
    this.#buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", String(at === this.shown))
      button.tabIndex = at === this.shown ? 0 : -1
    })
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!step) return
    this.show((this.shown + step + this.#buttons.length) % this.#buttons.length)
    this.#buttons[this.shown].focus()
    event.preventDefault()
  }
}
