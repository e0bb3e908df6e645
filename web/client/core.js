import { Handing } from "./handing.js"
import { Position } from "./position.js"
import { Sends } from "./sends.js"
import { openSocket } from "./socket.js"
import { Topics } from "./topics.js"
import { delay, failure, formatCursor, parseCursor, read, stops } from "./wire.js"

export { RestanteError } from "./wire.js"

// Times in milliseconds. handshake: from the first byte to hello; gap: the longest time between two acks; tick: how often is looked at what is due.
const handshake = 10_000
const gap = 5_000
const tick = 1_000

// gone is our own close code for a connection that comes back: its place is kept (P-11), which a close with 1000 would give up.
export const gone = 3001

// now is monotonic, since clocks are set.
export const now = () => performance.now()

// newId has 128 random bits; randomUUID is missing where a page is not secure.
const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-")

// Members that begin with _ are for index.js, which adds what is not core.
export class Restante extends EventTarget {
  #url
  #options
  #id = ""
  #state = { name: "connecting" }
  #stats = { frames: 0, duplicates: 0, topicRepeats: 0, topicHoles: 0, attaches: 0, resets: 0, replayed: 0, lost: 0, acked: 0, floor: 0, head: 0, transport: "" }
  _handing
  _topics
  _sends
  // how many tries there were since the last connection that has lasted
  #tries
  // where what is received stands, and why the next attach goes without it
  #position
  _over
  // what has come since the client was last live, when that was, and with which frame
  #report
  #since
  #start
  #attempt = 0
  #ticking
  #retry
  // when the broker lets us come back
  #earliest
  // the attach that counts
  _connection

