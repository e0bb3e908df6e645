import assert from "node:assert/strict"
import { test } from "node:test"
import { outcome, start, startCore } from "./client.js"
import { answer, asked, subscribed, topic } from "./following.js"

// The rows of P-19's table: what is asked for, what is answered, where the topic's frames begin, and what the application is told before them.
const rows = [
  { name: "neither: what comes from then on", more: { floor: 4, head: 9 }, first: 10, cursor: "k1:9" },
  { name: "a new topic", more: {}, first: 1, cursor: "k1:0" },
  { name: "history, and a log that holds more", options: { history: 3 }, more: { floor: 4, head: 9 }, first: 7, cursor: "k1:6" },
  { name: "history, and a log that holds less", options: { history: 30 }, more: { floor: 4, head: 9 }, first: 5, cursor: "k1:4" },
  { name: "history 0", options: { history: 0 }, more: { floor: 4, head: 9 }, first: 10, cursor: "k1:9" },
  { name: "a cursor that is replayed", options: { since: "k1:6" }, more: { resume: "replay", floor: 4, head: 9 }, first: 7, cursor: "k1:6" },
  { name: "a cursor of which nothing was missed", options: { since: "k1:9" }, more: { resume: "up_to_date", floor: 4, head: 9 }, first: 10, cursor: "k1:9" },
  { name: "a cursor that is too old: pruned", options: { since: "k1:2" }, more: { resume: "too_old", reason: "pruned", floor: 4, head: 9 }, first: 5, cursor: "k1:4", tells: "topic_reset pruned k1:4" },
  { name: "a cursor that is too old: another epoch", options: { since: "k0:5" }, more: { resume: "too_old", reason: "epoch", floor: 4, head: 9 }, first: 5, cursor: "k1:4", tells: "topic_reset epoch k1:4" },
  { name: "a cursor that is too old: ahead", options: { since: "k1:50" }, more: { resume: "too_old", reason: "ahead", floor: 4, head: 9 }, first: 5, cursor: "k1:4", tells: "topic_reset ahead k1:4" },
  { name: "what is held already: wherever it stands", more: { resume: "up_to_date", floor: 4, head: 9 }, first: 8, cursor: "" },
]

for (const { name, options, more, first, cursor, tells } of rows) {
  test(`P-19: ${name}`, async (t) => {
    const { client, socket, heard, promise } = await startRow(t, options, more)
    assert.deepEqual(await promise, answer(more))
    assert.equal(client.topicCursor("a"), cursor)
    const told = (await heard()).map((line) => line.replace(/^topic_reset (.*)/, (_, json) => `topic_reset ${JSON.parse(json).reason} ${JSON.parse(json).cursor}`))
    assert.deepEqual(told, tells ? [tells] : [])
    topic(socket, 1, "a", first, first + 1)
    assert.deepEqual(await heard(), ["frame 1", "frame 2"], "no hole, and nothing dropped")
    assert.equal(client.topicCursor("a"), `k1:${first + 1}`)
  })
}

const startRow = async (t, options, more) => {
  const made = start(t)
  const promise = made.client.subscribe("a", options)
  const socket = await made.live()
  const said = socket.got.filter(({ type }) => /subscribe/.test(type))
  if (options?.history >= 0) {
    assert.deepEqual(said, [{ type: "unsubscribe", topic: "a" }], "what an earlier page holds is ended first")
    socket.say({ type: "unsubscribed", topic: "a" })
    assert.deepEqual(await asked(socket), [`subscribe a ${options.history}`])
  } else assert.deepEqual(said, [{ type: "subscribe", topic: "a", ...options }])
  socket.say(answer(more))
  return { ...made, socket, promise }
}

test("P-19: the topic's snapshot begins it", async (t) => {
  const { client, socket, heard, promise } = await subscribed(t, { history: 3 }, { floor: 4, head: 9, snapshot: true })
  assert.equal((await promise).snapshot, true)
  assert.equal(client.topicCursor("a"), "")
  socket.say({ type: "snapshot", topic: "a", as_of: 7, data: [1] })
  assert.deepEqual(await heard(), ['snapshot {"asOf":7,"data":[1],"topic":"a"}'])
  assert.equal(client.topicCursor("a"), "k1:7")
  topic(socket, 1, "a", 8)
  assert.deepEqual(await heard(), ["frame 1"])
})

