import { Topics } from "./chaos_topics.js"

const bound = 60 // frames that the outbox retains
const window = 60_000 // how long a place is kept, in milliseconds

// Broker is one that keeps the rules (P-6 to P-11, P-15, P-18) and has the worst of luck. It has one client, whose frames it all remembers, and some to whom that one sends.
// Nothing is written by itself: step writes one message, on some connection.
export class Broker {
  life = 1
  // every frame of every life, by `epoch:seq`
  truth = new Map()
  frames = [] // what is retained, and all before it, in this life; undefined where a snapshot has been taken over from another life
  floor = 0
  attached = []
  places = []
  targets = new Map()
  faults = []
  // begins is where connections have begun without a cursor that goes on
  begins = []
  published = 0
  calm = false

  // applied says how far the page is, as a cursor.
  constructor(dice, net, clock, applied) {
    Object.assign(this, { dice, net, clock, applied })
    this.topics = new Topics(this)
    net.wrote = (socket, m) => m.type == "ack" && this.#check(socket, m.seq)
  }

  get epoch() { return `E${this.life}` }

  get head() { return this.frames.length }

  fault(text) {
    this.net.log(`fault: ${text}`)
    this.faults.push(text)
  }

  // --- the outbox

  append(body) {
    this.frames.push(body)
    this.truth.set(`${this.epoch}:${this.head}`, body)
    if (this.head - this.floor > bound) this.#prune(this.head - bound, true)
  }

  publish() { this.append({ type: "t", n: ++this.published }) }

