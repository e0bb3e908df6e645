const retained = 25

const matches = (pattern, topic) => pattern == topic || (pattern == "p.*" && topic.startsWith("p."))

// Topics are the topics of a Broker, and what its client follows of them (P-19, P-32).
export class Topics {
  all = new Map()
  names = new Set()
  patterns = new Set()
  // joins are subscriptions that wait for a snapshot.
  joins = new Map()
  // what may be missing: `topic:life:seq` of frames that no subscription could bring, or that bounds have dropped
  excused = new Set()
  lives = 0
  // the last frame of each that has come into the outbox
  last = new Map()

  constructor(broker) {
    this.broker = broker
  }

  find(name) {
    if (!this.all.has(name)) this.all.set(name, { name, life: ++this.lives, head: 0, floor: 0, closed: false })
    return this.all.get(name)
  }

  epoch({ life }) { return `L${life}` }

  follows(name) { return [...this.names, ...this.patterns].some((each) => matches(each, name)) }

  old({ topic, life }) { return topic && this.find(topic).life != life }

  excuse(body) { if (body?.topic) this.excused.add(`${body.topic}:${body.life}:${body.topic_seq}`) }

  #append(body) {
    this.last.set(body.topic, body)
    this.broker.append(body)
  }

  #body(t, seq) { return { topic: t.name, topic_seq: seq, type: t.closed && seq == t.head ? "topic_closed" : "t", life: t.life } }

  publish(name, last = false) {
    const t = this.find(name)
    if (t.closed) return
    t.head++
    t.closed = last
    t.floor = Math.max(t.floor, t.head - retained)
    const body = this.#body(t, t.head)
    // a subscription that stood still for longer than the log reaches back
    if (this.follows(name) && !(name != "p.2" && !last && !this.broker.calm && this.broker.dice.in(60))) this.#append(body)
    else this.excuse(body)
  }

  #answer(t, more) { return { type: "subscribed", topic: t.name, epoch: this.epoch(t), floor: t.floor, head: t.head, closed: t.closed || undefined, ...more } }

  subscribe(a, { topic, since, history }) {
    const { broker } = this
    if (topic.endsWith("*")) {
      broker.reply(a, { type: "subscribed", topic, resume: this.patterns.has(topic) ? "up_to_date" : "fresh" })
      return void this.patterns.add(topic)
    }
    const t = this.find(topic)
    const join = this.joins.get(topic)
    if (join) return broker.reply(a, this.#answer(t, join))
    if (this.follows(topic)) {
      this.names.add(topic)
      return broker.reply(a, this.#answer(t, { resume: "up_to_date" }))
    }
    const [epoch, s] = (since ?? "").split(":")
    let from = t.head
    const answer = { resume: "fresh" }
    if (history >= 0) from = Math.max(t.floor, t.head - history)
    else if (since && epoch != this.epoch(t)) Object.assign(answer, { resume: "too_old", reason: "epoch" })
    else if (since && +s > t.head) Object.assign(answer, { resume: "too_old", reason: "ahead" })
    else if (since && +s == t.head) answer.resume = "up_to_date"
    else if (since && +s < t.floor) Object.assign(answer, { resume: "too_old", reason: "pruned" })
    else if (since) Object.assign(answer, { resume: "replay" }) && (from = +s)
    if (answer.resume == "too_old") from = t.floor
    if ((history >= 0 || answer.resume == "too_old") && topic == "s") {
      this.joins.set(topic, { ...answer, snapshot: true })
      return broker.reply(a, this.#answer(t, { ...answer, snapshot: true }))
    }
    broker.reply(a, this.#answer(t, answer))
    this.#stand(t, from)
  }

  // #stand begins the subscription behind from.
  #stand(t, from) {
    this.joins.delete(t.name)
    this.names.add(t.name)
    for (let seq = Math.max(t.floor, from) + 1; seq <= t.head; seq++) this.#append(this.#body(t, seq))
  }

  // settle brings the snapshots that are waited for.
  settle() {
    for (const [name, join] of this.joins) {
      const { broker } = this
      const t = this.find(name)
      if (!broker.attached.length) {
        this.joins.delete(name)
        continue
      }
      const begin = join.resume == "too_old" ? t.floor : Math.max(t.floor, t.head - 1000)
      const asOf = t.floor + broker.dice.below(t.head - t.floor + 1)
      const there = !broker.dice.in(3)
      for (const a of broker.attached) {
        broker.reply(a, there ? { type: "snapshot", topic: name, as_of: asOf, data: { life: t.life } } : { type: "error", code: "snapshot_unavailable", message: "", topic: name })
      }
      this.#stand(t, there ? asOf : begin)
    }
  }

  unsubscribe(topic) {
    this.names.delete(topic)
    this.patterns.delete(topic)
    this.joins.delete(topic)
    this.#left(topic)
  }

  #left(topic) {
    for (const a of this.broker.attached) this.broker.reply(a, { type: "unsubscribed", topic }, this.broker.head)
  }

  // remove deletes a topic. Who is there and subscribes to its name is told.
  remove(name) {
    this.all.delete(name)
    const joining = this.joins.delete(name)
    if (joining) for (const a of this.broker.attached) this.broker.reply(a, { type: "error", code: "snapshot_unavailable", message: "", topic: name })
    if (this.names.delete(name) || joining) this.#left(name)
  }

  reap() {
    this.names.clear()
    this.patterns.clear()
    this.joins.clear()
  }
}
