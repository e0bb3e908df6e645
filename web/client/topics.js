import { again, failure, formatCursor, isPattern, isTopic, parseCursor, retried } from "./wire.js"

// Topics are what the client subscribes to, and where it stands in each topic's log (P-19, P-32). Everything here is judged when it is received, in the order of
// the outbox: what comes again on another connection is dropped before it gets here.
export class Topics {
  // A subscription: since and history are how it is asked for until it is settled, from then on with the place in the topic. leaving: it ends when the broker has heard of
  // it. anew: it is ended before it is asked for again. asking: the type of the message under way, one at a time since answers carry no id. asked: the broker has heard of it
  // on this connection. sent: the since that went with it. awaited: where it begins if its snapshot does not come.
  #subscriptions = new Map()
  // A place: the last frame, seq, undefined as long as it is not known, and its epoch, "" as long as only frames have told of the topic. hold drops frames: they come again.
  // named: there is, or was, a subscription to that very name.
  #places = new Map()
  #queue
  #stats
  #backoff

  // queue puts what there is to tell behind the frames that came before it; stats counts.
  constructor(queue, stats, backoff) {
    this.#queue = queue
    this.#stats = stats
    this.#backoff = backoff
  }

  // --- what the application wants

  #wait(topic, change, left) {
    let s = this.#subscriptions.get(topic)
    if (!s) {
      s = { topic, waiting: [], leavers: [] }
      this.#subscriptions.set(topic, s)
    }
    Object.assign(s, change)
    return new Promise((resolve, reject) => (left ? s.leavers : s.waiting).push({ resolve, reject }))
  }

  // #tell answers those who wait, of either kind.
  #tell(waiting, error, answer) {
    for (const { resolve, reject } of waiting.splice(0)) error ? reject(error) : resolve(answer)
  }

  subscribe(topic, { since, history } = {}) {
    const cursor = since && parseCursor(since)
    if (!isTopic(topic) || (cursor && history >= 0) || ((cursor || history >= 0) && isPattern(topic))) throw bad(topic)
    const s = this.#subscriptions.get(topic)
    if (s && !s.leaving) return this.#wait(topic, { asked: s.asking }) // the broker says again what it holds
    // A page that asks for history has nothing, whatever an earlier page has left.
    const anew = !!s || history >= 0
    if (anew) this.#place(topic, { hold: true, ...cursor })
    else if (cursor && !this.#places.has(topic)) {
      this.#place(topic, cursor)
      this.#queue({ kind: "place", topic, cursor })
    }
    return this.#wait(topic, { since: cursor, history, anew, leaving: false, settled: false })
  }

  unsubscribe(topic) {
    if (!isTopic(topic)) throw bad(topic)
    const s = this.#subscriptions.get(topic)
    if (s) this.#tell(s.waiting, over(topic))
    return this.#wait(topic, { leaving: true, awaited: undefined, after: 0 }, true)
  }

  // restart begins those anew that began with a history, since the page discards what it has.
  restart() {
    for (const s of this.#subscriptions.values()) if (s.history >= 0) this.#renew(s, { settled: false })
  }

  #renew(s, change) {
    this.#place(s.topic, { hold: true })
    Object.assign(s, { anew: true }, change)
  }

  // abandon rejects the promises of those who wait.
  abandon(error) {
    for (const { waiting, leavers } of this.#subscriptions.values()) {
      this.#tell(waiting, error)
      this.#tell(leavers, error)
    }
  }

  // --- what is written

  // due returns the messages that are to be written now.
  due(now) {
    return [...this.#subscriptions.values()].flatMap((s) => {
      const { topic } = s
      const leaves = s.leaving || s.anew
      if (s.asking || (s.asked && !leaves) || s.after > now) return []
      const p = this.#places.get(topic)
      s.sent = leaves ? undefined : s.settled ? p?.epoch && p.seq >= 0 && p : s.since
      s.sent &&= { ...s.sent }
      s.asking = leaves ? "unsubscribe" : "subscribe"
      s.asked = true
      return { type: s.asking, topic, since: s.sent ? formatCursor(s.sent) : undefined, history: leaves || s.settled ? undefined : s.history }
    })
  }

  // lost takes note of the end of a connection. Where nobody knows whether the broker has begun a subscription, or its snapshot was on the way, it is made anew.
  lost() {
    for (const s of this.#subscriptions.values()) {
      const unheard = s.asking == "subscribe" && !s.settled && (s.since || s.history >= 0)
      if (unheard || s.awaited) this.#renew(s)
      s.asking = s.asked = s.awaited = undefined
    }
  }

  // --- what the broker answers

  subscribed(answer) {
    const { topic, epoch, resume, reason, floor, head, snapshot, closed } = answer
    const s = this.#subscriptions.get(topic)
    if (s?.asking != "subscribe") return
    const { sent, settled, history } = s
    s.asking = undefined
    s.tries = 0
    if (s.leaving) return
    const p = this.#places.get(topic)
    const other = p?.epoch ? p.epoch != epoch : p?.seq > head // another life than the one that frames have told of
    // Somebody else has subscribed the client again in another life of the topic, whose frames were not known for what they are.
    if (resume == "up_to_date" && other && p.epoch && !p.hold) return this.#renew(s)
    s.settled = !snapshot
    this.#tell(s.waiting, undefined, answer)
    if (isPattern(topic)) return
    // begin is where the frames begin: after the cursor where that goes on, at the floor where all of the log comes, at the head where none of it does, and where
    // they stand already, by a pattern perhaps, where the broker has that place as well.
    const begin = { epoch, reason, seq: floor, closedAt: closed && head }
    const at = other ? undefined : p?.seq
    if (resume == "replay") begin.seq = Math.max(at ?? 0, sent.seq)
    else if (resume == "fresh" && sent) Object.assign(begin, { seq: head, reason: resume })
    else if (resume == "fresh" && !settled && history >= 0) begin.seq = Math.max(floor, head - history)
    else if (resume != "too_old") {
      begin.seq = at ?? (resume == "fresh" ? head : p?.hold ? floor : at)
      if (other) begin.reason = "epoch"
    }
    if (snapshot) s.awaited = begin
    else this.#begin(topic, begin)
  }

  // snapshot takes a topic's snapshot, or, with no data, that there is none after all; false if none was announced. One that another connection of the same client
  // has asked for begins the topic here too.
  snapshot({ topic, as_of, data }) {
    const s = this.#subscriptions.get(topic)
    const awaited = s?.awaited
    if (!awaited && (data === undefined || (s && (!s.settled || s.anew || s.leaving)))) return false
    if (s) Object.assign(s, { settled: true, awaited: undefined })
    const epoch = this.#places.get(topic)?.epoch ?? ""
    this.#begin(topic, data === undefined ? awaited : { epoch, ...awaited, seq: as_of, data })
    return true
  }

  #begin(topic, { epoch, seq, reason, data, closedAt }) {
    const cursor = { epoch, seq }
    this.#place(topic, { ...cursor, hold: false })
    const snapshot = data !== undefined
    if (reason) this.#queue({ kind: "topic_reset", topic, cursor, detail: { topic, reason, snapshot, ...(seq >= 0 && { cursor: formatCursor(cursor) }) } })
    if (snapshot) this.#queue({ kind: "snapshot", topic, cursor, detail: { topic, asOf: seq, data } })
    if (!reason && !snapshot) this.#queue({ kind: "place", topic, cursor })
    if (closedAt <= seq) this.#closed(topic)
  }

  unsubscribed(topic) {
    const s = this.#subscriptions.get(topic)
    if (!s) return this.#forget(topic)
    if (s.asking == "unsubscribe") {
      s.asking = s.asked = s.anew = undefined
      this.#tell(s.leavers)
      if (s.leaving) {
        this.#subscriptions.delete(topic)
        this.#forget(topic)
      }
    } else if (!s.asking && (s.settled || s.awaited) && !s.leaving && !s.anew) {
      this.#end(s, { topic, closed: false })
    }
  }

  // #end is an end that the page had not asked for.
  #end(s, detail) {
    const { topic } = s
    this.#tell(s.waiting, over(topic))
    this.#subscriptions.delete(topic)
    this.#forget(topic)
    if (detail) this.#queue({ kind: "unsubscribed", detail })
  }

  #closed(topic) {
    const s = this.#subscriptions.get(topic)
    if (s && !s.leaving) this.#end(s, { topic, closed: true })
  }

  // refused takes an error with a topic; false if it answers nothing that was asked.
  refused({ topic, code, message, retry_after_ms }, now) {
    const s = this.#subscriptions.get(topic)
    if (!s?.asking) return false
    const was = s.asking
    s.asking = undefined
    if (s.leaving && was == "subscribe") return true // the end is asked for next
    if (retried(code)) {
      s.asked = undefined
      again(s, now, this.#backoff, retry_after_ms)
    } else {
      const error = failure(code, message, { topic })
      const told = s.waiting.length || s.leaving
      this.#tell(s.waiting, error)
      this.#tell(s.leavers, error)
      this.#end(s, told ? undefined : { topic, closed: false, error })
    }
    return true
  }

  // --- where it stands

  #place(topic, change) {
    const p = this.#places.get(topic) ?? { epoch: "" }
    this.#places.set(topic, Object.assign(p, { named: true }, change))
  }

  // #forget forgets a topic, or with a pattern every topic without a name: which of them it matched is not asked, and their count begins anew with their next frame.
  #forget(topic) {
    this.#places.delete(topic)
    if (isPattern(topic)) this.#unname()
  }

  #unname() {
    for (const [name, p] of this.#places) if (!p.named) this.#places.delete(name)
  }

  // judge holds a frame to its topic's count, and says whether it is to be handed over. In a topic whose epoch nobody has told, what is not above the last frame
  // is of another life of it; where the epoch is known, its change is announced.
  judge({ topic, topic_seq: seq }) {
    let p = this.#places.get(topic)
    if (!p) {
      if (this.#places.size > 10_000) this.#unname()
      this.#places.set(topic, (p = { epoch: "" }))
    }
    if (p.hold) return false
    const before = p.seq ?? seq - 1
    if (seq <= before) {
      if (p.epoch) return false
      this.#queue({ kind: "topic_reset", topic, cursor: { epoch: "", seq: seq - 1 }, detail: { topic, reason: "epoch", snapshot: false } })
    } else if (seq > before + 1) {
      this.#stats.topicHoles += seq - 1 - before
      this.#queue({ kind: "topic_hole", detail: { topic, from: before + 1, to: seq - 1 } })
    }
    p.seq = seq
    return true
  }

  // passed is told of a frame that is queued: a topic's last one ends its subscription behind it.
  passed({ topic, type }) {
    if (type != "topic_closed") return
    if (this.#subscriptions.has(topic)) this.#closed(topic)
    else this.#places.delete(topic)
  }

  // rebased takes note that the outbox is read from another place on. After `pruned` the same frames go on further up; else they come again: those of a topic whose epoch is known
  // are told as repeats, and of others nothing tells whether they are still the same.
  rebased(reason) {
    if (reason == "pruned") return
    this.#unname()
    for (const p of this.#places.values()) if (!p.epoch) p.seq = undefined
  }
}

const bad = (topic) => failure("bad_request", `${topic} cannot be subscribed to`, { topic })
const over = (topic) => failure("unsubscribed", undefined, { topic })