test("P-19: after too_old the reset comes with the snapshot", async (t) => {
  const { socket, heard } = await subscribed(t, { since: "k1:2" }, { resume: "too_old", reason: "pruned", floor: 4, head: 9, snapshot: true })
  assert.deepEqual(await heard(), [])
  socket.say({ type: "snapshot", topic: "a", as_of: 7, data: 1 })
  assert.deepEqual(await heard(), ['topic_reset {"cursor":"k1:7","reason":"pruned","snapshot":true,"topic":"a"}', 'snapshot {"asOf":7,"data":1,"topic":"a"}'])
})

test("P-19: word that there is no snapshot begins with the log", async (t) => {
  const { client, socket, heard } = await subscribed(t, { history: 3 }, { floor: 4, head: 9, snapshot: true })
  socket.say({ type: "error", code: "snapshot_unavailable", message: "", topic: "a" })
  assert.equal(client.topicCursor("a"), "k1:6")
  topic(socket, 1, "a", 7)
  assert.deepEqual(await heard(), ["frame 1"])
})

test("a snapshot, and word that there is none, of what another connection of the client has asked for", async (t) => {
  const { live, heard, client } = start(t)
  const socket = await live()
  socket.say({ type: "error", code: "snapshot_unavailable", message: "", topic: "b" })
  assert.deepEqual(await heard(), ["error snapshot_unavailable"])
  assert.equal(socket.closed, undefined)
  socket.say({ type: "snapshot", topic: "b", as_of: 7, data: 1 })
  topic(socket, 1, "b", 8, 10)
  assert.deepEqual(await heard(), ['snapshot {"asOf":7,"data":1,"topic":"b"}', "frame 1", 'topic_hole {"from":9,"to":9,"topic":"b"}', "frame 2"])
  assert.equal(client.topicCursor("b"), "", "whose epoch nobody has told")
})

test("P-19: asked for again after each hello, when what the outbox held has come, with the cursor", async (t) => {
  const { net, clock, socket, heard } = await subscribed(t, { history: 3 }, { head: 4 })
  topic(socket, 1, "a", 2, 3, 4)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "replay", head: 5 })
  assert.deepEqual(await asked(next), [])
  topic(next, 4, "a", 5)
  next.frames(5)
  next.say({ type: "replay_end", seq: 5 })
  assert.deepEqual(await asked(next), ["subscribe a k1:5"])
  await heard()
  next.say(answer({ resume: "up_to_date", head: 5 }))
  topic(next, 6, "a", 6)
  assert.deepEqual(await heard(), ["frame 6"])
})

test("P-19: one that was reaped comes back with all that the log has", async (t) => {
  const { net, clock, socket, heard } = await subscribed(t, undefined, { head: 4 })
  topic(socket, 1, "a", 5)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "too_old", reason: "epoch", epoch: "e2", head: 0 })
  next.say({ type: "replay_end", seq: 0 })
  assert.deepEqual(await asked(next), ["subscribe a k1:5"])
  await heard()
  next.say(answer({ resume: "replay", head: 7 }))
  topic(next, 1, "a", 6, 7)
  assert.deepEqual(await heard(), ["frame 1", "frame 2"])
})

for (const [name, options] of [["a cursor", { since: "k1:2" }], ["a history", { history: 5 }]]) {
  test(`P-19: with ${name}, and an answer that was not heard: it is begun anew, and nothing that came meanwhile is handed over twice`, async (t) => {
    t.mock.method(Math, "random", () => 0)
    const { net, clock, client, live, heard } = start(t)
    client.subscribe("a", options)
    const socket = await live()
    if (options.history) socket.say({ type: "unsubscribed", topic: "a" })
    await asked(socket)
    socket.end()
    await clock.pass(1)
    const next = await net.accept()
    next.hello({ resume: "replay", head: 2 })
    topic(next, 1, "a", 3, 4)
    next.say({ type: "replay_end", seq: 2 })
    assert.deepEqual(await asked(next), ["unsubscribe a"])
    next.say({ type: "unsubscribed", topic: "a" })
    assert.deepEqual(await asked(next), [`subscribe a ${options.since ?? options.history}`])
    await heard()
    next.say(answer({ resume: options.since ? "replay" : "fresh", head: 4, floor: 2 }))
    topic(next, 3, "a", 3, 4)
    assert.deepEqual(await heard(), ["frame 3", "frame 4"])
    assert.equal(client.stats.topicRepeats, 2)
    assert.equal(client.cursor, "e1:4")
  })
}

