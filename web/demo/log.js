// The conversation as elements: one view for each item, found by its key. A commit touches what has changed and nothing else.

import { h, icon } from "./dom.js"
import { Bubble } from "./bubble.js"
import { FloodCard } from "./floodcard.js"
import { Follower } from "./follower.js"
import { Notice } from "./notice.js"
import { Prose } from "./prose.js"
import { Question } from "./question.js"
import { ToolCard } from "./toolcard.js"
import { find } from "./session.js"

const kinds = { user: Bubble, text: Prose, tool: ToolCard, question: Question, flood: FloodCard, note: Notice }

/** Log shows a session's items, and after them what has been typed and is not back yet. */
export class Log {
  #context
  #views = new Map()
  #waiting = new Set()
  #list = h("ol", { class: "items" })
  #thinking = h("li", { class: "row agent thinking", hidden: true }, h("span", { class: "dots", role: "img", "aria-label": "The agent is at work" }, h("i"), h("i"), h("i")))
  #more = h("p", { class: "dropped", hidden: true }, "Older messages are not shown")
  #hello
  #box
  #jump
  #follower

  /** context: `{ device, outgoing, onanswer, onretry, hello }`; hello is shown while there is nothing else. */
  constructor(context) {
    this.#context = context
    this.#hello = context.hello
    this.#list.append(this.#thinking)
    this.#box = h("div", { class: "log", tabindex: "0", role: "region", "aria-label": `Conversation on the ${context.device}` }, this.#hello, this.#more, this.#list)
    this.#jump = h("button", { type: "button", class: "jump", onclick: () => this.#follower.jump() }, icon("down"), "Jump to latest")
    this.#jump.inert = true
    this.#follower = new Follower(this.#box, (atEnd) => {
      this.#jump.classList.toggle("shown", !atEnd)
      this.#jump.inert = atEnd
    })
    this.element = h("div", { class: "log-frame" }, this.#box, this.#jump)
    new ResizeObserver(() => this.#follower.follow()).observe(this.#box)
  }

  /** commit shows the state; `changed` holds the keys that are to be looked at, `anew` says that the state has begun again. */
  commit({ state, changed, anew }) {
    if (anew) this.#clear()
    for (const key of anew ? state.items.map((item) => item.key) : changed) this.#show(key, find(state, key))
    this.#wait()
    this.#thinking.hidden = state.turn === null || busy(state.items.findLast((item) => item.turn === state.turn))
    this.#more.hidden = state.dropped === 0
    this.#hello.hidden = this.#views.size > 0
    this.#follower.follow()
  }

  /** jump goes to the end: somebody has written something. */
  jump() {
    this.#follower.jump()
  }

  /** question brings the keyboard to the question that is open, and says whether there is one. */
  question(state) {
    const item = state.items.findLast((one) => one.kind === "question" && one.choice === null)
    this.#views.get(item?.key)?.focus()
    return item !== undefined
  }

  #show(key, item) {
    const view = this.#views.get(key)
    if (!item) {
      view?.element.remove()
      this.#views.delete(key)
      return
    }
    if (!view) this.#insert(key, item, this.#first() ?? this.#thinking)
    else if (this.#waiting.delete(key)) this.#settle(view.element)
    this.#views.get(key).update(item, this.#context)
  }

  #insert(key, item, before) {
    const view = new kinds[item.kind](this.#context)
    view.element.dataset.key = key
    if (item.turn !== undefined) {
      view.element.dataset.turn = item.turn
      view.element.classList.toggle("first", speaker(before.previousElementSibling) !== String(item.turn))
    }
    this.#views.set(key, view)
    before.before(view.element)
    // It is put there again instead of pushed down: to the browser it has not moved then.
    if (before === this.#thinking) this.#list.append(before)
  }

  // What was typed stays at the end, in order, until it is back.
  #wait() {
    const says = this.#context.outgoing.says
    for (const key of this.#waiting) {
      if (says.some((say) => say.key === key)) continue
      this.#waiting.delete(key)
      this.#show(key, undefined)
    }
    for (const say of says) {
      if (!this.#views.has(say.key)) {
        this.#insert(say.key, { ...say, kind: "user" }, this.#thinking)
        this.#waiting.add(say.key)
      }
      this.#views.get(say.key).update(say)
    }
  }

  // The first of those that wait has its place already; one behind it moves before them.
  #settle(element) {
    const first = this.#first()
    if (first && first.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING) first.before(element)
  }

  #first() {
    const [key] = this.#waiting
    return key === undefined ? null : this.#views.get(key).element
  }

  // What is drawn anew is made anew: a tool's output, say, may be in other pieces now. In one commit nobody sees the gap.
  #clear() {
    for (const key of [...this.#views.keys()]) {
      if (!this.#waiting.has(key)) this.#show(key, undefined)
    }
  }
}

// speaker is the turn that spoke last, over the page's own lines; undefined if it was a person.
function speaker(element) {
  while (element?.classList.contains("notice")) element = element.previousElementSibling
  return element?.dataset.turn
}

// busy: a turn's last item says by itself that something is going on, or waits for a person.
function busy(item) {
  return item !== undefined && ((item.kind === "text" && item.open) || item.status === "running" || (item.kind === "question" && item.choice === null))
}
