import { Restante } from "../index.js"

const all = 1_000_000

const life = (epoch) => +epoch.slice(1)

// Page is an application: it builds a state from what it is handed, saves it with the cursors, and holds each frame to what the broker has.
export class Page {
  faults = []
  // the state: numbers of frames of its own, and how far it is in each topic
  list = []
  at
  topics = new Map()
  sends = [] // {n, to}, settled when there is an answer
  wanted = new Map()
  loose = new Map()
  left = new Set()
  // the last that it has been told of each topic
  seen = new Map()

  constructor(dice, broker, net, storage, options, saved) {
    Object.assign(this, { dice, broker, storage })
    if (saved) Object.assign(this, { list: [...saved.list], base: saved.base, at: saved.at, through: saved.at, topics: new Map(saved.topics.map(([name, t]) => [name, { ...t }])) })
    this.client = new Restante("http://broker.test/", {
      clientId: "tab", storage, transport: "websocket", WebSocket: net.WebSocket, since: saved?.cursor || undefined, onFrame: (frame) => this.#frame(frame), ...options,
    })
    const on = (type, listener) =>
      this.client.addEventListener(type, ({ detail }) => {
        if (this.over) return
        this.log(`page: ${type} ${JSON.stringify(detail)}`)
        listener(detail)
      })
    on("reset", (reset) => this.#reset(reset))
    on("snapshot", (snapshot) => this.#snapshot(snapshot))
    on("topic_reset", (reset) => this.#topicReset(reset))
    on("topic_hole", (hole) => this.#hole(hole))
    on("unsubscribed", (end) => this.#unsubscribed(end))
    on("error", (error) => /^(offline|overloaded|snapshot_unavailable|handler)$/.test(error.code) || (error.topic && /^(draining|internal)$/.test(error.code)) || this.fault(`an error: ${error.code} ${error.topic} ${error.id} ${error.stack} ${error.cause?.stack ?? ""}`))
    on("stopped", ({ error }) => this.fault(`stopped: ${error}`))
    for (const topic of ["p.1", "p.2"]) this.topics.delete(topic) // a pattern has no cursor
    for (const topic of ["h", "s", "l", "p.*"]) {
      const since = saved?.cursors[topic]
      if (since) {
        const [epoch, seq] = since.split(":")
        this.topics.set(topic, { life: life(epoch), seq: +seq })
        this.loosen(topic) // what the page before has left out, to have it again, is not brought to this one
        this.subscribe(topic, { since })
      }
      else {
        this.topics.delete(topic)
        this.subscribe(topic)
      }
    }
  }

  fault(text) {
    this.log(`fault: ${text}`)
    this.faults.push(text)
  }

  log() {}

  subscribe(topic, options = topic == "h" || topic == "s" ? { history: all } : {}) {
    options = this.wanted.get(topic) ?? options
    this.log(`page: subscribe ${topic} ${JSON.stringify(options)}`)
    this.wanted.set(topic, options)
    this.client.subscribe(topic, options).catch((error) => error.code == "unsubscribed" || this.over || this.fault(`subscribe: ${error}`))
  }

  unsubscribe(topic) {
    this.log(`page: unsubscribe ${topic}`)
    this.wanted.delete(topic)
    this.loosen(topic)
    this.left.add(topic.replace("*", "1")).add(topic.replace("*", "2"))
    this.client.unsubscribe(topic).then(
      () => this.wanted.has(topic) || this.topics.delete(topic),
      (error) => this.over || this.fault(`unsubscribe: ${error}`),
    )
  }

  // loosen lets a topic go on elsewhere once: where it is left, frames of it may still be waiting, and it begins anew with the next subscription.
  loosen(topic) {
    for (const name of topic == "p.*" ? ["p.1", "p.2"] : [topic]) this.loose.set(name, (this.loose.get(name) ?? 0) + 1)
  }

  #jumps(topic) {
    const times = this.loose.get(topic) ?? 0
    if (times) this.loose.set(topic, times - 1)
    return times || this.left.has(topic)
  }

  send(to, n, final) {
    const send = { n, to, final }
    this.sends.push(send)
    this.client.send(to, { type: "say", n, final }).then(
      (receipt) => Object.assign(send, { receipt }),
      (error) => Object.assign(send, { error }),
    )
  }

  // leave ends the page: with its last words, or without where its sockets are cut before.
  leave() {
    this.over = true
    this.client.close()
  }

  // applied is how far the page can be through with the outbox of that epoch. Frames of topics may have been left out, which is seen only with the next one; and where a
  // connection has begun anew, that counts before the page has been told.
  applied(epoch) {
    const { broker } = this
    let most = 0
    for (const from of [this.through, ...broker.begins]) {
      let seq = from?.epoch == epoch ? from.seq : 0
      while (broker.truth.get(`${epoch}:${seq + 1}`)?.topic && seq + 1 != this.handling) seq++
      most = Math.max(most, seq)
    }
    return most
  }

  #save() {
    const cursors = {}
    for (const topic of this.topics.keys()) cursors[topic] = this.client.topicCursor(topic)
    this.saved = { cursor: this.client.cursor, list: [...this.list], base: this.base, at: this.at, topics: [...this.topics].map(([name, t]) => [name, { ...t }]), cursors }
  }

  #here(seq) {
    const [epoch, s] = this.client.cursor.split(":")
    if (seq !== undefined && +s != seq) this.fault(`frame ${seq} with the cursor ${this.client.cursor}`)
    return { epoch, seq: +s }
  }

  async #frame(frame) {
    if (this.over) return
    this.log(`page: frame ${frame.seq} ${frame.topic ?? ""} ${frame.topic_seq ?? ""}`)
    const here = this.#here(frame.seq)
    const { broker } = this
    this.base ??= broker.began.seq
    const before = this.at ?? broker.began
    if (before.epoch != here.epoch) this.fault(`frame ${this.client.cursor} after ${before.epoch}:${before.seq} without a reset`)
    if (here.seq <= before.seq) this.fault(`frame ${here.seq} after ${before.seq}`)
    for (let seq = before.seq + 1; seq < here.seq; seq++) if (!broker.truth.get(`${here.epoch}:${seq}`)?.topic) this.fault(`frame ${here.seq} after ${before.seq}, and ${seq} is missing`)
    const truth = broker.truth.get(`${here.epoch}:${here.seq}`)
    if (JSON.stringify({ seq: frame.seq, ...truth }) != JSON.stringify(frame)) this.fault(`frame ${JSON.stringify(frame)} and not ${JSON.stringify(truth)}`)
    this.at = here
    this.handling = here.seq
    if (frame.topic) this.#topicFrame(frame)
    else this.list.push(frame.n)
    this.#save()
    const slow = this.slow && this.dice.in(this.slow)
    if (slow) await new Promise((resolve) => setTimeout(resolve, this.dice.below(4000)))
    this.through = here
    this.handling = undefined
    if (slow && this.dice.in(2)) throw new Error("the handler")
  }

  #topicFrame({ topic, topic_seq: seq, life, type }) {
    const was = this.topics.get(topic)
    const t = this.broker.topics.find(topic)
    // A topic that was deleted and born again while nobody was there is told as such only when the broker has been asked: then by a reset.
    const moved = was?.life && (was.life != life || was.seq + 1 != seq)
    const free = moved && this.#jumps(topic)
    if (moved && !free && (was.seq + 1 != seq || (was.life > life && !was.mixed))) this.fault(`${topic} ${life}:${seq} after ${was.life}:${was.seq}`)
    const mixed = !free && (was?.mixed || was?.life < life)
    const options = this.wanted.get(topic)
    if (!was && options?.history && t.life == life && seq - 1 > t.floor && !this.#jumps(topic)) this.fault(`${topic} begins with ${seq}, and the log with ${t.floor + 1}`)
    if (type == "topic_closed") this.topics.delete(topic)
    else this.topics.set(topic, { life, seq, mixed })
    this.seen.set(topic, { life, seq })
  }

  #reset({ reason, cursor }) {
    const here = this.#here()
    if (`${here.epoch}:${here.seq}` != cursor) this.fault(`a reset to ${cursor} with the cursor ${this.client.cursor}`)
    if (reason == "restart") for (const body of this.broker.frames.slice(here.seq)) if (this.broker.topics.old(body)) this.left.add(body.topic)
    this.list = []
    this.base = here.seq
    this.at = this.through = here
    for (const name of this.topics.keys()) {
      const { history } = this.wanted.get(name) ?? {}
      if (history ? reason == "restart" : name.startsWith("p.")) this.topics.delete(name)
      if (!history) this.loosen(name) // there may not have been an answer yet
    }
    this.#save()
  }

