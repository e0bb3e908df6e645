// Ear is what a transport tells, in order, and waits for it.
export class Ear {
  heard = []
  alive = 0
  #at = 0
  #waiting = []

  on = {
    message: (text) => this.#put({ message: JSON.parse(text), text }),
    alive: () => this.alive++,
    close: (end) => this.#put({ close: end }),
  }

  #put(what) {
    this.heard.push(what)
    for (const look of this.#waiting.splice(0)) look()
  }

  // next is the next thing told.
  async next() {
    while (this.heard.length <= this.#at) await new Promise((look) => this.#waiting.push(look))
    return this.heard[this.#at++]
  }

  // message is the next thing told, which must be a message.
  async message() {
    const { message, close } = await this.next()
    if (!message) throw new Error(`the connection ended: ${JSON.stringify(close)} ${close.error?.stack ?? ""}`)
    return message
  }

  // until skips to the first message of that type.
  async until(type) {
    for (;;) {
      const message = await this.message()
      if (message.type == type) return message
    }
  }

  // close is the next thing told, which must be the end.
  async close() {
    const { close, text } = await this.next()
    if (!close) throw new Error(`a message in place of the end: ${text}`)
    return close
  }
}
