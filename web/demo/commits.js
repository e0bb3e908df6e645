// However many frames come, the page is changed once an animation frame. Views ask to be committed; a hidden page has no animation frames, and is
// committed by the clock instead, so that it is up to date when somebody looks.

const whenHidden = 250 // milliseconds

/** Commits calls `commit()` of whoever has asked, together, once a frame. Each commit is a performance mark, "restante:commit", for those who count. */
export class Commits {
  #asked = new Set()
  #frame = 0
  #timer = 0

  constructor() {
    document.addEventListener("visibilitychange", () => this.#arm())
  }

  /** ask has `view.commit()` called in the next commit; asking again before that changes nothing. */
  ask(view) {
    this.#asked.add(view)
    this.#arm()
  }

  #arm() {
    if (this.#asked.size === 0) return
    if (document.hidden) {
      cancelAnimationFrame(this.#frame)
      this.#frame = 0
      this.#timer ||= setTimeout(() => this.#commit(), whenHidden)
    } else {
      this.#frame ||= requestAnimationFrame(() => this.#commit())
    }
  }

  #commit() {
    clearTimeout(this.#timer)
    cancelAnimationFrame(this.#frame)
    this.#timer = this.#frame = 0
    const views = [...this.#asked]
    this.#asked.clear()
    for (const view of views) view.commit()
    // Observers are still told of a mark that is cleared; kept, the marks would grow for as long as the page is open.
    performance.mark("restante:commit")
    performance.clearMarks("restante:commit")
  }
}
