import assert from "node:assert/strict"
import { Broker } from "./chaos_broker.js"
import { Page } from "./chaos_page.js"
import { Clock, settle } from "./clock.js"
import { Dice } from "./dice.js"
import { Net } from "./net.js"

const names = ["h", "s", "l", "p.1", "p.2"]

class Storage {
  #kept = new Map()
  getItem(key) { return this.#kept.get(key) ?? null }
  setItem(key, value) { this.#kept.set(key, value) }
  removeItem(key) { this.#kept.delete(key) }
}

// Run is one client of one broker, with all that can happen to them.
class Run {
  sent = 0
  sends = []
  faults = []

  constructor(seed, clock, log) {
    const dice = new Dice(seed)
    Object.assign(this, { dice, clock, log, net: new Net(), storage: new Storage() })
    this.net.log = log
    this.broker = new Broker(dice, this.net, clock, (epoch) => this.page.applied(epoch))
    this.options = {
      backoff: { min: 100, max: 2000, settle: 5000 },
      queueFrames: dice.in(2) ? 1 + dice.below(20) : 10_000,
      takeover: dice.in(3),
      token: dice.in(2) ? () => ({ token: "t", expiresAt: Date.now() + 8_000 + dice.below(20_000) }) : undefined,
    }
    this.open()
  }

  open(saved) {
    this.page = new Page(this.dice, this.broker, this.net, this.storage, this.options, saved)
    this.page.log = this.log
    this.page.slow = this.dice.in(2) ? 1 + this.dice.below(30) : 0
  }

  // cut ends a connection. The broker notices later.
  cut(code) {
    const { dice, broker } = this
    const a = broker.attached.length && dice.one(broker.attached)
    if (!a) return
    if (code) broker.end(a, code)
    else a.socket.end(1006)
  }

  // refresh is the next page of the tab.
  refresh() {
    const { dice, page } = this
    if (dice.in(2)) for (const { socket } of this.broker.attached) socket.end(1006)
    page.leave()
    this.faults.push(...page.faults)
    this.sends.push(...page.sends)
    this.open(dice.in(2) ? page.saved : undefined)
  }

  async step() {
    const { dice, broker, page, clock } = this
    const n = dice.below(1000)
    if (n < 100) broker.publish()
    else if (n < 220) broker.topics.publish(dice.one(names))
    else if (n < 225) broker.topics.publish(dice.one(["h", "s", "l"]), true)
    else if (n < 235) broker.topics.remove(dice.one(["h", "s", "l"]))
    else if (n < 240) broker.topics.unsubscribe(dice.one(["h", "s", "l"])) // from another connection
    else if (n < 245) this.meddle(dice.one(["h", "s", "l"]))
    else if (n < 260) this.cut()
    else if (n < 264) this.cut(4001)
    else if (n < 267) broker.crash()
    else if (n < 275) broker.reap()
    else if (n < 277) for (let i = 0; i < 70; i++) broker.publish()
    else if (n < 300) this.send()
    else if (n < 308) page.subscribe(dice.one(names))
    else if (n < 316) page.unsubscribe(dice.one(["h", "s", "l", "p.*"]))
    else if (n < 319) page.client.restart()
    else if (n < 322) this.refresh()
    else if (n < 325) clock.sleep(20_000)
    else if (n < 345) await clock.pass(dice.below(dice.in(10) ? 70_000 : 1500))
    else if (n < 380) broker.notice()
    else if (n < 420) broker.topics.settle()
    else if (n < 600) broker.attached.length && broker.hear(dice.one(broker.attached))
    else broker.attached.length && broker.write(dice.one(broker.attached))
    broker.greet()
    await settle()
  }

  // meddle subscribes the client by another connection of its.
  meddle(topic) {
    const { broker, page } = this
    if (broker.topics.follows(topic)) return
    broker.topics.names.add(topic)
    page.loosen(topic)
    page.loosen(topic)
  }

  send() {
    const { dice, page } = this
    page.send(dice.one(["x", "y"]), ++this.sent, dice.in(10))
  }

  // calm lets everything come to its end, without any more bad luck.
  async calm() {
    const { broker, page, clock } = this
    broker.calm = true
    page.slow = 0
    for (let quiet = 0, rounds = 0; quiet < 20 && rounds < 400; rounds++) {
      let busy = false
      broker.greet()
      broker.notice()
      broker.topics.settle()
      for (const a of [...broker.attached]) {
        while (broker.hear(a) || broker.write(a)) {
          busy = true
          await settle()
        }
      }
      await clock.pass(500)
      for (const { socket } of broker.attached) if (rounds % 20 == 0) socket.say({ type: "ping", head: 0 })
      quiet = busy ? 0 : quiet + 1
    }
  }

  check() {
    const { broker, page, net } = this
    const { client } = page
    assert.deepEqual([...this.faults, ...broker.faults, ...page.faults], [])
    assert.equal(client.state.name, "live")
    assert.equal(net.sockets.filter(({ readyState }) => readyState == 1).length, 1, "one connection")
    if (broker.head) assert.equal(client.cursor, `${broker.epoch}:${broker.head}`)
    assert.deepEqual(page.list, broker.frames.slice(page.base ?? broker.head).filter(({ n }) => n).map(({ n }) => n))
    for (const [name, { history }] of page.wanted) {
      if (name.endsWith("*")) continue
      const t = broker.topics.find(name)
      const state = page.topics.get(name)
      if (history && t.head > t.floor && !page.loose.get(name) && !broker.topics.excused.has(`${name}:${t.life}:${t.head}`)) assert.deepEqual([state?.life, state?.seq], [t.life, t.head], `topic ${name}`)
      assert.ok(!state?.mixed || name == "l", `${name} of two lives`)
      assert.ok(broker.topics.names.has(name), `the broker holds ${name}`)
    }
    for (const { topic, life, topic_seq: seq } of broker.topics.last.values()) {
      const seen = page.seen.get(topic)
      if (seen && !page.left.has(topic) && !page.loose.get(topic) && broker.topics.find(topic).life == life && !broker.topics.excused.has(`${topic}:${life}:${seq}`)) assert.ok(seen.life == life && seen.seq >= seq, `${topic} up to ${life}:${seq}, and not ${seen.life}:${seen.seq}`)
    }
    assert.equal(broker.topics.patterns.has("p.*"), page.wanted.has("p.*"))
    this.checkSends()
  }

  checkSends() {
    const { broker, page } = this
    const all = [...this.sends, ...page.sends]
    assert.deepEqual(page.client.pending, [])
    for (const to of ["x", "y"]) {
      const stored = (broker.targets.get(to) ?? []).map(({ frame }) => frame.n)
      assert.deepEqual(stored, all.filter((send) => send.to == to && !send.final).map(({ n }) => n), `sends to ${to}`)
    }
    for (const { final, receipt, error } of page.sends) assert.ok(final ? error?.code == "forbidden" : receipt, "a send has its end")
  }
}

// run is one run, which throws what it has found.
export const run = async (seed, log = () => {}) => {
  const clock = new Clock().install()
  const { random } = Math
  const delays = new Dice(~seed)
  Math.random = () => delays.next()
  let run
  try {
    run = new Run(seed, clock, log)
    const steps = 100 + run.dice.below(400)
    for (let i = 0; i < steps; i++) await run.step()
    await run.calm()
    run.check()
    run.page.leave()
    await clock.pass(10_000)
    assert.equal(clock.pending, 0, "timers that are left")
  } catch (error) {
    error.message = `CHAOS_SEED=${seed}: ${error.message}`
    throw error
  } finally {
    run?.page.leave()
    clock.uninstall()
    Math.random = random
  }
}