  constructor(url, options = {}) {
    super()
    this.#url = `${url}`.replace(/\/+$/, "")
    this.#options = { clientId: "", queueFrames: 10_000, queueBytes: 4 << 20, ...options }
    const { since, backoff } = options
    const cursor = since && parseCursor(since)
    if (!/^https?:/.test(this.#url) || (since && !options.clientId)) {
      throw failure("bad_request", "the url or the cursor")
    }
    if (cursor) this.#position = new Position(cursor)
    this.#missing(0)
    this._handing = new Handing(this, this.#options, cursor)
    this._topics = new Topics((item) => this._handing.push(item), this.#stats, backoff)
    this._sends = new Sends(this, options)
    queueMicrotask(() => this.#attempt || this._begin())
  }

  get state() { return this.#state }
  get clientId() { return this.#id }
  get cursor() { return this._handing.cursor }
  get stats() { return { ...this.#stats } }
  get pending() { return this._sends.pending }

  send(to, frame) {
    return this.#do(() => this._sends.add({ id: newId(), to, frame: JSON.parse(JSON.stringify(frame)), at: Date.now() }))
  }

  subscribe(topic, options) { return this.#do(() => this._topics.subscribe(topic, options)) }

  unsubscribe(topic) { return this.#do(() => this._topics.unsubscribe(topic)) }

  topicCursor(topic) { return this._handing.topicCursor(topic) }

  // #do begins what is answered later. Who does not listen to the promise has the events.
  #do(what) {
    const answered = (async () => {
      if (this.#state.name == "stopped") throw failure("closed")
      return what()
    })()
    answered.catch(() => {})
    this.#flush()
    return answered
  }

  close() {
    this._ack()
    this._end(this._connection, 1000)
    this._stop(1000, failure("closed"))
  }

  // --- beginning and end

  // _begin makes the try that is made at once.
  _begin() {
    this.#tries = 1
    clearInterval(this.#ticking)
    this.#ticking = setInterval(() => this._tick(), tick)
    this._connect()
  }

  // _stop is called when it does not come back.
  _stop(code, error) {
    clearInterval(this.#ticking)
    clearTimeout(this.#retry)
    this.#attempt++
    code == 4504 ? this._handing.push({ kind: "forget" }) : this._handing.close()
    this._sends.abandon(error)
    this._topics.abandon(error)
    this.#set("stopped", { code, error })
  }

  // --- telling

  _tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })) }

  _report(error) { this._tell("error", error) }

  // #set says whether it is still so when all have been told: a listener may have closed the client, or begun anew.
  #set(name, more) {
    const state = (this.#state = { name, ...more })
    for (const type of [name, "state"]) if (this.#state == state) this._tell(type, state)
    return this.#state == state
  }

  // --- coming back

  // _connect attaches now.
  async _connect() {
    const attempt = ++this.#attempt
    clearTimeout(this.#retry)
    this.#set("connecting")
    try {
      const c = await this._attach()
      if (attempt == this.#attempt) this._connection = this._start(c)
    } catch (cause) {
      if (attempt != this.#attempt) return
      this._report(failure("offline", undefined, { cause }))
      this.#away(0, 0)
    }
  }

  // _attach makes what one attach needs to know.
  async _attach() {
    this.#id ||= await this.#options.clientId
    const token = await this._token()
    const position = this._over ? undefined : this.#position
    return { token, position, since: position && { epoch: position.epoch, seq: position.applied }, over: this._over, heard: now(), after: 0 }
  }

  // _token is called before each attach.
  async _token() {
    const { token = "" } = this.#options
    return token.call ? token() : token
  }

  // _start opens it, and returns it; what the transport throws it throws.
  _start(c) {
    const on = {
      message: (text) => this._message(c, text),
      alive: () => (c.heard = now()),
      close: ({ code, after }) => this._lost(c, code, after),
    }
    this.#stats.attaches++
    c.link = this._open({ ...this.#options, url: this.#url, clientId: this.#id, since: c.since && formatCursor(c.since), token: c.token }, on, c)
    c.deadline = setTimeout(() => this._lost(c, 4000), handshake)
    return c
  }

  // _open is the transport, see socket.js.
  _open(params, on, c) { return openSocket(params, on) }

  // _end leaves a connection: nothing that it says is heard any more (P-22).
  _end(c, code) {
    if (!c || c.dead) return
    c.dead = true
    clearTimeout(c.deadline)
    if (c == this._connection) {
      this._connection = undefined
      this._topics.lost()
      if (c.live) {
        if (now() - c.live >= (this.#options.backoff?.settle ?? 30_000)) this.#tries = 0
        this.#missing(now())
      }
    }
    c.link?.close(code)
  }

  // #missing begins to count anew what has come since the client was last live: missed is counted from start on.
  #missing(since) {
    this.#since = since
    this.#start = this.#position?.received ?? 0
    this.#report = { replayed: 0, lost: 0, snapshot: false }
  }

  // _drained leaves a connection whose frames have found no room, so that the next one brings them. It is our own doing, and counts as no failure.
  _drained() {
    const c = this._connection
    if (!c?.dry) return
    this.#tries = 0
    this._lost(c)
  }

  // _lost ends a connection, and comes back, or stops, as its code says (P-22). after is how long the broker wants us to stay away.
  _lost(c, code = 0, after = 0, closing = gone) {
    const counts = c == this._connection
    this._end(c, closing)
    if (!counts) return
    if (stops(code)) {
      const { code: name = "stopped", message = `closed: ${code}` } = c.refused ?? {}
      if (code != 4501 || !c.since || name != "bad_cursor") {
        if (code == 4504) this.#position = undefined
        return this._stop(code, failure(name, message))
      }
      this._over = name
      this.#tries = 0
    }
    this.#away(code, Math.max(c.after, after))
  }

  // #away comes back when both the backoff and what the broker has asked for have passed (P-24).
  #away(code, after) {
    const ms = Math.ceil(delay(this.#tries++, this.#options.backoff, after))
    this.#earliest = now() + Math.min(after, 300_000)
    this.#later(ms)
    if (this.#set("offline", { code }) && ms) this.#set("waiting", { ms })
  }

  #later(ms) {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this._connect(), ms)
  }

  // _hurry makes the next try now, or when the broker lets us.
  _hurry() {
    if (/offline|waiting/.test(this.#state.name)) this.#later(this.#earliest - now())
  }

  // _tick looks for silence (P-17), and for what is due.
  _tick() {
    const c = this._connection
    if (c?.silence && !c.probing && now() - c.heard > c.silence) this._lost(c, 4000)
    this.#ackDue()
    this._sends.expire()
    this.#flush()
  }

  // --- what the broker says

  _message(c, text) {
    if (c.dead) return
    c.heard = now()
    try {
      const { seq, message } = read(text)
      if (seq) this.#frame(c, seq, message, text.length)
      else this.#broker(c, message)
      this.#flush()
    } catch (error) {
      if (error.over) this._over = error.over
      else this._report(error)
      this._lost(c, 0, 0, error.over ? 1000 : gone)
    }
  }

  #broker(c, m) {
    if (c.dry && /^(rep|sn|su|un)/.test(m.type)) return // what belongs behind the frames that were dropped comes again with them
    switch (m.type) {
      case "hello":
        if (!c.hello) this.#hello(c, m)
        break
      case "ping":
        c.link.send('{"type":"pong"}')
        this.#stats.head = Math.max(this.#stats.head, m.head || 0)
        break
      case "goaway":
        c.after = m.retry_after_ms
        break
      case "replay_end":
        if (c.live) break
        if (c.awaited || !(m.seq < c.expected)) throw hole()
        this.#live(c)
        break
      case "snapshot":
        if (m.topic) this._topics.snapshot(m)
        else if (c.awaited) this.#rebase(c, m)
        break
      case "subscribed":
        this._topics.subscribed(m)
        break
      case "unsubscribed":
        this._topics.unsubscribed(m.topic)
        break
      case "receipt":
        this._sends.answered(m)
        break
      case "error":
        this.#refused(c, m)
    }
  }

  #hello(c, h) {
    const { client_id: id, epoch, resume, reason, floor, head, lost } = h
    const { since } = c
    clearTimeout(c.deadline)
    c.hello = h
    c.silence = h.ping_interval_ms + h.pong_timeout_ms || 0
    c.gap = Math.min(gap, h.ack_interval_ms || gap) - tick
    this.#id = id
    Object.assign(this.#stats, { floor, head, transport: c.link.name })
    if (!c.quiet && !this.#set("catching_up")) return
    if (resume == "replay" || resume == "up_to_date") {
      if (since?.epoch != epoch || since.seq > head) throw hole()
      this.#from(c, since.seq)
      if (resume == "up_to_date") this.#live(c)
    } else {
      const why = resume == "too_old" ? reason : (c.over ?? (since && resume))
      c.awaited = { cursor: { epoch, seq: floor }, mode: resume, reason: why, lost: why && (resume == "fresh" && floor > 0) ? null : (lost ?? null) }
      if (!h.snapshot) this.#rebase(c)
    }
  }

  // #rebase begins at the floor, or at the snapshot that has come (P-9). The reset and the snapshot go together, so that the cursor is never at A without it.
  #rebase(c, snapshot) {
    let { cursor, mode, reason, lost } = c.awaited
    c.awaited = c.quiet = this._over = undefined
    if (snapshot) {
      cursor = { ...cursor, seq: snapshot.as_of }
      lost = 0
    }
    this.#position = c.position = new Position(cursor)
    const report = this.#report
    this.#start = c.hello.head - (c.hello.missed ?? 0)
    Object.assign(report, { mode, lost: lost == null || report.lost == null ? null : report.lost + lost, snapshot: !!snapshot, replayed: 0 })
    if (reason) {
      report.reason = reason
      this.#stats.resets++
    }
    this._topics.rebased(reason)
    this._handing.push({ kind: "reset", cursor, detail: reason && { reason, cursor: formatCursor(cursor), snapshot: !!snapshot } })
    if (snapshot) this._handing.push({ kind: "snapshot", cursor, detail: { asOf: cursor.seq, data: snapshot.data } })
    this.#from(c, cursor.seq)
  }

  // #from is where a connection's frames and acks begin (P-11). An ack may be overdue from the connection before.
  #from(c, seq) {
    c.seen = seq
    c.expected = seq + 1
    this.#ackDue()
  }

  #frame(c, seq, frame, size) {
    const p = c.position
    if (c.dry) return
    if (!(seq <= c.expected)) throw hole() // also before hello, and before the snapshot that was announced
    const isNew = seq > p.received // or it came on an earlier connection, and waits or is handled
    if (isNew && !this._handing.room()) return void (c.dry = true)
    if (seq == c.expected) c.seen = c.expected++
    if (isNew) {
      p.received = seq
      this.#stats.head = Math.max(this.#stats.head, seq)
      const passes = !frame.topic_seq || this._topics.judge(frame)
      if (!passes) this.#stats.topicRepeats++
      else if (!c.live) this.#report.replayed++
      this._handing.push({ kind: passes ? "frame" : "skip", epoch: p.epoch, seq, size, detail: frame, position: p })
      if (passes) this._topics.passed(frame)
    } else this.#stats.duplicates++
  }

  // #live ends the catching up, and reports on it behind its frames.
  #live(c) {
    const { resume: mode, head } = c.hello
    const report = this.#report
    c.live = now()
    this.#stats.replayed += report.replayed
    this.#stats.lost += report.lost ?? 0
    const detail = { mode, missed: Math.max(0, head - this.#start), offlineMs: this.#since && c.live - this.#since, ...report }
    if (!c.quiet) this._handing.push({ kind: "resume", detail })
    if (!c.dead && this.#state.name != "live") this.#set("live")
  }

  #refused(c, m) {
    const { topic, code, message, retry_after_ms = 0 } = m
    if (this._sends.answered(m, now())) return
    if (topic && (code == "snapshot_unavailable" ? this._topics.snapshot({ topic }) : this._topics.refused(m, now()))) return
    c.refused = m
    c.after = Math.max(c.after, retry_after_ms)
    this._report(failure(code, message, { topic }))
    if (code == "snapshot_unavailable" && c.awaited) this.#rebase(c)
  }

  // --- what is written

  #flush() {
    const c = this._connection
    if (!c?.hello) return
    // What the outbox held at hello is older than any answer about a topic.
    for (const message of [...(c.live ? this._topics.due(now()) : []), ...this._sends.due(c, c.hello.max_frame_bytes ?? 65536, now())]) c.link.send(JSON.stringify(message))
  }

  // _applied takes note of what has been handed over.
  _applied({ kind, position, seq, size }) {
    if (kind == "frame") this.#stats.frames++
    position.apply(seq, size, now()) ? this._ack() : this.#ackDue()
  }

  #ackDue() {
    const { since } = this.#position ?? {}
    if (since && now() - since >= this._connection?.gap) this._ack()
  }

  // _ack acks what has been applied and not acked (P-12).
  _ack() {
    const c = this._connection
    const seq = c?.expected && c.position.ack(c.seen)
    if (!seq) return
    this.#stats.acked = seq
    c.link.send(`{"type":"ack","seq":${seq}}`)
  }
}

// hole is what starts over (P-10): a frame, or what must come before it, is missing.
const hole = () => failure("hole", undefined, { over: "hole" })
