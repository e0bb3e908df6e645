// Where the application stands in one life of the outbox's numbering (P-11, P-12, P-30). Pure.

const ackFrames = 500
const ackSize = 256 * 1024

export class Position {
  // frames and size have been applied since the last ack, the first of them at since.
  #frames = 0
  #size = 0
  since = 0

  constructor({ epoch, seq }) {
    this.epoch = epoch
    // received is the last frame that has come, applied the last that the application is through with, told the last that an ack has named.
    this.received = this.applied = this.told = seq
  }

  // apply takes note of a frame that is handled, and says whether an ack is due at once.
  apply(seq, size, now) {
    this.applied = seq
    this.since ||= now
    this.#size += size
    return ++this.#frames >= ackFrames || this.#size >= ackSize
  }

  // ack returns the seq to acknowledge on a connection that has brought frames up to seen, since the broker answers more with ack_ahead; 0 for nothing new.
  ack(seen) {
    const seq = Math.min(this.applied, seen)
    if (seq <= this.told) return 0
    if (seq == this.applied) this.#frames = this.#size = this.since = 0
    return (this.told = seq)
  }
}
