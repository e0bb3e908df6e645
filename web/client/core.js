import { Tries } from "./backoff.js"
import { Handing } from "./handing.js"
import { Catchup, Position } from "./position.js"
import { Sends } from "./sends.js"
import { openSocket } from "./socket.js"
import { Topics } from "./topics.js"
import { failure, formatCursor, isClientId, isEpoch, parseCursor, read, retryAfter, stops } from "./wire.js"

export { RestanteError } from "./wire.js"

// Times in milliseconds. handshake: from the first byte to hello; probe: until a socket that is doubted must give a sign of life; tick: how often is looked at what has no
// timer of its own; asleep: a tick that is so late has slept.
const handshake = 10_000
const probe = 3_000
const tick = 5_000
const asleep = 15_000

// gone is our own close code for a connection that comes back: its place is kept (P-11), which a close with 1000 would give up.
const gone = 3001

// monotonic, since clocks are set
const now = () => performance.now()

const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID()
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("")
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})/, "$1-$2-4$3-a$4-")
}

export class Restante extends EventTarget {
  #url
  #options
  #id = ""
  #state = { name: "connecting" }
  #stats = { frames: 0, duplicates: 0, topicRepeats: 0, topicHoles: 0, attaches: 0, resets: 0, replayed: 0, lost: 0, acked: 0, floor: 0, head: 0, transport: "" }
  #handing
  #sends
  #topics
  #tries
  // position is where what is received stands, over why the next attach goes without it.
  #position
  #over
  #catchup = new Catchup(0, 0)
  // connection is the attach that counts; standby one that takes its place at its hello.
  #connection
  #standby
  #attempt = 0
  #timers = {}
  #listeners = []
  // earliest is when the broker lets us come back.
  #earliest = 0
  #lastTick = 0
  #token