test("P-19: a snapshot that was on the way when the connection broke", async (t) => {
  const { net, clock, client, socket, heard } = await subscribed(t, { history: 3 }, { head: 9, snapshot: true })
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date" })
  assert.deepEqual(await asked(next), ["unsubscribe a"])
  next.say({ type: "unsubscribed", topic: "a" })
  assert.deepEqual(await asked(next), ["subscribe a 3"])
  await heard()
  next.say(answer({ head: 9, snapshot: true }))
  next.say({ type: "snapshot", topic: "a", as_of: 9, data: 2 })
  assert.deepEqual(await heard(), ['snapshot {"asOf":9,"data":2,"topic":"a"}'])
  assert.equal(client.topicCursor("a"), "k1:9")
})

test("P-19: an end while the snapshot is waited for is told", async (t) => {
  const { socket, heard } = await subscribed(t, { history: 3 }, { head: 9, snapshot: true })
  socket.say({ type: "unsubscribed", topic: "a" })
  assert.deepEqual(await heard(), ['unsubscribed {"closed":false,"topic":"a"}'])
})

for (const code of ["overloaded", "rate_limited", "draining", "internal"]) {
  test(`P-30: ${code}: asked again`, async (t) => {
    t.mock.method(Math, "random", () => 0.999_999)
    const { clock, client, live, heard } = startCore(t)
    const promise = client.subscribe("a", { since: "k1:3" })
    const socket = await live()
    for (const wait of [500, 1000, 5000]) {
      assert.equal(socket.got.filter(({ type }) => type == "subscribe").pop().since, "k1:3")
      await asked(socket)
      socket.say({ type: "error", code, message: "", topic: "a", retry_after_ms: wait == 5000 ? 5000 : undefined })
      await clock.pass(wait - 1)
      assert.deepEqual(await asked(socket), [])
      await clock.pass(1001)
    }
    socket.say(answer({ resume: "up_to_date", head: 3 }))
    assert.equal((await promise).resume, "up_to_date")
    assert.deepEqual(await heard(), [])
  })
}

test("P-20: any other refusal is final, and told to who waits", async (t) => {
  const { client, live, heard } = startCore(t)
  const both = [client.subscribe("a"), client.subscribe("a")]
  const socket = await live()
  socket.say({ type: "error", code: "forbidden", message: "no", topic: "a" })
  for (const promise of both) assert.equal(await outcome(promise), "forbidden")
  assert.deepEqual(await heard(), [])
  assert.deepEqual(await asked(socket), [])
})

test("P-25: one that is held and refused at the next attach ends, and is told", async (t) => {
  const { net, clock, socket, heard } = await subscribed(t)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date" })
  await heard()
  next.say({ type: "error", code: "forbidden", message: "no", topic: "a" })
  assert.match((await heard()).join(), /^unsubscribed {"closed":false,"error":{.*"code":"forbidden"},"topic":"a"}$/)
  next.end()
  await clock.pass(10)
  const last = await net.accept()
  last.hello({ resume: "up_to_date" })
  assert.deepEqual(await asked(last), [])
})

test("P-19: unsubscribe waits for the broker's word, and frames before it still come", async (t) => {
  const { client, socket, heard } = await subscribed(t)
  const promise = client.unsubscribe("a")
  assert.deepEqual(await asked(socket), ["unsubscribe a"])
  topic(socket, 1, "a", 1)
  assert.equal(await outcome(promise), "pending")
  socket.say({ type: "unsubscribed", topic: "a" })
  assert.equal(await outcome(promise), "done")
  assert.deepEqual(await heard(), ["frame 1"], "and no event, since it was wanted")
})

test("unsubscribe of what is not held, and twice", async (t) => {
  const { client, live } = startCore(t)
  const both = [client.unsubscribe("b"), client.unsubscribe("b")]
  const socket = await live()
  assert.equal(socket.got.filter(({ type }) => type == "unsubscribe").length, 1)
  socket.say({ type: "unsubscribed", topic: "b" })
  for (const promise of both) assert.equal(await outcome(promise), "done")
})

