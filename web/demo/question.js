// The agent asks before it runs something. Whoever answers first, on either device, has answered.

import { h, icon, write } from "./dom.js"
import { answerWords } from "./words.js"

const labels = { allow: "Allow", deny: "Deny" }

/** Question shows a `question` item; `onanswer(question, choice)` is called when a button is pressed here. */
export class Question {
  #text = h("p", { class: "question-text" })
  #command = h("code")
  #box = h("pre", { class: "question-command", hidden: true }, this.#command)
  #buttons = h("div", { class: "question-buttons" })
  #waiting = h("p", { class: "question-answer", hidden: true })
  #answer = h("p", { class: "question-answer", hidden: true })
  #foot = h("div", { class: "question-foot" }, this.#buttons, this.#waiting, this.#answer)
  #chosen = ""

  constructor({ onanswer }) {
    this.onanswer = onanswer
    this.card = h("div", { class: "question", role: "group", tabindex: "-1", "aria-label": "The agent asks for permission" },
      h("div", { class: "question-icon" }, icon("shield")), h("div", { class: "question-body" }, this.#text, this.#box, this.#foot))
    this.element = h("li", { class: "row agent" }, this.card)
  }

  update(item, { outgoing }) {
    write(this.#text, item.text)
    this.#box.hidden = !item.command
    write(this.#command, item.command ?? "")
    if (this.#buttons.children.length !== item.choices.length) this.#offer(item)
    const mine = outgoing.answer(item.question)
    this.#chosen = item.choice ?? mine ?? ""
    this.card.dataset.choice = item.choice ?? ""
    for (const button of this.#buttons.children) button.setAttribute("aria-disabled", String(this.#chosen !== ""))
    const answered = item.choice !== null
    this.#buttons.hidden = answered
    this.#waiting.hidden = answered || !mine
    this.#answer.hidden = !answered
    write(this.#waiting, `${labels[mine] ?? mine}: on its way`)
    if (answered) write(this.#answer, answerWords(item.choice, item.device))
  }

  /** focus brings the keyboard to the first button. */
  focus() {
    const button = this.#buttons.querySelector("button")
    ;(this.#chosen || !button ? this.card : button).focus()
  }

  #offer({ choices, question }) {
    this.#buttons.replaceChildren(...choices.map((choice) => h("button", {
      type: "button",
      class: choice === "allow" ? "button primary" : "button",
      data: { choice },
      onclick: () => this.#press(question, choice),
    }, labels[choice] ?? choice)))
  }

  #press(question, choice) {
    if (this.#chosen) return
    this.#chosen = choice
    this.card.focus({ preventScroll: true }) // the button is about to go, and the keyboard should stay here
    this.onanswer(question, choice)
  }
}