  constructor(url, options = {}) {
    super()
    this.#url = String(url).replace(/^ws/, "http").replace(/\/+$/, "")
    if (!/^https?:\/\//.test(this.#url)) throw failure("bad_request", `${url} is no address of a broker: it begins with http:// or https://`)
    const { clientId = "", since, queueFrames = 10_000, queueBytes = 4 << 20 } = options
    if (typeof clientId == "string" && clientId && !isClientId(clientId)) throw failure("bad_request", `${clientId} cannot be a client_id`)
    if (since !== undefined) {
      if (!clientId) throw failure("bad_request", "a cursor needs the clientId that it belongs to")
      const { epoch, seq } = parseCursor(since)
      this.#position = new Position(epoch, seq)
      this.#catchup = new Catchup(seq, 0)
    }
    this.#options = options
    this.#tries = new Tries(options.backoff)
    this.#handing = new Handing(this, options.onFrame, since && { epoch: this.#position.epoch, seq: this.#position.applied }, {
      frames: queueFrames,
      bytes: queueBytes,
      stats: this.#stats,
      applied: (item) => this.#applied(item),
      drained: () => this.#connection?.dry && this.#replace(),
      failed: (error) => this.#report(error),
    })
    this.#topics = new Topics(options.backoff, (item) => this.#handing.push(item), this.#stats)
    this.#sends = new Sends(
      options.backoff,
      (end) => this.#tell("sent", end),
      (cause) => this.#report(failure("storage", "what was sent could not be kept, or read again", { cause })),
    )
    this.#begin(clientId)
  }

  get state() { return this.#state }
  get clientId() { return this.#id }
  get cursor() { return this.#handing.cursor }
  get stats() { return { ...this.#stats } }
  get pending() { return this.#sends.pending }

  send(to, frame) {
    const problem = !isClientId(to) ? "cannot be a client_id" : typeof frame?.type != "string" ? "is sent a frame without a type" : this.#state.name == "stopped" && "is sent nothing by a client that is stopped"
    const sent = problem
      ? Promise.reject(failure(this.#state.name == "stopped" ? "closed" : "bad_request", `${to} ${problem}`))
      : this.#sends.add({ id: uuid(), to, frame: JSON.parse(JSON.stringify(frame)), at: Date.now() })
    sent.catch(() => {}) // who does not listen has the event
    this.#flush()
    return sent
  }

  async subscribe(topic, options) {
    this.#open()
    const answer = this.#topics.subscribe(topic, options)
    this.#flush()
    return answer
  }

  async unsubscribe(topic) {
    this.#open()
    const answer = this.#topics.unsubscribe(topic)
    this.#flush()
    await answer
  }

  #open() {
    if (this.#state.name == "stopped") throw failure("closed", "the client is stopped")
  }

  topicCursor(topic) { return this.#handing.topicCursor(topic) }

  restart() {
    this.#over = "restart"
    this.#end(this.#connection, 1000)
    this.#end(this.#standby, gone)
    this.#handing.clear()
    this.#topics.restart()
    this.#earliest = 0
    this.#tries.count = 1
    if (this.#listeners.length) this.#connect()
    else this.#begin(this.#id || this.#options.clientId)
  }

  async close() {
    this.#ack()
    const ended = this.#end(this.#connection, 1000)
    this.#stop({ name: "stopped", code: 1000 })
    this.#forget()
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1000))])
  }

  [Symbol.asyncIterator]() { return this.#handing.iterate() }

  // --- beginning and end

  #begin(clientId) {
    this.#handing.open()
    this.#listen()
    this.#tries.count = 1 // the try that is made at once
    this.#lastTick = now()
    this.#timers.tick = setInterval(() => this.#tick(), tick)
    Promise.resolve(clientId).then(
      (id) => {
        this.#known(id)
        if (this.#listeners.length) this.#connect()
      },
      (cause) => this.#stop({ name: "stopped", code: 0, error: failure("bad_request", "there is no client_id", { cause }) }),
    )
  }

  #known(id) {
    if (!id || this.#id) return
    this.#id = id
    let { storage } = this.#options
    try {
      if (storage === undefined) storage = globalThis.sessionStorage
    } catch {} // a browser that allows none: then there is none
    this.#sends.open(storage, id)
  }

  #listen() {
    const on = (target, type, listener) => {
      target?.addEventListener?.(type, listener)
      this.#listeners.push(() => target?.removeEventListener?.(type, listener))
    }
    const page = globalThis.document
    const wake = () => this.#wake()
    on(globalThis, "online", wake)
    on(globalThis, "offline", wake)
    on(page, "resume", wake)
    on(page, "freeze", () => this.#ack())
    on(page, "visibilitychange", () => (page.visibilityState == "hidden" ? this.#ack() : this.#wake()))
    on(globalThis, "pageshow", ({ persisted }) => persisted && this.#wake())
    on(globalThis, "pagehide", ({ persisted }) => {
      this.#ack()
      if (this.#state.name == "stopped") return
      // A page with an open socket is not kept in the back-forward cache.
      this.#end(this.#connection, persisted ? gone : 1000)
      this.#offline({ code: 0 })
    })
  }

  // #forget ends what is not the connection.
  #forget() {
    for (const off of this.#listeners.splice(0)) off()
    for (const name in this.#timers) clearTimeout(this.#timers[name])
    this.#attempt++
    this.#end(this.#standby, gone)
  }

  #stop(state) {
    this.#forget()
    const error = state.error ?? failure("closed", "the client is closed")
    this.#sends.abandon(error)
    this.#topics.abandon(error)
    this.#handing.close(state.code == 4504, state.code == 1000 ? undefined : error)
    this.#set(state)
  }

  // --- telling

  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })) }

  #report(error) { this.#tell("error", error) }

  #set(state) {
    this.#state = state
    this.#tell(state.name, state)
    this.#tell("state", state)
  }

  #timer(name, ms, call) {
    clearTimeout(this.#timers[name])
    this.#timers[name] = ms >= 0 ? setTimeout(call, ms) : 0
  }

  // --- coming back

  // #connect attaches now. What it was waiting for does not count any more.
  async #connect() {
    const attempt = ++this.#attempt
    this.#timer("retry", -1)
    this.#set({ name: "connecting" })
    try {
      const connection = await this.#attach(() => attempt == this.#attempt)
      if (!connection) return
      this.#connection = connection
      this.#start(connection)
    } catch (cause) {
      if (attempt != this.#attempt) return
      this.#report(failure("token", "there is no token", { cause }))
      this.#offline({ code: 0 })
      this.#retry(0)
    }
  }

  // #attach gets a token and makes what one attach needs to know; nothing if it is not wanted any more by then.
  async #attach(wanted) {
    const began = now()
    const token = await this.#credential()
    if (!wanted()) return
    const p = this.#over ? undefined : this.#position
    return { began, token, position: p, since: p && { epoch: p.epoch, seq: p.applied }, over: this.#over, heard: now(), seen: 0, next: 0, last: 0, after: 0, name: {} }
  }

  #start(c) {
    const { takeover, ping, WebSocket } = this.#options
    this.#stats.attaches++
    c.deadline = setTimeout(() => this.#drop(c), handshake)
    const on = {
      message: (text) => this.#message(c, text),
      alive: () => (c.heard = now()),
      close: (end) => this.#closed(c, end),
    }
    try {
      c.link = this._open({ url: this.#url, clientId: this.#id, since: c.since && formatCursor(c.since), takeover, ping, token: c.token, WebSocket }, on, c.quiet)
    } catch (cause) {
      this.#report(failure("offline", "no connection can be opened here", { cause }))
      on.close({ code: 0 })
    }
  }

  // _open is the transport, see socket.js. standby says that it is to take the place of a connection that lives.
  _open(params, on, standby) { return openSocket(params, on) }

  // _attached is told whether a link has come to a hello.
  _attached(name, greeted) {}

  async #credential() {
    const { token } = this.#options
    const got = typeof token == "function" ? (this.#token ?? (await token())) : (token ?? "")
    this.#token = undefined
    const { token: text, expiresAt = expiry(text) } = got?.token === undefined ? { token: got } : got
    const left = expiresAt - Date.now()
    // In time for the next one to be there before this one ends; a callback that is far away is asked for it half a minute earlier.
    this.#timer("token", typeof token == "function" && left > 0 ? Math.min(left - Math.min(left / 5, 30_000), 2 ** 31 - 1) : -1, () => this.#renew())
    return text
  }

  // #renew attaches with a new token beside the connection, and then leaves that.
  async #renew() {
    try {
      this.#token = await this.#options.token()
    } catch (cause) {
      return this.#report(failure("token", "there is no new token", { cause }))
    }
    this._change()
  }

  // _change attaches anew beside the connection, which is left when the other has come to its hello, so that nothing is seen of it.
  async _change() {
    const before = this.#connection
    const wanted = () => before?.live && !before.dead && !this.#standby
    if (!wanted()) return
    try {
      const c = await this.#attach(wanted)
      if (!c) return
      c.quiet = true
      this.#standby = c
      this.#start(c)
    } catch (cause) {
      this.#report(failure("token", "there is no token", { cause }))
    }
  }

  // #replace leaves a connection whose frames have found no room, so that the next one brings them. It is our own doing, and counts as no failure.
  #replace() {
    this.#end(this.#connection, gone)
    this.#tries.count = 0
    this.#offline({ code: 0 })
    this.#retry(0)
  }

  // #end leaves a connection: nothing that it says is heard any more (P-22).
  #end(c, code) {
    if (!c || c.dead) return
    c.dead = true
    clearTimeout(c.deadline)
    if (c == this.#standby) this.#standby = undefined
    if (c == this.#connection) {
      this.#connection = undefined
      this.#topics.lost()
      if (c.live) this.#catchup = new Catchup(this.#position.received, now())
      this.#tries.ended(c.live ? now() - c.live : 0)
    }
    return c.link?.close(code)
  }

  // #drop gives up a connection that gives no sign of life.
  #drop(c) {
    if (c.dead) return
    const standby = c == this.#standby
    this.#end(c, gone)
    this._attached(c.link?.name, !!c.hello)
    if (standby) return
    this.#offline({ code: 4000 })
    this.#retry(0)
  }

  #closed(c, { code, after = 0 }) {
    if (c.dead) return
    const standby = c == this.#standby
    this.#end(c, 1000)
    this._attached(c.link?.name, !!c.hello)
    if (standby) return
    if (stops(code)) {
      if (code == 4501 && c.since && c.refused?.code == "bad_cursor") {
        this.#over = "bad_cursor"
        this.#tries.count = 0
      } else {
        if (code == 4504) this.#position = undefined
        const { code: name = "stopped", message = `the broker has closed the connection with ${code}` } = c.refused ?? {}
        return this.#stop({ name: "stopped", code, error: failure(name, message) })
      }
    }
    this.#offline({ code })
    this.#retry(Math.max(c.after, after))
  }

  #offline({ code }) {
    this.#attempt++
    if (this.#state.name != "offline") this.#set({ name: "offline", code })
  }

  // #retry comes back when both the backoff and what the broker has asked for have passed.
  #retry(after) {
    this.#earliest = now() + after
    const ms = Math.max(after, this.#tries.next())
    if (ms > 0) this.#set({ name: "waiting", ms: Math.round(ms) })
    this.#timer("retry", ms, () => this.#connect())
  }

  // #wake is called when the network or the page has come back. A connection is not made anew for that, but doubted.
  #wake() {
    const { name } = this.#state
    const c = this.#connection
    if (name == "stopped") return
    if (c) return c.hello ? this.#probe(c) : now() - c.began > probe && this.#drop(c)
    const left = this.#earliest - now()
    if (name == "connecting") return // a token is being fetched
    if (left <= 0) this.#connect()
    else this.#timer("retry", left, () => this.#connect())
  }

  #probe(c) {
    if (c.probing) return
    c.probing = now()
    c.link.ping()
    setTimeout(() => {
      const lives = c.heard >= c.probing
      c.probing = 0
      if (!lives) this.#drop(c)
    }, probe)
  }

  #tick() {
    const at = now()
    const late = at - this.#lastTick > asleep
    this.#lastTick = at
    const c = this.#connection
    if (late) this.#wake()
    else if (c?.hello && c.silence && at - c.heard > c.silence) this.#probe(c)
    this.#flush() // with what has become too old
  }

  // --- what the broker says

  #message(c, text) {
    if (c.dead) return
    try {
      const { seq, message } = read(text)
      if (c == this.#standby) {
        if (message.type != "hello") return
        const before = this.#connection
        this.#standby = undefined
        this.#end(before, gone)
        this.#connection = c
      }
      if (seq) this.#frame(c, seq, message, text.length)
      else if (!c.hello && message.type == "hello") this.#hello(c, message)
      else this.#broker(c, message)
    } catch (error) {
      if (error.over) this.#over = error.over
      else this.#report(error)
      this.#end(c, error.over ? 1000 : gone)
      this.#offline({ code: 0 })
      this.#retry(0)
    }
  }

  #hello(c, h) {
    const { client_id: id, epoch, resume, floor, head, missed, lost } = h
    if (!isClientId(id) || (this.#id && this.#id != id) || !isEpoch(epoch) || !(floor >= 0 && floor <= head && head <= Number.MAX_SAFE_INTEGER)) {
      throw failure("bad_frame", "the server's hello cannot be")
    }
    clearTimeout(c.deadline)
    c.hello = h
    c.silence = (h.ping_interval_ms > 0 && h.pong_timeout_ms > 0 && h.ping_interval_ms + h.pong_timeout_ms) || 0
    c.gap = Math.min(tick, h.ack_interval_ms || tick)
    Object.assign(this.#stats, { floor, head, transport: c.link?.name ?? "" })
    this.#known(id)
    this._attached(c.link?.name, true)
    if (!c.quiet) this.#set({ name: "catching_up" })
    if (resume == "replay" || resume == "up_to_date") {
      const { since } = c
      if (!since || (since.epoch && since.epoch != epoch) || since.seq > head || (resume == "up_to_date" && since.seq != head)) throw hole()
      if (!c.position.epoch) {
        c.position.epoch = epoch
        this.#handing.adopt(epoch)
      }
      this.#from(c, c.position, since.seq)
      if (resume == "up_to_date") this.#live(c)
    } else {
      const reason = resume == "too_old" ? h.reason : (c.over ?? (c.since && "fresh"))
      c.awaited = { epoch, seq: floor, reason, mode: resume, lost: reason && (lost == null || (resume == "fresh" && floor > 0)) ? null : (lost ?? 0) }
      if (!h.snapshot) this.#rebase(c)
    }
    this.#flush()
  }

  // #rebase begins at the floor, or at the snapshot that has come (P-9). Reset and snapshot go together, so that the cursor is never at A without it.
  #rebase(c, snapshot) {
    const { epoch, seq, reason, mode, lost } = c.awaited
    c.awaited = undefined
    this.#over = undefined
    c.quiet = false
    const cursor = { epoch, seq: snapshot ? snapshot.as_of : seq }
    this.#position = new Position(epoch, cursor.seq)
    this.#catchup.rebase(mode, reason, snapshot ? 0 : lost, !!snapshot)
    if (reason) this.#stats.resets++
    this.#topics.rebased(reason)
    this.#handing.push({ kind: "reset", cursor, detail: reason && { reason, cursor: formatCursor(cursor), snapshot: !!snapshot } })
    if (snapshot) this.#handing.push({ kind: "snapshot", cursor, detail: { asOf: snapshot.as_of, data: snapshot.data } })
    this.#from(c, this.#position, cursor.seq)
  }

  // #from is where a connection's frames and acks begin (P-11).
  #from(c, position, seq) {
    c.position = position
    c.seen = seq
    c.next = seq + 1
    if (position.since && now() - position.since >= c.gap) this.#ack()
  }

  #frame(c, seq, frame, size) {
    if (!c.hello) throw failure("bad_frame", "the server sent a frame before its hello")
    if (c.dry) return
    if (c.awaited || seq > c.next) throw hole()
    if (seq < c.next) return void this.#stats.duplicates++
    const p = c.position
    if (seq > p.received && !this.#handing.room()) {
      c.dry = true
      return
    }
    c.next++
    c.seen = seq
    if (seq <= p.received) return void this.#stats.duplicates++ // it came on an earlier connection, and waits or is handled
    p.received = seq
    this.#stats.head = Math.max(this.#stats.head, seq)
    const passes = !(frame.topic && frame.topic_seq) || this.#topics.judge(frame)
    if (passes && !c.live) this.#catchup.replayed++
    if (!passes) this.#stats.topicRepeats++
    this.#handing.push({ kind: passes ? "frame" : "skip", position: p, seq, size, detail: frame })
    if (passes && frame.topic) this.#topics.passed(frame)
  }

  // #live ends the catching up, and reports on it behind its frames.
  #live(c) {
    c.live = now()
    const report = this.#catchup.report(c.hello, c.live)
    this.#stats.replayed += report.replayed
    this.#stats.lost += report.lost ?? 0
    if (!c.quiet) this.#handing.push({ kind: "resume", detail: report })
    c.quiet = false
    if (this.#state.name != "live") this.#set({ name: "live" })
  }

  #broker(c, m) {
    switch (m.type) {
      case "ping":
        c.link.send('{"type":"pong"}')
        this.#stats.head = Math.max(this.#stats.head, m.head || 0)
        break
      case "goaway":
        c.after = retryAfter(m.retry_after_ms)
        break
      case "replay_end":
        if (!c.hello || c.awaited) throw hole()
        if (c.live || c.dry) break
        if (m.seq >= c.next) throw hole()
        this.#live(c)
        break
      case "snapshot":
        if (c.dry) break
        if (m.topic) this.#topics.snapshot(m)
        else if (c.awaited) {
          if (!(m.as_of >= c.awaited.seq) || m.data === undefined) throw hole()
          this.#rebase(c, m)
        }
        break
      case "subscribed":
        if (!c.dry) this.#topics.subscribed(m)
        break
      case "unsubscribed":
        if (!c.dry) this.#topics.unsubscribed(m.topic)
        break
      case "receipt":
        this.#sends.receipt(m)
        break
      case "error":
        this.#refused(c, m)
    }
    this.#flush()
  }

  #refused(c, m) {
    if (m.id && this.#sends.refused(m, now())) return
    if (m.topic) {
      if (m.code == "snapshot_unavailable" ? this.#topics.unavailable(m.topic) : this.#topics.refused(m, now())) {
        if (m.code == "snapshot_unavailable") this.#report(failure(m.code, m.message, { topic: m.topic }))
        return
      }
    }
    c.refused = m
    c.after = Math.max(c.after, retryAfter(m.retry_after_ms))
    this.#report(failure(m.code, m.message))
    if (m.code == "snapshot_unavailable" && c.awaited) this.#rebase(c)
  }

  // --- what is written

  #flush() {
    const c = this.#connection
    if (!c?.hello || c.dead) return
    const at = now()
    const topics = this.#topics.due(at)
    const sends = this.#sends.due(c.name, c.hello.max_frame_bytes || 65536, at)
    for (const message of [...topics.out, ...sends.out]) c.link.send(JSON.stringify(message))
    const next = Math.min(topics.next || Infinity, sends.next || Infinity)
    this.#timer("again", next < Infinity ? next - at : -1, () => this.#flush())
  }

  #applied({ position, seq, size }) {
    const at = now()
    const due = position.apply(seq, size, at)
    const gap = this.#connection?.gap ?? tick
    if (due || at - position.since >= gap) this.#ack()
    else if (position.since == at) this.#timer("ack", gap, () => this.#ack())
  }

  #ack() {
    const c = this.#connection
    const p = this.#position
    if (!c?.next || c.dead || c.position != p) return
    const seq = p.ack(c.seen)
    if (!seq) return
    this.#stats.acked = seq
    c.link.send(`{"type":"ack","seq":${seq}}`)
  }
}

// hole is what starts over (P-10): a frame, or what must come before it, is missing.
const hole = () => failure("hole", "a frame was missing on the connection", { over: "hole" })

// expiry is the `exp` of a token that is a JWT; undefined for any other.
const expiry = (token) => {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000 || undefined
  } catch {}
}
