// The switches that both panes share, and what the demo's server says of networks and broker.

import { write } from "./dom.js"
import { count } from "./words.js"

const every = 1000 // milliseconds between two looks at the server

/** Bench works the demo's server: `do` is for what a button does, `run` looks at the server for as long as the page is seen. */
export class Bench {
  #server
  #panes = []
  #kill
  #flood
  #broker
  #words
  #floodWord
  #silent = false

  constructor(server, root) {
    this.#server = server
    this.#kill = root.getElementById("kill")
    this.#flood = root.getElementById("flood")
    this.#broker = root.getElementById("broker")
    this.#words = root.getElementById("broker-words")
    this.#floodWord = root.getElementById("flood-words")
    this.#kill.addEventListener("click", () => this.do(() => server.kill()))
    this.#flood.addEventListener("click", () => this.do(() => server.flood()))
  }

  /** do calls the server, shows the state that it answers with, and says what went wrong in the pane that asked. */
  async do(call, device = this.#panes[0]?.device) {
    try {
      this.#show(await call())
    } catch (error) {
      this.#panes.find((pane) => pane.device === device)?.alert(error.message)
    }
  }

  /** run begins to look. */
  run(panes) {
    this.#panes = panes
    const look = async () => {
      if (!document.hidden) await this.#look()
      setTimeout(look, every)
    }
    look()
  }

  async #look() {
    try {
      this.#show(await this.#server.state())
      this.#silent = false
    } catch (error) {
      if (!this.#silent) for (const pane of this.#panes) pane.alert(error.message)
      this.#silent = true
      this.#broker.dataset.up = "unknown"
      write(this.#words, "no answer")
    }
  }

  #show({ panes, broker, flood }) {
    for (const pane of this.#panes) {
      if (!panes[pane.device]) continue
      pane.show(panes[pane.device])
    }
    this.#broker.dataset.up = String(broker.up)
    write(this.#words, broker.up ? (broker.kills ? `up, killed ${count(broker.kills)}×` : "broker up") : "broker down")
    this.#flood.disabled = flood.running
    write(this.#floodWord, flood.running ? "Flooding" : "Flood")
  }
}
