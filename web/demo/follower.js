// A box that scrolls stays at its end only for who is at its end. Who has scrolled up to read is left alone.

const slack = 28 // pixels from the end, within which who scrolls down is at the end

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

  // A move upwards is somebody's wish to leave, be it ever so small: a wheel moves by small steps. What is added below makes the end farther without one,
  // and what is taken away moves upwards but ends at the end.
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box
    const left = scrollHeight - scrollTop - clientHeight
    if (left <= 1) this.#set(true)
    else if (scrollTop < this.#top - 1) this.#set(false)
    else if (scrollTop > this.#top && left <= slack) this.#set(true)
    this.#top = scrollTop
  }

  #set(atEnd) {
    if (this.#atEnd === atEnd) return
    this.#atEnd = atEnd
    this.#onmove(atEnd)
  }
}