test("who leaves ends the wait of who subscribes", async (t) => {
  const { client, live } = startCore(t)
  const promise = client.subscribe("a")
  const socket = await live()
  const left = client.unsubscribe("a")
  assert.equal(await outcome(promise), "unsubscribed")
  socket.say(answer())
  assert.deepEqual((await asked(socket)).slice(-1), ["unsubscribe a"])
  socket.say({ type: "unsubscribed", topic: "a" })
  assert.equal(await outcome(left), "done")
})

test("leave and come back: ended and begun anew, from where the page says that it is", async (t) => {
  const { client, socket, heard } = await subscribed(t, { since: "k1:4" }, { resume: "up_to_date", head: 4 })
  topic(socket, 1, "a", 5, 6, 7)
  await heard()
  const left = client.unsubscribe("a")
  const back = client.subscribe("a", { since: "k1:5" })
  assert.deepEqual(await asked(socket), ["unsubscribe a"])
  topic(socket, 4, "a", 8)
  socket.say({ type: "unsubscribed", topic: "a" })
  assert.equal(await outcome(left), "done")
  assert.deepEqual(await asked(socket), ["subscribe a k1:5"])
  socket.say(answer({ resume: "replay", head: 8 }))
  topic(socket, 5, "a", 6, 7, 8)
  assert.equal((await back).resume, "replay")
  assert.deepEqual(await heard(), ["frame 5", "frame 6", "frame 7"])
})

test("subscribing to what is followed asks what the broker holds, and changes nothing", async (t) => {
  const { client, socket, heard } = await subscribed(t, undefined, { head: 4 })
  const promise = client.subscribe("a", { history: 9 })
  assert.deepEqual(await asked(socket), ["subscribe a k1:4"])
  socket.say(answer({ resume: "up_to_date", head: 4 }))
  assert.equal((await promise).resume, "up_to_date")
  topic(socket, 1, "a", 5)
  assert.deepEqual(await heard(), ["frame 1"])
})

test("P-19: an end that the page had not asked for is told, and is not asked for again", async (t) => {
  const { net, clock, client, socket, heard } = await subscribed(t)
  socket.say({ type: "unsubscribed", topic: "a" })
  assert.deepEqual(await heard(), ['unsubscribed {"closed":false,"topic":"a"}'])
  assert.equal(client.topicCursor("a"), "")
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date" })
  assert.deepEqual(await asked(next), [])
})

test("P-32: a topic's last frame ends it, behind that frame", async (t) => {
  const { socket, heard } = await subscribed(t, undefined, { head: 4 })
  topic(socket, 1, "a", 5)
  socket.say({ seq: 2, topic: "a", topic_seq: 6, type: "topic_closed" })
  assert.deepEqual(await heard(), ["frame 1", "frame 2", 'unsubscribed {"closed":true,"topic":"a"}'])
})

test("P-32: a closed topic: its history, and then its end", async (t) => {
  const { socket, heard } = await subscribed(t, { history: 2 }, { floor: 0, head: 4, closed: true })
  assert.deepEqual(await heard(), [])
  topic(socket, 1, "a", 3)
  socket.say({ seq: 2, topic: "a", topic_seq: 4, type: "topic_closed" })
  assert.deepEqual(await heard(), ["frame 1", "frame 2", 'unsubscribed {"closed":true,"topic":"a"}'])
})

test("P-32: a closed topic of which nothing is to come ends at once", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { client, live, heard } = start(t)
  const promise = client.subscribe("a")
  const socket = await live()
  socket.say(answer({ head: 4, closed: true }))
  assert.equal((await promise).closed, true)
  assert.deepEqual(await heard(), ['unsubscribed {"closed":true,"topic":"a"}'])
})

test("what cannot be subscribed to is refused here", async (t) => {
  const { client, live } = startCore(t)
  const socket = await live()
  const wrong = [["_all"], ["a..b"], ["a.*", { history: 3 }], [">", { since: "k1:3" }], ["a", { since: "k1:3", history: 3 }], ["a", { since: "3" }], ["a", { since: "k1" }], ["a b"]]
  for (const [name, options] of wrong) assert.match(await outcome(client.subscribe(name, options)), /bad_request|bad_cursor/, `${name} ${JSON.stringify(options)}`)
  assert.equal(await outcome(client.unsubscribe("_all")), "bad_request")
  assert.deepEqual(await asked(socket), [])
})
