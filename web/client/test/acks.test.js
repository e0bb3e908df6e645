import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { outcome, start, startCore } from "./client.js"
import { gate } from "./upstream.js"

const acks = async (socket) => (await socket.heard()).filter(({ type }) => type == "ack").map(({ seq }) => seq)

test("P-12: an ack at least every 5 s while there is something new, and none when there is not", async (t) => {
  const { clock, live } = startCore(t)
  const socket = await live()
  const at = []
  socket.frames(1, 2)
  for (let s = 0; s < 20; s++) {
    await clock.pass(1000)
    for (const seq of await acks(socket)) at.push([s + 1, seq])
  }
  assert.equal(at.length, 1)
  assert.ok(at[0][0] <= 5 && at[0][1] == 2, `${at}`)
  await clock.pass(60_000)
  assert.deepEqual(await acks(socket), [])
})

test("P-12: the last frame is acked too, when one before it was acked with it waiting", async (t) => {
  const { clock, live } = startCore(t)
  const socket = await live()
  socket.frames(1)
  await clock.pass(3_999)
  socket.frames(2)
  await clock.pass(10_000)
  assert.equal((await acks(socket)).pop(), 2)
})

test("P-12: 500 frames, or 256 KiB, are acked at once, with all that has been applied", async (t) => {
  const { live } = startCore(t)
  const socket = await live()
  socket.frames(1, 499)
  assert.deepEqual(await acks(socket), [])
  socket.frames(500)
  assert.deepEqual(await acks(socket), [500])
  const pad = "x".repeat(64_000)
  socket.frames(501, 504, { pad })
  assert.deepEqual(await acks(socket), [])
  socket.frames(505, 505, { pad })
  assert.deepEqual(await acks(socket), [505])
})

test("P-12: a broker that wants acks sooner gets them", async (t) => {
  const { clock, live } = startCore(t)
  const socket = await live({ ack_interval_ms: 2_000 })
  socket.frames(1)
  await clock.pass(2_000)
  assert.deepEqual(await acks(socket), [1])
})

test("P-30: the ack goes out after the handler, and the next frame comes after it", async (t) => {
  const gates = [gate(), gate()]
  const began = []
  const { clock, live, client } = startCore(t, { onFrame: ({ seq }) => began.push(seq) && gates[seq - 1] })
  const socket = await live()
  socket.frames(1, 2)
  await clock.pass(10_000)
  assert.deepEqual(began, [1])
  assert.equal(client.cursor, "e1:1")
  assert.deepEqual(await acks(socket), [])
  gates[0].open()
  await clock.pass(10_000)
  assert.deepEqual(began, [1, 2])
  assert.deepEqual(await acks(socket), [1])
  gates[1].open()
  await clock.pass(10_000)
  assert.deepEqual(await acks(socket), [2])
  assert.equal(client.stats.acked, 2)
})

test("P-11: no ack of what this connection has not brought", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const first = gate()
  const { net, clock, live } = startCore(t, { onFrame: ({ seq }) => seq == 1 && first })
  const before = await live()
  before.frames(1, 5)
  before.end()
  await clock.pass(1)
  const socket = await net.accept()
  assert.equal(socket.query.since, "e1:0", "what is being handled is not applied")
  socket.hello({ resume: "replay", head: 5 })
  first.open()
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [])
  socket.frames(1, 2)
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [2])
  socket.frames(3, 5)
  socket.say({ type: "replay_end", seq: 5 })
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [5])
})

test("P-11: what was applied while nobody was there is acked on the next connection", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const first = gate()
  const { net, clock, live } = startCore(t, { onFrame: ({ seq }) => seq == 1 && first })
  const before = await live()
  before.frames(1, 3)
  before.end()
  await clock.pass(1)
  const socket = await net.accept()
  first.open()
  await clock.pass(6_000)
  socket.end()
  await clock.pass(10)
  const next = await net.accept()
  assert.equal(next.query.since, "e1:3")
  next.hello({ resume: "up_to_date", head: 3 })
  await clock.pass(2_000)
  assert.deepEqual(await acks(next), [3])
})

test("a handler that throws or rejects is told, and its frame counts", async (t) => {
  const { client, clock, live, heard } = startCore(t, {
    onFrame: async ({ seq }) => {
      if (seq == 2) throw new Error("no")
    },
  })
  const errors = []
  client.addEventListener("error", ({ detail }) => errors.push(detail))
  client.addEventListener("frame", (event) => event.detail.seq == 3 && event.waitUntil(Promise.reject(new Error("nor this"))))
  const socket = await live()
  socket.frames(1, 4)
  assert.deepEqual(await heard(), ["frame 1", "frame 2", "error handler", "frame 3", "error handler", "frame 4"])
  assert.deepEqual(errors.map(({ code, cause, frame }) => [code, cause.message, frame.seq]), [["handler", "no", 2], ["handler", "nor this", 3]])
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [4])
})

