// Dice are reproducible: the same seed gives the same run.
export class Dice {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  // next is at least 0 and below 1.
  next() {
    let t = (this.#state = (this.#state + 0x6d2b79f5) >>> 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  // below is a whole number from 0 to n - 1.
  below(n) {
    return Math.floor(this.next() * n)
  }

  one(list) {
    return list[this.below(list.length)]
  }

  // in says yes once in n times.
  in(n) {
    return this.below(n) == 0
  }
}
