// The publisher inside a server, which the load generator drives by credits or sets a rate. It is meant to cost little beside the server that it is in: a
// frame is one buffer that is patched in place.

const typeAndKey = '{"type":"b","k":"';
const keyDigits = 10;
const afterKey = '","t":"';
const timeDigits = 19;
const afterTime = '","p":"';
const end = '"}';

const keyAt = typeAndKey.length;
const timeAt = keyAt + keyDigits + afterKey.length;
const fillerAt = timeAt + timeDigits + afterTime.length;

// Frame is what is published: one compact JSON object of a fixed length, with a number for its receiver and the moment at which it was due.
class Frame {
  constructor(bytes) {
    const filler = bytes - fillerAt - end.length;
    if (!Number.isSafeInteger(bytes) || filler < 0 || bytes > 65536) {
      throw new RangeError(`bytes must be from ${fillerAt + end.length} to 65536, not ${bytes}`);
    }
    this.bytes = Buffer.from(typeAndKey + '0'.repeat(keyDigits) + afterKey + '0'.repeat(timeDigits) + afterTime + 'x'.repeat(filler) + end, 'latin1');
  }

  // stamp numbers the frame, and dates it by a moment of process.hrtime(): CLOCK_MONOTONIC on Linux, which the load generator reads too.
  stamp(key, seconds, nanoseconds) {
    this.#digits(keyAt, keyDigits, key);
    this.#digits(timeAt, timeDigits - 9, seconds);
    this.#digits(timeAt + timeDigits - 9, 9, nanoseconds);
  }

  #digits(at, count, n) {
    for (let i = at + count - 1; i >= at; i--) {
      const rest = Math.floor(n / 10);
      this.bytes[i] = 48 + n - rest * 10;
      n = rest;
    }
  }

  // json is the frame as a string of its own, which is what an application has after JSON.stringify.
  json() {
    return this.bytes.latin1Slice();
  }

  // object is the frame as an application has it before JSON.stringify. Each has its own strings, as objects of different content have.
  object() {
    const b = this.bytes;
    return {
      type: 'b',
      k: b.latin1Slice(keyAt, keyAt + keyDigits),
      t: b.latin1Slice(timeAt, timeAt + timeDigits),
      p: b.latin1Slice(fillerAt, b.length - end.length),
    };
  }
}

export class Conflict extends Error {}

const turn = 256; // frames by credit before the event loop has its turn, so that sockets are read and written meanwhile
const pacedTurn = 4096; // the same for what a rate has fallen behind
const tick = 1e6; // nanoseconds

// Publisher is the one job at a time. target has unicast(client, frame) and fanout(topic, frame), and keeps nothing of the frame but what json() or
// object() gave it. What is asked for and makes no sense is a RangeError that says so; what comes at the wrong time is a Conflict.
export class Publisher {
  #target;
  #keys = new Map(); // work and prefix → { last: the last number of each receiver }, for the life of the process
  #job = null;

  constructor(target) {
    this.#target = target;
  }

  start({ rate = 0, ...asked }) {
    if (!Number.isSafeInteger(rate) || rate < 0 || rate > 1e7) throw new RangeError(`rate must be from 0 to 10000000 frames a second, not ${rate}`);
    const job = this.#make(asked);
    this.stop();
    this.#job = job;
    if (rate > 0) {
      job.rate = rate;
      [job.seconds, job.nanoseconds] = process.hrtime();
      this.#pace(job);
    }
  }