test("a handler that throws at once is told too", async (t) => {
  const { live, heard } = startCore(t, {
    onFrame: () => {
      throw new Error("no")
    },
  })
  const socket = await live()
  socket.frames(1)
  assert.deepEqual(await heard(), ["error handler", "frame 1"])
})

test("waitUntil, of several listeners, holds back the next frame, a reset and a snapshot", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { client, net, clock, live, heard } = startCore(t)
  const gates = [gate(), gate(), gate()]
  client.addEventListener("frame", (event) => event.detail.seq == 1 && event.waitUntil(gates[0]))
  client.addEventListener("frame", (event) => event.detail.seq == 1 && event.waitUntil(gates[1]))
  client.addEventListener("reset", (event) => event.waitUntil(gates[2]))
  const socket = await live()
  socket.frames(1, 2)
  gates[1].open()
  assert.deepEqual(await heard(), ["frame 1"])
  gates[0].open()
  assert.deepEqual(await heard(), ["frame 2"])
  socket.end(4003)
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "too_old", reason: "epoch", epoch: "e2", floor: 0, head: 1, snapshot: true })
  next.say({ type: "snapshot", as_of: 1, data: 7 })
  assert.match((await heard()).join("\n"), /reset {"cursor":"e2:1","reason":"epoch","snapshot":true}$/)
  gates[2].open()
  assert.deepEqual(await heard(), ['snapshot {"asOf":1,"data":7}'])
})

test("a queue that is full drops what comes, and has it again when it is empty", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  const hold = gate()
  const { net, clock, client, live, heard } = startCore(t, { queueFrames: 2, onFrame: ({ seq }) => seq == 1 && hold })
  const socket = await live()
  socket.frames(1, 9)
  socket.say({ type: "receipt", id: "unknown", status: "stored" })
  await clock.pass(5_000)
  assert.equal(socket.closed, undefined)
  hold.open()
  await settle()
  assert.equal(socket.closed, 3001, "a close that keeps the place")
  assert.deepEqual(await heard(), ["frame 1", "frame 2", "frame 3", "offline 0"])
  await clock.pass(1)
  const next = await net.accept()
  assert.equal(next.query.since, "e1:3")
  next.hello({ resume: "replay", head: 9 })
  next.frames(4, 9)
  next.say({ type: "replay_end", seq: 9 })
  assert.deepEqual((await heard()).filter((line) => /^frame/.test(line)), [4, 5, 6, 7, 8, 9].map((n) => `frame ${n}`))
  assert.equal(client.stats.duplicates, 0)
})

test("the queue is bounded by size as well", async (t) => {
  const hold = gate()
  const { clock, live, heard } = startCore(t, { queueBytes: 1000, onFrame: ({ seq }) => seq == 1 && hold })
  const socket = await live()
  socket.frames(1, 9, { pad: "x".repeat(400) })
  hold.open()
  await clock.pass(0)
  assert.deepEqual((await heard()).filter((line) => /^frame/.test(line)), ["frame 1", "frame 2", "frame 3", "frame 4"])
})

test("for await: a frame is applied when the loop asks for the next", async (t) => {
  const { client, clock, live } = start(t)
  const frames = client[Symbol.asyncIterator]()
  const first = frames.next()
  const socket = await live()
  socket.frames(1, 3)
  assert.equal((await first).value.seq, 1)
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [])
  assert.equal((await frames.next()).value.seq, 2)
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [1])
  assert.deepEqual(await frames.return(), { value: undefined, done: true })
  await clock.pass(6_000)
  assert.deepEqual(await acks(socket), [3], "a loop that is left lets go")
  assert.deepEqual(await frames.next(), { value: undefined, done: true })
})

test("for await ends with close, and throws what else stops it", async (t) => {
  const { client, live } = start(t)
  const loop = async () => {
    const seqs = []
    for await (const { seq } of client) seqs.push(seq)
    return seqs
  }
  const ends = loop()
  const socket = await live()
  socket.frames(1, 2)
  await settle()
  client.close()
  assert.deepEqual(await outcome(ends), [1, 2])
  client.restart()
  const throws = loop()
  const again = await live()
  again.frames(1)
  await settle()
  again.end(4500)
  assert.equal(await outcome(throws), "stopped")
})

test("a loop that has ended does not stand in the way of the next one", async (t) => {
  const { client, live, heard } = start(t)
  const loop = client[Symbol.asyncIterator]()
  const waits = loop.next()
  await live()
  client.close()
  assert.deepEqual(await outcome(waits), { value: undefined, done: true })
  client.restart()
  const socket = await live()
  socket.frames(1, 2)
  assert.deepEqual(await heard(), ["frame 1", "frame 2"])
})

test("who leaves a loop while it waits is answered", async (t) => {
  const { client } = start(t)
  const loop = client[Symbol.asyncIterator]()
  const waits = loop.next()
  loop.return()
  assert.deepEqual(await outcome(waits), { value: undefined, done: true })
})