  #snapshot({ topic, asOf, data }) {
    if (topic) {
      this.topics.set(topic, { life: data.life, seq: asOf })
      this.seen.set(topic, { life: data.life, seq: asOf })
      return this.#save()
    }
    this.list = [...data]
    this.base = 0
    this.at = this.through = this.#here(asOf)
    this.#save()
  }

  #topicReset({ topic, cursor }) {
    if (cursor) {
      const [epoch, seq] = cursor.split(":")
      this.topics.set(topic, { life: life(epoch), seq: +seq })
      this.seen.set(topic, { life: life(epoch), seq: +seq })
    } else this.topics.delete(topic)
    this.#save()
  }

  #hole({ topic, from, to }) {
    const was = this.topics.get(topic)
    if (was?.seq !== undefined && was.seq + 1 != from && !this.loose.get(topic) && !this.left.has(topic)) this.fault(`a hole of ${topic} from ${from} after ${was.seq}`)
    const life = was?.life
    if (life == this.broker.topics.find(topic).life && !this.#jumps(topic)) for (let seq = from; seq <= to; seq++) if (!this.broker.topics.excused.has(`${topic}:${life}:${seq}`)) this.fault(`a hole of ${topic}: ${life}:${seq} was there to be had`)
    this.topics.set(topic, { life, seq: to })
    this.#save()
  }

  #unsubscribed({ topic, closed }) {
    this.topics.delete(topic)
    this.wanted.delete(topic)
    this.#save()
    if (!closed) this.subscribe(topic)
  }
}
