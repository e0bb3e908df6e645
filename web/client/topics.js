import { Tries } from "./backoff.js"
import { failure, formatCursor, isEpoch, isPattern, isTopic, matches, parseCursor, retried, retryAfter } from "./wire.js"

// Topics are what the client subscribes to, and where it stands in each topic's log (P-19, P-32). Everything here is judged when it is received, in the order of
// the outbox: what comes again on another connection is dropped before it gets here.
export class Topics {
  #subscriptions = new Map()
  #places = new Map()
  #backoff

  // queue puts what there is to tell behind the frames that came before it; stats counts.
  constructor(backoff, queue, stats) {
    this.#backoff = backoff
    this.queue = queue
    this.stats = stats
  }

  // --- what the application wants

  #subscription(topic, since, history) {
    const tries = new Tries(this.#backoff)
    tries.count = 1
    // anew: what is held is ended before it is asked for. A page that asks for history has nothing, whatever an earlier page has left.
    return { topic, since, history, anew: history >= 0, tries, after: 0, waiting: [], asking: "" }
  }

  #wait(s) {
    const promise = new Promise((resolve, reject) => s.waiting.push({ resolve, reject }))
    promise.catch(() => {}) // who does not listen has the events
    return promise
  }

  #tell(s, error, answer) {
    for (const { resolve, reject } of s.waiting.splice(0)) error ? reject(error) : resolve(answer)
  }

  subscribe(topic, { since, history = -1 } = {}) {
    const exact = since !== undefined || history >= 0
    if (!isTopic(topic) || (exact && isPattern(topic)) || (since !== undefined && history >= 0) || !Number.isSafeInteger(history)) {
      throw failure("bad_request", `this cannot be subscribed to: ${topic}, since and history want the exact name of a topic, and one of them`, { topic })
    }
    const cursor = since && parseCursor(since)
    const s = this.#subscriptions.get(topic)
    if (s && !s.leaving) {
      s.asked = !!s.asking // the broker says again what it holds
      return this.#wait(s)
    }
    const wanted = s?.next ?? this.#subscription(topic, cursor, history)
    if (s) {
      s.next = wanted
    } else {
      this.#subscriptions.set(topic, wanted)
      if (cursor && !this.#places.has(topic)) {
        this.#name(topic, { epoch: cursor.epoch, seq: cursor.seq, begun: true })
        this.queue({ kind: "place", topic, cursor })
      }
      if (wanted.anew) this.#name(topic, { hold: true })
    }
    return this.#wait(wanted)
  }

  unsubscribe(topic) {
    if (!isTopic(topic)) throw failure("bad_request", `${topic} is no topic and no pattern`, { topic })
    let s = this.#subscriptions.get(topic)
    if (!s) this.#subscriptions.set(topic, (s = this.#subscription(topic, undefined, -1)))
    const over = failure("unsubscribed", "the page has unsubscribed", { topic })
    if (s.next) this.#tell(s.next, over)
    s.next = undefined
    if (!s.leaving) {
      this.#tell(s, over)
      s.leaving = true
      s.anew = s.awaited = undefined
      s.after = 0
    }
    return this.#wait(s)
  }

  // --- what is written

  // due returns the messages that are to be written now, and when there will be more; 0 for no such time. One is under way for each topic, since answers carry no id.
  due(now) {
    const out = []
    let next = 0
    for (const s of this.#subscriptions.values()) {
      const leaves = s.leaving || s.anew
      if (s.asking || (s.asked && !leaves)) continue
      if (s.after > now) {
        next = Math.min(next || Infinity, s.after)
        continue
      }
      s.asking = leaves ? "unsubscribe" : "subscribe"
      s.asked = true
      s.sent = undefined
      const message = { type: s.asking, topic: s.topic }
      if (!leaves) {
        const p = this.#places.get(s.topic)
        s.sent = s.settled ? (p?.begun && p.epoch ? { epoch: p.epoch, seq: p.seq } : undefined) : s.since
        if (s.sent) message.since = formatCursor(s.sent)
        else if (!s.settled && s.history >= 0) message.history = s.history
      }
      out.push(message)
    }
    return { out, next }
  }

  // lost takes note of the end of a connection. Where nobody knows whether the broker has begun a subscription, or its snapshot was on the way, it is made anew.
  lost() {
    for (const s of this.#subscriptions.values()) {
      const unheard = s.asking == "subscribe" && !s.settled && (s.since || s.history >= 0)
      if ((unheard || s.awaited) && !s.leaving) s.anew = true
      if (s.anew) this.#name(s.topic, { hold: true })
      s.asking = ""
      s.asked = s.renewed = s.awaited = undefined
    }
  }

  // restart begins those anew that began with a history, since the page discards what it has.
  restart() {
    for (const s of this.#subscriptions.values()) {
      if (s.history < 0 || s.leaving) continue
      s.settled = false
      s.anew = true
      this.#name(s.topic, { hold: true })
    }
  }

  // abandon rejects the promises of those who wait.
  abandon(error) {
    for (const s of this.#subscriptions.values()) {
      this.#tell(s, error)
      if (s.next) this.#tell(s.next, error)
    }
  }

  // --- what the broker answers

  subscribed(m) {
    const s = this.#subscriptions.get(m.topic)
    if (s?.asking != "subscribe") return
    s.asking = ""
    s.tries.count = 1
    if (s.leaving) return
    if (isPattern(m.topic)) return this.#stands(s, m)
    const history = s.settled ? -1 : s.history
    const since = s.sent
    const { epoch, floor, head, resume } = m
    const replays = since && (!since.epoch || since.epoch == epoch) && since.seq <= head
    if (!isEpoch(epoch) || !(floor >= 0 && floor <= head && head <= Number.MAX_SAFE_INTEGER) || (resume == "replay" && !replays)) {
      throw failure("bad_frame", `the server's answer to subscribe ${m.topic} cannot be`)
    }
    if (s.awaited && resume == "up_to_date") return this.#tell(s, undefined, m)
    const begin = { epoch, seq: floor, closedAt: m.closed ? head : 0 }
    const p = this.#places.get(m.topic)
    const live = resume == "fresh" && history < 0 && !since
    if ((live || resume == "up_to_date") && p?.begun) {
      if (!p.epoch || p.epoch == epoch) {
        this.#name(m.topic, { epoch, hold: false })
        this.queue({ kind: "place", topic: m.topic, cursor: { epoch } })
        this.#stands(s, m)
        if (m.closed && p.seq >= head) this.#closed(m.topic)
        return
      }
      // The broker holds it in another epoch than we do: it is ended and made anew with our cursor, which brings the reset and what there is.
      if (!s.renewed) {
        s.anew = s.renewed = true
        this.#name(m.topic, { hold: true })
        return
      }
      Object.assign(begin, { reset: "epoch", loose: true })
    }
    if (resume == "up_to_date") begin.unknown = true
    if (resume == "too_old") begin.reset = m.reason
    if (resume == "replay") Object.assign(begin, { seq: since.seq, keep: s.settled })
    if (resume == "fresh") {
      begin.seq = head
      if (history >= 0) Object.assign(begin, { seq: Math.max(floor, head - history), loose: true })
      if (since) begin.reset = "fresh"
    }
    if (m.snapshot) {
      s.awaited = begin
      this.#tell(s, undefined, m)
    } else {
      this.#stands(s, m)
      this.#begin(m.topic, begin)
    }
  }

  #stands(s, answer) {
    s.settled = true
    this.#tell(s, undefined, answer)
  }

  // snapshot takes a topic's snapshot. One that another connection of the same client has asked for begins the topic here too.
  snapshot({ topic, as_of, data }) {
    const s = this.#subscriptions.get(topic)
    const begin = s?.awaited ?? {}
    if (s && !s.awaited && (!s.settled || s.anew || s.leaving)) return
    if (s) s.settled = true
    if (s?.awaited) s.awaited = undefined
    this.#begin(topic, { ...begin, epoch: begin.epoch ?? this.#places.get(topic)?.epoch ?? "", seq: as_of, loose: false, unknown: false, snapshot: true, data })
  }

  // unavailable goes on without the snapshot that was announced; false if none was.
  unavailable(topic) {
    const s = this.#subscriptions.get(topic)
    const begin = s?.awaited
    if (begin) {
      s.settled = true
      s.awaited = undefined
      this.#begin(topic, begin)
    }
    return !!begin
  }

  #begin(topic, { epoch, seq, reset, snapshot, data, unknown, keep, loose, closedAt }) {
    const p = this.#name(topic, { hold: false })
    if (unknown) {
      p.epoch = epoch
    } else if (keep && p.begun && p.epoch == epoch && p.seq >= seq) {
      p.read = seq // what was asked for again comes a second time
    } else {
      Object.assign(p, { epoch, seq, loose, read: seq, begun: true })
    }
    const cursor = { epoch: p.epoch, seq: p.seq }
    if (reset) this.queue({ kind: "topic_reset", topic, detail: { topic, reason: reset, cursor: epoch && formatCursor(cursor), snapshot: !!snapshot }, cursor })
    if (snapshot) this.queue({ kind: "snapshot", topic, detail: { topic, asOf: seq, data }, cursor })
    if (!reset && !snapshot) this.queue({ kind: "place", topic, cursor: unknown ? { epoch } : cursor })
    if (closedAt && p.seq >= closedAt) this.#closed(topic)
  }

  unsubscribed(topic) {
    const s = this.#subscriptions.get(topic)
    if (!s) return this.#forget(topic)
    if (s.asking == "unsubscribe") {
      s.asking = ""
      if (s.leaving) {
        this.#subscriptions.delete(topic)
        this.#forget(topic)
        if (s.next) this.#subscriptions.set(topic, s.next)
        if (s.next?.anew) this.#name(topic, { hold: true })
        this.#tell(s)
      } else {
        s.asked = s.anew = undefined
        s.tries.count = 1
      }
    } else if (!s.asking && s.settled && !s.leaving && !s.anew) {
      this.#end(s, { topic, closed: false })
    }
  }

  // #end is an end that the page had not asked for.
  #end(s, detail) {
    const { topic } = s
    this.#tell(s, detail.error ?? failure("unsubscribed", "the subscription has ended", { topic }))
    this.#subscriptions.delete(topic)
    this.#forget(topic)
    this.queue({ kind: "unsubscribed", detail })
  }

  #closed(topic) {
    const s = this.#subscriptions.get(topic)
    if (s && !s.leaving) this.#end(s, { topic, closed: true })
  }

  // refused takes an error with a topic; false if it answers nothing that was asked.
  refused(error, now) {
    const s = this.#subscriptions.get(error.topic)
    if (!s?.asking) return false
    const was = s.asking
    s.asking = ""
    if (s.leaving && was == "subscribe") return true // the end is asked for next
    if (retried(error.code)) {
      s.asked = undefined
      s.after = now + Math.max(retryAfter(error.retry_after_ms), s.tries.next())
      return true
    }
    const refusal = failure(error.code, error.message, { topic: s.topic })
    if (s.waiting.length || s.leaving) {
      this.#tell(s, refusal)
      this.#subscriptions.delete(s.topic)
      this.#forget(s.topic)
    } else {
      this.#end(s, { topic: s.topic, closed: false, error: refusal })
    }
    if (s.next) this.#subscriptions.set(s.topic, s.next)
    return true
  }

  // --- where it stands

  #name(topic, change) {
    const p = this.#places.get(topic) ?? { epoch: "", seq: 0, read: 0 }
    this.#places.set(topic, p)
    return Object.assign(p, { named: true }, change)
  }

  #forget(topic) {
    for (const [name, p] of this.#places) {
      if (name == topic || (!p.named && isPattern(topic) && matches(topic, name))) this.#places.delete(name)
    }
  }

  // judge holds a frame to its topic's count, and says whether it is to be handed over. What is not above read, in a topic whose epoch nobody has told,
  // is of another life of it; where the epoch is known, its change is announced.
  judge({ topic, topic_seq: seq, type }) {
    let p = this.#places.get(topic)
    if (!p) {
      p = { epoch: "", seq: seq - 1, read: 0, begun: true }
      this.#places.set(topic, p)
      this.#bound()
    }
    if (p.hold) return false
    if (!p.begun || (p.loose && seq <= p.seq)) Object.assign(p, { begun: true, seq: seq - 1, read: seq - 1 })
    p.loose = false
    if (seq <= p.read && !p.epoch) {
      p.seq = seq - 1
      this.queue({ kind: "topic_reset", topic, detail: { topic, reason: "epoch", snapshot: false }, cursor: { epoch: "", seq: p.seq } })
    } else if (seq <= p.seq) {
      p.read = seq
      return false
    } else if (seq > p.seq + 1) {
      this.stats.topicHoles += seq - 1 - p.seq
      this.queue({ kind: "topic_hole", detail: { topic, from: p.seq + 1, to: seq - 1 } })
    }
    p.seq = p.read = seq
    return true
  }

  // passed is told when a frame is queued: a topic's last one ends its subscription behind it.
  passed({ topic, type }) {
    if (type != "topic_closed") return
    if (this.#subscriptions.has(topic)) this.#closed(topic)
    else this.#places.delete(topic)
  }

  // #bound forgets the topics without a name that were met first: their count begins anew with their next frame.
  #bound() {
    if (this.#places.size <= 10_000) return
    for (const [name, p] of this.#places) {
      if (this.#places.size <= 5_000) break
      if (!p.named) this.#places.delete(name)
    }
  }

  // rebased takes note that the outbox is read from another place on. After `pruned` the same frames go on further up; else they come again, and of topics without a name
  // nothing tells whether they are still the same.
  rebased(reason) {
    if (reason == "pruned") return
    for (const [name, p] of this.#places) {
      p.read = 0
      if (!p.named) this.#places.delete(name)
    }
  }
}