  #prune(floor, lossy) {
    for (; this.floor < floor; this.floor++) if (lossy) this.topics.excuse(this.frames[this.floor])
    for (const a of [...this.attached]) if (a.at < this.floor && !a.awaiting) this.end(a, 4001)
  }

  #least() {
    const marks = [...this.attached, ...this.places].map(({ ack }) => ack)
    if (marks.length) this.#prune(Math.min(...marks), false)
  }

  // crash begins a new life of the outbox, with what was retained or without.
  crash() {
    // Where frames of a topic's earlier life were read again, nothing would tell them from those of its life now.
    const kept = this.frames.slice(this.floor).filter((body) => !this.topics.old(body))
    for (const a of [...this.attached]) this.end(a, 4003)
    this.life++
    this.places = []
    this.frames = []
    this.floor = 0
    if (this.dice.in(2)) kept.forEach((body) => this.append(body))
    else kept.forEach((body) => this.topics.excuse(body))
  }

  // reap forgets the client, which has no connection.
  reap() {
    if (this.attached.length) return
    this.frames.slice(this.floor).forEach((body) => this.topics.excuse(body))
    this.life++
    this.places = []
    this.frames = []
    this.floor = 0
    this.topics.reap()
  }

  // --- connections

  // greet takes in whoever has come.
  greet() {
    for (const socket of this.net.take()) {
      const { dice } = this
      if (!this.calm && dice.in(12)) socket.end(1006)
      else if (!this.calm && dice.in(30)) this.#refuse(socket)
      else this.#attach(socket)
    }
  }

  #refuse(socket) {
    const code = this.dice.one([4002, 4004, 4401])
    if (code == 4002) socket.say({ type: "goaway", retry_after_ms: this.dice.below(5000) })
    if (code == 4004) socket.say({ type: "error", code: "overloaded", message: "", retry_after_ms: this.dice.below(5000) })
    socket.end(code)
  }

  #attach(socket) {
    const { head, floor, epoch } = this
    const [of, s] = (socket.query.since ?? "").split(":")
    const S = +s
    const snapshot = this.dice.in(3)
    const hello = { epoch, floor, head }
    if (!of) Object.assign(hello, { resume: "fresh", missed: head, lost: snapshot ? 0 : floor, snapshot })
    else if (of != epoch) Object.assign(hello, { resume: "too_old", reason: "epoch", missed: undefined, lost: undefined, snapshot })
    else if (S > head) Object.assign(hello, { resume: "too_old", reason: "ahead", missed: undefined, lost: undefined, snapshot })
    else if (S == head) Object.assign(hello, { resume: "up_to_date" })
    else if (S >= floor) Object.assign(hello, { resume: "replay", missed: head - S })
    else Object.assign(hello, { resume: "too_old", reason: "pruned", missed: head - S, lost: snapshot ? 0 : floor - S, snapshot })
    if (of == epoch && S > this.applied(epoch)) this.fault(`an attach at ${S} with ${this.applied(epoch)} applied`)
    const on = hello.resume == "replay" || hello.resume == "up_to_date"
    const at = on ? S : floor
    const a = { socket, epoch, at, ack: at, boundary: head, live: hello.resume == "up_to_date", awaiting: hello.snapshot && floor, inbox: 0, out: [], quick: [] }
    if (socket.query.attach) for (const other of [...this.attached]) this.end(other, 4500, false)
    this.attached.push(a)
    if (!on) this.begins.push({ epoch, seq: floor })
    if (!of) this.began = { epoch, seq: floor }
    socket.hello(hello)
  }

  // end closes a connection, or notes that it has ended, and keeps its place.
  end(a, code, keeps = true) {
    if (!this.attached.includes(a)) return
    this.attached.splice(this.attached.indexOf(a), 1)
    if (keeps && ![1000, 1001].includes(a.socket.closed)) this.places.push({ ack: a.ack, until: this.clock.now + window })
    this.places = this.places.slice(-16)
    a.socket.end(code)
    this.#least()
  }

  // --- what the client says

  // #check holds an ack to what has been sent, and to what the page is through with.
  #check(socket, seq) {
    const a = this.attached.find((each) => each.socket == socket)
    if (seq > a?.at) this.fault(`an ack of ${seq} with ${a.at} sent`)
    if (a && seq > this.applied(a.epoch)) this.fault(`an ack of ${seq} with ${this.applied(a.epoch)} applied`)
  }

  // hear takes the next message of a connection, also if the client has left it: it was on its way.
  hear(a) {
    const m = a.socket.got[a.inbox]
    if (!m) return false
    a.inbox++
    if (a.socket.readyState > 1 && /subscribe/.test(m.type)) return true // what was asked for on a connection that is lost, and did not arrive before
    const { dice } = this
    switch (m.type) {
      case "ack":
        a.ack = Math.max(a.ack, m.seq)
        this.#least()
        break
      case "ping":
        a.quick.push({ type: "pong" })
        break
      case "send":
        this.#send(a, m)
        break
      case "subscribe":
      case "unsubscribe":
        if (!this.calm && dice.in(15)) a.out.push({ message: { type: "error", code: dice.one(["overloaded", "internal", "draining"]), message: "", topic: m.topic, retry_after_ms: dice.below(2000) }, from: 0, to: this.head })
        else if (m.type == "subscribe") this.topics.subscribe(a, m)
        else this.topics.unsubscribe(m.topic)
    }
    return true
  }

  #send(a, { id, to, frame }) {
    const { dice } = this
    if (!this.targets.has(to)) this.targets.set(to, [])
    const log = this.targets.get(to)
    const there = log.findIndex((each) => each.id == id)
    if (frame.final) return void a.quick.push({ type: "error", code: "forbidden", message: "", id })
    if (!this.calm && dice.in(6)) return void a.quick.push({ type: "error", code: dice.one(["overloaded", "rate_limited", "draining", "internal"]), message: "", id, retry_after_ms: dice.in(2) ? dice.below(3000) : undefined })
    if (there < 0) log.push({ id, frame })
    a.quick.push({ type: "receipt", id, status: there < 0 ? "stored" : "duplicate", epoch: "X", seq: there < 0 ? log.length : there + 1 })
  }

  // reply puts a message of the broker's on the way on that connection: behind the frame `from`, and before any behind `to`.
  reply(a, message, from = 0, to = this.head) { a.out.push({ message, from, to }) }

  // --- what the broker writes

  // write writes one message on a connection, and returns false if there is none to write.
  write(a) {
    const { dice } = this
    if (a.quick.length && (dice.in(2) || !this.#more(a))) a.socket.say(a.quick.shift())
    else if (a.awaiting !== false && a.awaiting !== undefined) this.#snapshot(a)
    else if (a.out.length && a.out[0].from <= a.at && (dice.in(2) || a.out[0].to <= a.at || !(a.at < this.head))) a.socket.say(a.out.shift().message)
    else if (a.at < this.head) this.#frame(a)
    else if (!a.live) {
      a.live = true
      a.socket.say({ type: "replay_end", seq: Math.max(a.at, a.boundary) })
    } else return false
    return true
  }

  #more(a) { return a.awaiting || a.out.length || a.at < this.head || !a.live }

  #snapshot(a) {
    const floor = a.awaiting
    a.awaiting = false
    if (this.dice.in(3) || this.floor > floor) {
      a.socket.say({ type: "error", code: "snapshot_unavailable", message: "" })
      if (this.floor > a.at) this.end(a, 4001)
      return
    }
    const asOf = floor + this.dice.below(this.head - floor + 1)
    const data = this.frames.slice(0, asOf).filter((body) => body.n).map(({ n }) => n)
    Object.assign(a, { at: asOf, ack: asOf })
    if (!a.socket.query.since && a.socket.readyState == 1) this.began = { epoch: this.epoch, seq: asOf }
    this.begins.push({ epoch: this.epoch, seq: asOf })
    this.frames.slice(floor, asOf).forEach((body) => this.topics.excuse(body))
    a.socket.say({ type: "snapshot", as_of: asOf, data })
  }

  #frame(a) {
    if (!a.live && a.at >= a.boundary) {
      a.live = true
      return a.socket.say({ type: "replay_end", seq: a.at })
    }
    a.at++
    const text = JSON.stringify(this.frames[a.at - 1])
    a.socket.say(`{"seq":${a.at},${text.slice(1)}`)
  }

  // notice takes note of connections that the client has left, and of places whose time is over.
  notice() {
    for (const a of [...this.attached]) {
      if (a.socket.readyState < 2) continue
      if (this.dice.in(2)) while (this.hear(a));
      this.end(a)
    }
    this.places = this.places.filter(({ until }) => until > this.clock.now)
    this.#least()
  }
}
