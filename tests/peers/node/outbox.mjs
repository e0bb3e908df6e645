// An outbox: the newest frames of one client, or of one topic, numbered from 1. The same in both servers; only what a frame is differs.

const retained = 10_000; // frames

export class Outbox {
  seq = 0; // the newest frame's number
  #frames = null; // that of seq n is at (n - 1) % retained; made with the first, since a client that waits has few
  socket = null; // the client's connection, if it is there
  seen = 0; // seconds of uptime, when it was last published to or connected

  // next is the number that the frame has which is appended next.
  next() {
    return this.seq + 1;
  }

  append(frame) {
    if (this.#frames === null) this.#frames = [frame];
    else this.#frames[this.seq % retained] = frame;
    return ++this.seq;
  }

  // lost is how many frames after since are no longer here.
  lost(since) {
    return Math.max(0, this.seq - retained - since);
  }

  // after calls each with every retained frame after since, in order, and its number. A since that lies ahead comes from another life of the server: then
  // all frames are new.
  after(since, each) {
    if (since > this.seq) since = 0;
    for (let seq = since + this.lost(since) + 1; seq <= this.seq; seq++) each(this.#frames[(seq - 1) % retained], seq);
  }
}

const ttl = 24 * 3600; // seconds

// Outboxes are those of all clients. One that nobody has touched for a day is forgotten.
export class Outboxes extends Map {
  constructor() {
    super();
    setInterval(() => this.#forget(), 3600_000).unref();
  }

  // of returns a client's outbox, which is made when it is asked for first.
  of(client) {
    let outbox = this.get(client);
    if (outbox === undefined) this.set(client, (outbox = new Outbox()));
    outbox.seen = now;
    return outbox;
  }

  #forget() {
    for (const [client, outbox] of this) if (outbox.socket === null && now - outbox.seen > ttl) this.delete(client);
  }
}

let now = 0; // a clock that costs nothing to read, good to a minute
setInterval(() => (now = Math.floor(process.uptime())), 60_000).unref();
