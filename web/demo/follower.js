// A box that scrolls stays at its end only for who is at its end. Who has scrolled up to read is left alone.

const slack = 28 // pixels from the end that still count as the end

/** Follower keeps a scrolling element at its end. `onmove(atEnd)` is called when the reader has left the end or come back. */
export class Follower {
  #box
  #top = 0
  #atEnd = true
  #onmove

  constructor(box, onmove = () => {}) {
    this.#box = box
    this.#onmove = onmove
    box.addEventListener("scroll", () => this.#look(), { passive: true })
  }

  /** Whether the reader is at the end. */
  get atEnd() {
    return this.#atEnd
  }

  /** follow goes to the end if the reader was there before something was added. */
  follow() {
    if (this.#atEnd) this.#go()
  }

  /** jump goes to the end. */
  jump() {
    this.#go()
    this.#set(true)
  }

  #go() {
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop
  }

  // Only a move upwards is somebody's wish to leave: what is added below makes the end farther without one.
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box
    if (scrollHeight - scrollTop - clientHeight <= slack) this.#set(true)
    else if (scrollTop < this.#top - 1) this.#set(false)
    this.#top = scrollTop
  }

  #set(atEnd) {
    if (this.#atEnd === atEnd) return
    this.#atEnd = atEnd
    this.#onmove(atEnd)
  }
}
