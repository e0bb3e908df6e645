import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Restante } from "../index.js"
import { Broker } from "./broker.js"
import { Dice } from "./dice.js"
import { Proxy } from "./proxy.js"
import { WebSocket } from "./rfc6455.js"

const seed = +(process.env.PROXY_SEED ?? Date.now() % 1_000_000)
const frames = 1500
const sends = 60

// publish puts frames where they belong, once, whatever becomes of the broker meanwhile.
const publish = async (at, path, key, list) => {
  for (;;) {
    try {
      const response = await fetch(at.url + path, {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": key },
        body: list.map((frame) => JSON.stringify(frame) + "\n").join(""),
      })
      if (response.ok) return await response.json()
      await response.text()
    } catch {} // it is away, and comes back
    await new Promise(setImmediate)
  }
}

// Page notes what it is handed, in order, and says when it has everything.
class Page {
  own = []
  topic = []
  told = []
  #marks = []

  constructor(options) {
    this.client = new Restante(options.url, { clientId: "tab", storage: null, backoff: { min: 5, max: 40 }, WebSocket, onFrame: (frame) => this.#frame(frame), ...options })
    for (const type of ["reset", "topic_reset", "topic_hole", "unsubscribed", "stopped"]) this.client.addEventListener(type, ({ detail }) => this.told.push([type, JSON.stringify(detail)]))
    this.whole = this.reached(frames, frames / 5)
  }

  // reached resolves when it has so many frames of its own, and of the topic.
  reached(own, topic) {
    return new Promise((resolve) => this.#marks.push({ own, topic, resolve }))
  }

  async #frame({ topic, n }) {
    ;(topic ? this.topic : this.own).push(n)
    for (const mark of this.#marks) if (this.own.length >= mark.own && this.topic.length >= mark.topic) mark.resolve()
    for (let i = 0; i < n % 4; i++) await new Promise(setImmediate) // a handler that takes its time, so that connections bring what waits
  }
}

const count = (n) => Array.from({ length: n }, (_, i) => i + 1)

// run publishes, subscribes and sends through the proxy until all has arrived, and holds it to what was published.
const run = async (t, at, proxy, options, meanwhile) => {
  t.diagnostic(`PROXY_SEED=${seed}`)
  const page = new Page({ url: proxy.url, ...options })
  t.after(() => page.client.close())
  page.client.subscribe("jobs.1", { history: 1000 }).catch(() => {})
  const trouble = meanwhile?.(page)
  const receipts = count(sends).map((n) => page.client.send("agent", { type: "say", n }))
  for (let n = 1; n <= frames; n += 5) {
    await publish(at, "/v1/clients/tab/frames", `f${n}`, count(5).map((i) => ({ type: "t", n: n + i - 1, pad: "é".repeat(n % 50) })))
    await publish(at, "/v1/topics/jobs.1/frames", `t${n}`, [{ type: "j", n: (n + 4) / 5 }])
  }
  await Promise.all([page.whole, trouble, ...receipts])
  assert.deepEqual(page.own, count(frames))
  assert.deepEqual(page.topic, count(frames / 5))
  assert.deepEqual(page.told, [])
  const { frames: stored } = await at.broker.call("GET", "/v1/clients/agent/frames?limit=1000")
  assert.deepEqual(stored.map(({ n, from }) => [n, from]), count(sends).map((n) => [n, "tab"]))
  t.diagnostic(`${proxy.cuts} cuts, ${page.client.stats.attaches} attaches, ${page.client.stats.duplicates} duplicates dropped`)
  assert.ok(proxy.cuts > 5, `${proxy.cuts} cuts`)
}

// budget cuts most connections early, and lets some live, so that it comes to an end.
const budget = (dice) => () => (dice.in(20) ? 20_000 : 300 + dice.below(dice.in(4) ? 12_000 : 3_000))

for (const transport of ["websocket", "sse"]) {
  test(`P-3, P-18, P-19: through a proxy that cuts anywhere, by ${transport}`, { timeout: 120_000 }, async (t) => {
    const broker = await Broker.start(t)
    const proxy = await Proxy.start(t, broker.url, budget(new Dice(seed)))
    await run(t, { broker, url: broker.url }, proxy, { transport })
  })
}

test("P-26: and with a broker that is killed and comes back", { timeout: 120_000 }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "restante-"))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const args = ["--data-dir", dir, "--listen", "127.0.0.1:0"]
  const at = { broker: await Broker.start(t, args) }
  at.url = at.broker.url
  const dice = new Dice(seed + 1)
  const proxy = await Proxy.start(t, at.url, budget(dice))
  await run(t, at, proxy, { transport: "websocket" }, async (page) => {
    for (let i = 1; i <= 4; i++) {
      await page.reached((frames / 6) * i, 0)
      await at.broker.kill()
      at.broker = await Broker.start(t, args)
      at.url = proxy.target = at.broker.url
    }
  })
})
