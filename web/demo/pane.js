// One device: a Restante client, the session that its frames make, and the views of both. The two panes of the page share nothing but the clock of their commits.

import { Restante } from "../client/index.js"
import { Announcer } from "./announcer.js"
import { Composer } from "./composer.js"
import { h, icon } from "./dom.js"
import { Log } from "./log.js"
import { Network } from "./network.js"
import { Outgoing } from "./outgoing.js"
import { empty, find, note, reduce, replay } from "./session.js"
import { Pill, Strip } from "./strip.js"
import { errorWords, resumeWords, stateWords } from "./words.js"

const hold = 1500 // milliseconds for which what was shown stays while a session that has begun anew is fetched

/** Pane is made with `{ device, url, topic, agent, clientId, token, directory, commits, ondo }`, and shows `element`. */
export class Pane {
  #options
  #client
  #outgoing = new Outgoing()
  #session = empty
  #changed = new Set()
  #anew = false
  #heldUntil = 0
  #waitingUntil = 0
  #tick = 0
  #been = false
  // From hello until what was missed is not only here but handled, which is what the reader sees.
  #catching = false
  // The topic's frames up to this one were there before this page.
  #history = 0

  constructor(options) {
    this.#options = options
    const { device, url, clientId, token, topic, directory, ondo } = options
    this.device = device
    this.pill = new Pill()
    this.strip = new Strip(device)
    this.network = new Network({ device, ondo: (what) => ondo(device, what) })
    this.announcer = new Announcer(device)
    this.composer = new Composer({ device, onsay: (text) => this.#say(text), onstop: () => this.stop() })
    this.log = new Log({
      device, outgoing: this.#outgoing, hello: hello(directory),
      onanswer: (question, choice) => this.#send({ type: "answer", question, choice, device }),
      onretry: (key) => this.composer.fill(this.#outgoing.drop(key) ?? ""),
    })
    this.alerts = h("div", { class: "alerts", role: "alert" })
    this.element = this.#frame()

    this.#client = new Restante(url, { clientId, token })
    this.#listen()
    // What goes wrong with it is told as "error" and "unsubscribed" too, with the same words.
    this.#client.subscribe(topic, { history: 1000 }).then(
      ({ head }) => (this.#history = head),
      (error) => this.alert(errorWords(error)),
    )
  }

  /** The client, for whoever wants to look at it in the console. */
  get client() {
    return this.#client
  }

  /** The session as this pane has it. */
  get session() {
    return this.#session
  }

  /** commit brings the page up to date: called by Commits, once a frame. */
  commit() {
    const client = this.#client
    const state = this.#catching && client.state.name === "live" ? { name: "catching_up" } : client.state
    const more = { behind: client.stats.head - seqOf(client.cursor), left: this.#waitingUntil - performance.now() }
    this.pill.commit(state, more)
    this.strip.commit(client)
    this.element.dataset.state = state.name
    this.element.dataset.away = String(this.#been && state.name !== "live" && state.name !== "catching_up")
    this.announcer.state(stateWords(state))
    this.network.commit()
    this.composer.running(this.#session.turn !== null)
    this.#commitLog(state)
    if ((state.name === "waiting" && more.left > 0) || this.network.counting) this.#later(100)
  }

  /** alert shows what went wrong, until it is put away or for ten seconds; `act` is the way out, and makes it stay. There is one of each kind at most. */
  alert(text, act) {
    const close = h("button", { type: "button", class: "alert-close", "aria-label": "Dismiss", onclick: () => box.remove() }, icon("cross"))
    const kind = act ? "stays" : "passes"
    const box = h("div", { class: "alert", data: { kind } }, icon("warn"), h("p", {}, text), act, close)
    for (const old of this.alerts.querySelectorAll(`[data-kind=${kind}]`)) old.remove()
    this.alerts.append(box)
    if (!act) setTimeout(() => box.remove(), 10_000)
  }

  /** stop asks the agent to stop, if it is at work; it says whether it is. */
  stop() {
    if (this.#session.turn === null) return false
    this.#send({ type: "stop", device: this.device })
    return true
  }

  /** question brings the keyboard to the open question, if there is one. */
  question() {
    return this.log.question(this.#session)
  }

  /** show takes what the demo's server says of this pane's network. */
  show(network) {
    const was = this.element.dataset.network
    this.element.dataset.network = network.state
    this.network.show(network)
    this.#ask()
    // A device in a tunnel tells its pages so, and says when it is over. Stalled, nobody knows of it.
    if (was && was !== network.state && (was === "tunnel" || network.state === "tunnel")) dispatchEvent(new Event(was === "tunnel" ? "online" : "offline"))
  }

  #commitLog(state) {
    if (this.#anew && state.name === "catching_up" && performance.now() < this.#heldUntil) {
      this.#later(hold)
      return
    }
    const changed = [...this.#changed]
    const anew = this.#anew
    this.#changed.clear()
    this.#anew = false
    this.log.commit({ state: this.#session, changed, anew })
  }

  #listen() {
    const client = this.#client
    const { topic } = this.#options
    const on = (type, listener) => client.addEventListener(type, ({ detail }) => {
      listener(detail)
      this.#ask()
    })
    on("frame", (frame) => frame.topic === topic && this.#take(frame))
    on("snapshot", (snapshot) => snapshot.topic === topic && this.#begin(replay(snapshot.data)))
    on("reset", () => this.#begin(empty))
    on("topic_reset", (reset) => reset.topic === topic && this.#begin(empty))
    on("resume", (report) => {
      this.#catching = false
      const words = resumeWords(report)
      if (words) this.#step(note(this.#session, words, report.lost ? "bad" : "plain"))
    })
    on("state", (state) => this.#state(state))
    on("sent", (sent) => this.#outgoing.settle(sent))
    on("error", (error) => this.alert(errorWords(error)))
    on("topic_hole", ({ from, to }) => this.alert(`Updates ${from} to ${to} of the session are missing.`))
    on("unsubscribed", ({ error }) => this.alert(error ? errorWords(error) : "The session is closed."))
  }

  #take(frame) {
    this.#outgoing.arrived(frame)
    const old = frame.topic_seq <= this.#history
    this.#step(reduce(this.#session, frame, this.#catching || old ? "replay" : "live"), old)
  }

  // What was there before this page is not read out.
  #step({ state, changed }, old = false) {
    const before = this.#session
    this.#session = state
    for (const key of changed) {
      this.#changed.add(key)
      if (!old) this.announcer.item(find(before, key), find(state, key))
    }
  }

  #begin(session) {
    this.#session = session
    this.#anew = true
    this.#heldUntil = performance.now() + hold
    for (const item of session.items) {
      if (item.kind === "user") this.#outgoing.arrived({ type: "user", send: item.send })
    }
  }

  #state(state) {
    this.#outgoing.take(this.#client.pending)
    if (state.name !== "live") this.#catching = state.name === "catching_up"
    if (state.name === "waiting") this.#waitingUntil = performance.now() + state.ms
    if (state.name === "live") {
      this.#been = true
      this.alerts.replaceChildren()
    }
    if (state.name !== "stopped") return
    const again = h("button", { type: "button", class: "button", onclick: () => this.#client.restart() }, "Try again")
    this.alert(state.error ? errorWords(state.error) : `The broker has ended this connection (${state.code}).`, again)
  }

  #say(text) {
    this.#send({ type: "say", text, device: this.device, send: crypto.randomUUID() })
    this.log.jump()
  }

  // How it ends is told as "sent", but for what a stopped client refuses at once.
  #send(frame) {
    this.#outgoing.take([{ frame }])
    this.#client.send(this.#options.agent, frame).catch((error) => {
      this.#outgoing.settle({ frame, error })
      this.#ask()
    })
    for (const item of this.#session.items) if (item.question === frame.question) this.#changed.add(item.key)
    this.#ask()
  }

  #ask() {
    this.#options.commits.ask(this)
  }

  #later(ms) {
    this.#tick ||= setTimeout(() => {
      this.#tick = 0
      this.#ask()
    }, ms)
  }

  #frame() {
    const { device } = this
    const name = device[0].toUpperCase() + device.slice(1)
    const head = h("header", { class: "chat-head" }, icon(device), h("h2", { id: `${device}-name` }, name), this.pill.element, this.strip.transport)
    const chat = h("div", { class: "chat" }, head, this.log.element, this.alerts, this.composer.element)
    this.panel = h("details", { class: "panel", open: true },
      h("summary", {}, "Network and numbers"), h("div", { class: "panel-body" }, this.network.element, this.strip.element))
    return h("section", {
      class: `pane ${device}`, id: `pane-${device}`, "aria-labelledby": `${device}-name`,
      onfocusin: () => this.announcer.take(), onkeydown: (event) => this.#key(event),
    }, h("div", { class: "device" }, chat), this.panel, this.announcer.element)
  }

  #key(event) {
    if (event.key === "Escape" && !event.isComposing && this.stop()) event.preventDefault()
  }
}

function hello(directory) {
  return h("div", { class: "hello" }, h("img", { src: "/demo/mark.svg", alt: "", width: "44", height: "44" }), h("p", { class: "hello-title" }, "What shall we look at?"),
    h("p", {}, "An agent on this machine reads ", h("code", {}, directory || "this directory"), " for you. Cut the connection whenever you like: nothing gets lost."))
}

function seqOf(cursor) {
  return Number(cursor.slice(cursor.lastIndexOf(":") + 1)) || 0
}