  // credit lets n more be published, which begins when the event loop is at it, so that the caller can answer first.
  credit(n) {
    if (!Number.isSafeInteger(n) || n < 1 || n > 1e9) throw new RangeError('n must be from 1 to 1000000000 frames');
    const job = this.#job;
    if (job === null) throw new Conflict('there is no publisher: POST /bench/start first');
    if (job.rate > 0) throw new Conflict('the publisher is paced: credits are for one that was started with rate 0');
    job.credit += n;
    if (job.pumping) return;
    job.pumping = true;
    setImmediate(() => this.#pump(job));
  }

  // stop returns how many frames were published since start.
  stop() {
    const job = this.#job;
    this.#job = null;
    if (job === null) return 0;
    job.credit = 0;
    clearTimeout(job.timer);
    return job.published;
  }

  // fill publishes per frames to each client in turn, and returns how many that were once the server has taken them.
  async fill({ per, ...asked }) {
    if (!Number.isSafeInteger(per) || per < 1 || per > 1e6) throw new RangeError(`per must be from 1 to 1000000 frames, not ${per}`);
    const job = this.#make({ ...asked, work: 'unicast' });
    for (const all = per * job.names.length; job.published < all; ) {
      for (let i = 0; i < turn && job.published < all; i++) this.#publish(job, ...process.hrtime());
      await new Promise(setImmediate);
    }
    return job.published;
  }

  #make({ work, prefix, clients, bytes, ...unknown }) {
    for (const name of Object.keys(unknown)) throw new RangeError(`the call has no member ${JSON.stringify(name)}`);
    if (work !== 'unicast' && work !== 'fanout') throw new RangeError(`work must be "unicast" or "fanout", not ${JSON.stringify(work)}`);
    if (typeof prefix !== 'string' || !/^[A-Za-z0-9._~:@-]{1,64}$/.test(prefix)) throw new RangeError('prefix must be 1 to 64 of A-Z a-z 0-9 . _ ~ : @ -');
    if (work === 'fanout' && prefix === '-') throw new RangeError('a topic is named by what the prefix holds besides a dash at its end');
    if (!Number.isSafeInteger(clients) || clients < 1 || clients > 1e6) throw new RangeError(`clients must be from 1 to 1000000, not ${clients}`);
    const names = work === 'fanout' ? [prefix.replace(/-$/, '')] : Array.from({ length: clients }, (_, i) => prefix + String(i).padStart(6, '0'));
    return { work, names, keys: this.#keysOf(`${work} ${prefix}`, names.length), frame: new Frame(bytes), next: 0, credit: 0, published: 0, rate: 0, tick: 1, pumping: false };
  }

  #keysOf(name, receivers) {
    let keys = this.#keys.get(name);
    if (keys === undefined) this.#keys.set(name, (keys = { last: new Float64Array(0) }));
    if (keys.last.length < receivers) {
      const more = new Float64Array(receivers);
      more.set(keys.last);
      keys.last = more;
    }
    return keys;
  }

  #publish(job, seconds, nanoseconds) {
    const i = job.next;
    job.next = i + 1 === job.names.length ? 0 : i + 1;
    job.frame.stamp(++job.keys.last[i], seconds, nanoseconds);
    if (job.work === 'fanout') this.#target.fanout(job.names[i], job.frame);
    else this.#target.unicast(job.names[i], job.frame);
    job.published++;
  }

  #pump(job) {
    for (let i = 0; i < turn && job.credit > 0; i++) {
      job.credit--;
      const now = process.hrtime();
      this.#publish(job, now[0], now[1]);
    }
    job.pumping = job.credit > 0;
    if (job.pumping) setImmediate(() => this.#pump(job));
  }

  // pace publishes what was due at each tick that is over, the first one a tick after the start; each frame is dated by its tick. Then it comes back.
  #pace(job) {
    if (job !== this.#job) return;
    const now = process.hrtime();
    const over = Math.floor(((now[0] - job.seconds) * 1e9 + now[1] - job.nanoseconds) / tick);
    for (const enough = job.published + pacedTurn; job.tick <= over && job.published < enough; job.tick++) {
      let seconds = job.seconds + Math.floor(job.tick / 1000);
      let nanoseconds = job.nanoseconds + (job.tick % 1000) * tick;
      if (nanoseconds >= 1e9) {
        seconds++;
        nanoseconds -= 1e9;
      }
      // So many are due in all by this tick, rounded down: the remainder is carried.
      for (const due = Math.floor((job.rate * job.tick) / 1000); job.published < due; ) this.#publish(job, seconds, nanoseconds);
    }
    if (job.tick <= over) {
      setImmediate(() => this.#pace(job));
      return;
    }
    // A timer of Node knows whole milliseconds, so a tick is seen up to one late. That is a property of Node, and is in the latencies that are measured: any
    // Node application publishes by such a timer, and anything finer would keep a core busy.
    job.timer = setTimeout(() => this.#pace(job), 1);
  }
}
