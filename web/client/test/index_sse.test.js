import assert from "node:assert/strict"
import { test } from "node:test"
import { Restante } from "../index.js"
import { Broker } from "./broker.js"

const heard = (client, type) => new Promise((resolve) => client.addEventListener(type, ({ detail }) => resolve(detail), { once: true }))

// Blocked is a WebSocket behind a proxy that refuses upgrades.
class Blocked {
  constructor() {
    setImmediate(() => this.onclose?.({ code: 1006 }))
  }
  close() {}
}

for (const [name, options] of [["streams only", { transport: "sse" }], ["streams where no socket comes through", { WebSocket: Blocked, backoff: { min: 1, max: 5 } }]]) {
  test(`the whole library over ${name}`, async (t) => {
    const broker = await Broker.start(t)
    await broker.publish("tab", { type: "x", n: 1 }, { type: "x", n: 2 })
    await broker.publishTopic("jobs.7", { type: "log", n: 1 }, { type: "log", n: 2 })
    const client = new Restante(broker.url, { clientId: "tab", storage: null, ...options })
    t.after(() => client.close())
    const frames = []
    const last = new Promise((resolve) => client.addEventListener("frame", ({ detail }) => (frames.push(detail), detail.type == "last" && resolve())))
    await heard(client, "live")
    assert.equal(client.stats.transport, "sse")
    const answers = [client.send("tab", { type: "say", n: 3 }), client.send("tab", { type: "say", n: 4 })]
    assert.deepEqual((await Promise.all(answers)).map(({ status, seq }) => [status, seq]), [["stored", 3], ["stored", 4]])
    await assert.rejects(client.send("tab", { type: "say", seq: 1 }), { code: "bad_frame" })
    assert.equal((await client.subscribe("jobs.7", { history: 1 })).resume, "fresh")
    await broker.publishTopic("jobs.7", { type: "log", n: 3 })
    await client.unsubscribe("jobs.7")
    await broker.publishTopic("jobs.7", { type: "log", n: 4 })
    await broker.publish("tab", { type: "last" })
    await last
    assert.deepEqual(frames.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7])
    assert.deepEqual(frames.map(({ topic_seq, n }) => topic_seq ?? n), [1, 2, 3, 4, 2, 3, undefined])
    assert.match(client.cursor, /:7$/)
    client.close()
    while ((await broker.state("tab")).frames > 0); // the last ack arrives before its stream ends
    assert.equal((await broker.state("tab")).acked, 7)
  })
}
