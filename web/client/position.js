// Where the application stands in one life of the outbox's numbering (P-11, P-12, P-30).

const ackFrames = 500
const ackBytes = 256 * 1024

export class Position {
  #frames = 0
  #bytes = 0
  // since is when the first frame was applied that no ack has named; 0 for none.
  since = 0

  constructor(epoch, seq) {
    this.epoch = epoch
    // received is the last frame that has come, applied the last that the application is through with, told the last that an ack has named.
    this.received = this.applied = this.told = seq
  }

  // apply takes note of a frame that is handled, and says whether an ack is due at once.
  apply(seq, bytes, now) {
    this.applied = seq
    this.since ||= now
    this.#bytes += bytes
    return ++this.#frames >= ackFrames || this.#bytes >= ackBytes
  }

  // ack returns the seq to acknowledge on a connection that has brought frames up to seen, since the broker answers more with ack_ahead; 0 for nothing new.
  ack(seen) {
    const seq = Math.min(this.applied, seen)
    if (seq <= this.told) return 0
    this.told = seq
    this.#frames = this.#bytes = this.since = 0
    return seq
  }
}

// Catchup counts what has come since the client was last live, over as many connections as it took.
export class Catchup {
  replayed = 0
  lost = 0
  snapshot = false

  // start is the frame after which something may have been missed, since when that was; 0 for a client that was never live.
  constructor(start, since) {
    this.start = start
    this.since = since
  }

  // rebase begins at another place: what is discarded has not been caught up on.
  rebase(mode, reason, lost, snapshot) {
    this.mode = mode
    this.reason = reason ?? this.reason
    this.lost = lost == null ? null : this.lost == null ? null : this.lost + lost
    this.snapshot = snapshot
    this.replayed = 0
  }

  report(hello, now) {
    return {
      mode: this.mode ?? hello.resume,
      ...(this.reason && { reason: this.reason }),
      missed: this.mode ? (hello.missed ?? 0) : Math.max(0, hello.head - this.start),
      lost: this.lost,
      replayed: this.replayed,
      snapshot: this.snapshot,
      offlineMs: this.since && now - this.since,
    }
  }
}
