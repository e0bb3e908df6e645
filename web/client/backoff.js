// Delays between tries (P-24): the first is none, each further one is drawn from 0 to a bound that doubles from min to max.
export class Tries {
  #times
  count = 0

  constructor({ min = 500, max = 30_000, settle = 30_000 } = {}) {
    this.#times = { min, max, settle }
  }

  next() {
    const { min, max } = this.#times
    return this.count++ ? Math.random() * Math.min(max, min * 2 ** (this.count - 2)) : 0
  }

  // ended takes note of a connection that was live for so many milliseconds.
  ended(lived) {
    if (lived >= this.#times.settle) this.count = 0
  }
}
