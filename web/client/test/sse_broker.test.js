import assert from "node:assert/strict"
import { test } from "node:test"
import { openStream } from "../sse.js"
import { Broker } from "./broker.js"
import { Ear } from "./ear.js"

const attach = (t, { url }, clientId, more) => {
  const ear = new Ear()
  const link = openStream({ url, clientId, since: "", takeover: false, ping: undefined, token: "", ...more }, ear.on)
  t.after(() => link.close(1000))
  const say = (message) => link.send(JSON.stringify(message))
  return { ear, link, say }
}

test("against the broker itself", async (t) => {
  const broker = await Broker.start(t)

  await t.test("frames, and a resume with a cursor", async (t) => {
    await broker.publish("a:1@x", { type: "x", n: 1 }, { type: "x", n: 2, text: "é \u2028 😀\n" })
    const first = attach(t, broker, "a:1@x")
    const hello = await first.ear.message()
    assert.deepEqual([hello.type, hello.client_id, hello.resume, hello.head], ["hello", "a:1@x", "fresh", 2])
    assert.deepEqual(await first.ear.message(), { seq: 1, type: "x", n: 1 })
    assert.deepEqual(await first.ear.message(), { seq: 2, type: "x", n: 2, text: "é \u2028 😀\n" })
    assert.deepEqual(await first.ear.message(), { type: "replay_end", seq: 2 })
    await broker.publish("a:1@x", { type: "live" })
    assert.deepEqual(await first.ear.message(), { seq: 3, type: "live" })
    await first.link.close()

    const second = attach(t, broker, "a:1@x", { since: `${hello.epoch}:2`, takeover: true, ping: 45 })
    const back = await second.ear.message()
    assert.deepEqual([back.resume, back.missed, back.ping_interval_ms], ["replay", 1, 45000])
    assert.deepEqual(await second.ear.message(), { seq: 3, type: "live" })
    const { attachments } = await broker.state("a:1@x")
    assert.equal(attachments.length, 1)
  })

  await t.test("a client_id is minted", async (t) => {
    const { ear } = attach(t, broker, "")
    assert.match((await ear.message()).client_id, /^[0-9a-f-]{36}$/)
  })

  await t.test("many frames come once and in order, whatever chunks they come in", async (t) => {
    const { ear } = attach(t, broker, "many")
    await ear.until("replay_end")
    for (let batch = 0; batch < 20; batch++) await broker.publish("many", ...Array.from({ length: 100 }, (_, i) => ({ type: "x", n: batch * 100 + i, pad: "é".repeat(i) })))
    for (let n = 0; n < 2000; n++) {
      const frame = await ear.message()
      assert.deepEqual([frame.seq, frame.n, frame.pad.length], [n + 1, n, n % 100])
    }
  })

  await t.test("an ack prunes, by the connection that it is for", async (t) => {
    await broker.publish("acks", ...Array(10).fill({ type: "x" }))
    const { ear, link, say } = attach(t, broker, "acks")
    await ear.until("replay_end")
    say({ type: "ack", seq: 4 })
    say({ type: "ack", seq: 6 })
    say({ type: "ack", seq: 7 })
    await link.close()
    const { acked, floor, frames } = await broker.state("acks")
    assert.deepEqual({ acked, floor, frames }, { acked: 7, floor: 7, frames: 3 })
  })

  await t.test("an ack that is too far is told, and the connection stays", async (t) => {
    const { ear, say } = attach(t, broker, "far")
    await ear.until("replay_end")
    say({ type: "ack", seq: 9 })
    assert.equal((await ear.message()).code, "ack_ahead")
    await broker.publish("far", { type: "x" })
    assert.equal((await ear.message()).seq, 1)
  })

  await t.test("a send has its receipt, and its repeat another", async (t) => {
    const from = attach(t, broker, "from")
    const to = attach(t, broker, "to")
    await from.ear.until("replay_end")
    await to.ear.until("replay_end")
    for (const status of ["stored", "duplicate"]) {
      from.say({ type: "send", id: "u1", to: "to", frame: { type: "say", text: "stop" } })
      const receipt = await from.ear.message()
      assert.deepEqual([receipt.type, receipt.id, receipt.status, receipt.seq], ["receipt", "u1", status, 1])
    }
    assert.deepEqual(await to.ear.message(), { seq: 1, from: "from", type: "say", text: "stop" })
    from.say({ type: "send", id: "u1", to: "to", frame: { type: "say", text: "other" } })
    const refused = await from.ear.message()
    assert.deepEqual([refused.type, refused.code, refused.id], ["error", "id_reused", "u1"])
    from.say({ type: "send", id: "u2", to: "a/b", frame: { type: "say" } })
    assert.deepEqual([(await from.ear.message()).code], ["bad_request"])
  })

  await t.test("subscribed comes before what it brings, and unsubscribed behind it", async (t) => {
    // Twenty topics with a history: each could overtake its answer.
    const topics = Array.from({ length: 20 }, (_, i) => `jobs.${i}`)
    for (const topic of topics) await broker.publishTopic(topic, { type: "log", n: 1 }, { type: "log", n: 2 }, { type: "log", n: 3 })
    const { ear, say } = attach(t, broker, "follower")
    await ear.until("replay_end")
    for (const topic of topics) say({ type: "subscribe", topic, history: 2 })
    const stands = new Map()
    for (let left = topics.length * 3; left > 0; left--) {
      const message = await ear.message()
      if (message.type == "subscribed") stands.set(message.topic, 2)
      else {
        assert.equal(message.topic_seq, stands.get(message.topic), `a frame of ${message.topic} came before its turn`)
        stands.set(message.topic, message.topic_seq + 1)
      }
    }
    await broker.publishTopic("jobs.3", { type: "log", n: 4 })
    assert.equal((await ear.message()).topic_seq, 4)
    say({ type: "unsubscribe", topic: "jobs.3" })
    assert.deepEqual(await ear.message(), { type: "unsubscribed", topic: "jobs.3" })
    await broker.publishTopic("jobs.3", { type: "log", n: 5 })
    say({ type: "subscribe", topic: "jobs.*", history: 1 })
    const refused = await ear.message()
    assert.deepEqual([refused.type, refused.code, refused.topic], ["error", "bad_request", "jobs.*"])
    await broker.publish("follower", { type: "last" })
    assert.equal((await ear.message()).type, "last", "and unsubscribed came once")
  })

  await t.test("a topic's snapshot comes between subscribed and the frames above it", async (t) => {
    const { epoch } = await broker.publishTopic("snap", { type: "log", n: 1 }, { type: "log", n: 2 })
    await broker.call("PUT", "/v1/topics/snap/snapshot", { as_of: `${epoch}:1`, data: { done: 1 } })
    const { ear, say } = attach(t, broker, "late")
    await ear.until("replay_end")
    say({ type: "subscribe", topic: "snap", history: 1 })
    const answer = await ear.message()
    assert.deepEqual([answer.type, answer.snapshot], ["subscribed", true])
    assert.deepEqual(await ear.message(), { type: "snapshot", topic: "snap", as_of: 1, data: { done: 1 } })
    assert.equal((await ear.message()).topic_seq, 2)
  })

  await t.test("a cursor that is too old", async (t) => {
    await broker.publish("old", { type: "x" })
    const { ear } = attach(t, broker, "old", { since: "another:1" })
    const hello = await ear.message()
    assert.deepEqual([hello.resume, hello.reason], ["too_old", "epoch"])
  })

  await t.test("a cursor that cannot be read", async (t) => {
    const { ear } = attach(t, broker, "bad", { since: "e:-1" })
    assert.equal((await ear.message()).code, "bad_cursor")
    assert.equal((await ear.close()).code, 4501)
  })

  await t.test("a client that is deleted", async (t) => {
    const { ear } = attach(t, broker, "gone")
    await ear.until("replay_end")
    await broker.call("DELETE", "/v1/clients/gone")
    assert.deepEqual(await ear.close(), { code: 4504, after: undefined })
  })

  await t.test("an attach that takes over", async (t) => {
    const old = attach(t, broker, "one")
    await old.ear.until("replay_end")
    const young = attach(t, broker, "one", { takeover: true })
    assert.equal((await young.ear.message()).type, "hello")
    assert.equal((await old.ear.close()).code, 4500)
  })

  await t.test("and its draining", async (t) => {
    const { ear } = attach(t, broker, "drained")
    await ear.until("replay_end")
    const stopped = broker.stop()
    const { retry_after_ms } = await ear.until("goaway")
    assert.deepEqual(await ear.close(), { code: 4002, after: retry_after_ms })
    assert.equal((await stopped).code, 0)
  })
})

test("a broker that is killed", async (t) => {
  const broker = await Broker.start(t)
  const { ear } = attach(t, broker, "a")
  await ear.until("replay_end")
  await broker.kill()
  assert.equal((await ear.close()).code, 1006)
})
