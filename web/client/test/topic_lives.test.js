import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { start, startCore } from "./client.js"
import { answer, asked, subscribed, topic } from "./following.js"

test("P-19: a hole is told before the frame behind it, and counted", async (t) => {
  const { client, socket, heard } = await subscribed(t, undefined, { head: 4 })
  topic(socket, 1, "a", 5, 9)
  assert.deepEqual(await heard(), ["frame 1", 'topic_hole {"from":6,"to":8,"topic":"a"}', "frame 2"])
  assert.equal(client.stats.topicHoles, 3)
})

test("P-32: patterns: their topics are counted from the first frame on, each by itself", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { client, live, heard } = startCore(t)
  const promise = client.subscribe("jobs.*")
  const socket = await live()
  socket.say({ type: "subscribed", topic: "jobs.*", resume: "fresh" })
  assert.equal((await promise).resume, "fresh")
  topic(socket, 1, "jobs.1", 7, 8)
  topic(socket, 3, "jobs.2", 1)
  topic(socket, 4, "jobs.1", 10)
  topic(socket, 5, "jobs.1", 3)
  assert.deepEqual(await heard(), [
    "frame 1", "frame 2", "frame 3", 'topic_hole {"from":9,"to":9,"topic":"jobs.1"}', "frame 4",
    'topic_reset {"reason":"epoch","snapshot":false,"topic":"jobs.1"}', "frame 5",
  ])
  client.unsubscribe("jobs.*")
  socket.say({ type: "unsubscribed", topic: "jobs.*" })
  topic(socket, 6, "jobs.1", 9)
  assert.deepEqual(await heard(), ["frame 6"], "what follows is counted anew")
})

test("P-32: a name beside a pattern goes on from where it stands", async (t) => {
  const { client, live, heard } = startCore(t)
  client.subscribe("jobs.*")
  const socket = await live()
  socket.say({ type: "subscribed", topic: "jobs.*", resume: "fresh" })
  topic(socket, 1, "jobs.1", 7)
  client.subscribe("jobs.1")
  socket.say(answer({ topic: "jobs.1", resume: "up_to_date", head: 9 }))
  assert.equal(client.topicCursor("jobs.1"), "k1:7")
  topic(socket, 2, "jobs.1", 8, 9, 10)
  assert.deepEqual((await heard()).slice(-4), ["frame 1", "frame 2", "frame 3", "frame 4"])
})

test("a topic that was born again: told by a reset, and all of its new log comes", async (t) => {
  const { net, clock, socket, heard, client } = await subscribed(t, undefined, { head: 4 })
  topic(socket, 1, "a", 5)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date", head: 1 })
  assert.deepEqual(await asked(next), ["subscribe a k1:5"])
  await heard()
  next.say(answer({ epoch: "k2", resume: "too_old", reason: "epoch", head: 2 }))
  topic(next, 2, "a", 1, 2)
  assert.deepEqual(await heard(), ['topic_reset {"cursor":"k2:0","reason":"epoch","snapshot":false,"topic":"a"}', "frame 2", "frame 3"])
  assert.equal(client.topicCursor("a"), "k2:2")
})

test("a topic that was born again and subscribed by another connection: what came of it was not known for what it is, and comes again", async (t) => {
  const { net, clock, socket, heard } = await subscribed(t, undefined, { head: 4 })
  topic(socket, 1, "a", 5)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "replay", head: 2 })
  topic(next, 2, "a", 1)
  next.say({ type: "replay_end", seq: 2 })
  next.say(answer({ epoch: "k2", resume: "up_to_date", head: 1 }))
  assert.deepEqual((await asked(next)).slice(-1), ["unsubscribe a"])
  next.say({ type: "unsubscribed", topic: "a" })
  assert.deepEqual(await asked(next), ["subscribe a k1:5"])
  await heard()
  next.say(answer({ epoch: "k2", resume: "too_old", reason: "epoch", head: 1 }))
  topic(next, 3, "a", 1, 2)
  assert.deepEqual(await heard(), ['topic_reset {"cursor":"k2:0","reason":"epoch","snapshot":false,"topic":"a"}', "frame 3", "frame 4"])
})

test("where even that brings the same, a hole is told", async (t) => {
  const { net, clock, socket, heard } = await subscribed(t, undefined, { head: 4 })
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date", head: 0 })
  for (const n of [1, 2]) {
    next.say(answer({ epoch: "k2", resume: "up_to_date", head: 3 }))
    if (n == 1) next.say({ type: "unsubscribed", topic: "a" })
  }
  assert.deepEqual((await asked(next)).slice(-2), ["unsubscribe a", "subscribe a k1:4"])
  topic(next, 1, "a", 4)
  assert.deepEqual((await heard()).slice(-3), [
    'topic_reset {"cursor":"k2:0","reason":"epoch","snapshot":false,"topic":"a"}', 'topic_hole {"from":1,"to":3,"topic":"a"}', "frame 1",
  ])
})

test("P-30: the topic cursor is where the application is, and not where the connection is", async (t) => {
  let open
  const hold = new Promise((resolve) => (open = resolve))
  const { client, socket } = await subscribed(t, undefined, { head: 4 }, { onFrame: ({ seq }) => seq == 1 && hold })
  topic(socket, 1, "a", 5, 6, 7)
  await settle()
  assert.equal(client.topicCursor("a"), "k1:5")
  open()
  await settle()
  assert.equal(client.topicCursor("a"), "k1:7")
})

test("restart begins again with the history, and leaves the others where they are", async (t) => {
  const { client, live, heard, socket } = await subscribed(t, { history: 9 }, { head: 2 })
  client.subscribe("b")
  socket.say(answer({ topic: "b", epoch: "m1", head: 3 }))
  topic(socket, 1, "a", 1, 2)
  topic(socket, 3, "b", 4)
  client.restart()
  const next = await live({ head: 3, floor: 3 })
  const said = next.got.filter(({ type }) => /subscribe/.test(type))
  assert.deepEqual(said, [{ type: "unsubscribe", topic: "a" }, { type: "subscribe", topic: "b", since: "m1:4" }])
  next.say({ type: "unsubscribed", topic: "a" })
  assert.deepEqual(await asked(next), ["subscribe a 9"])
  next.say(answer({ head: 2 }))
  next.say(answer({ topic: "b", epoch: "m1", resume: "up_to_date", head: 4 }))
  topic(next, 4, "a", 1, 2)
  topic(next, 6, "b", 5)
  assert.deepEqual(await heard(), ["frame 4", "frame 5", "frame 6"])
})

test("restart loses nothing of what had come and was not handed over yet", async (t) => {
  let open
  const hold = new Promise((resolve) => (open = resolve))
  const { client, live, heard, socket } = await subscribed(t, undefined, { head: 4 }, { onFrame: ({ seq }) => seq == 1 && hold })
  topic(socket, 1, "a", 5, 6)
  socket.say({ type: "unsubscribed", topic: "a" })
  client.restart()
  await live({ head: 2, floor: 2 })
  open()
  assert.match((await heard()).join("\n"), /^frame 2\nunsubscribed {"closed":false,"topic":"a"}\nreset {.*"restart".*\nresume .*$/)
})

test("what is dropped while a queue is full comes again with the next connection: also what is said of topics", async (t) => {
  let open
  const hold = new Promise((resolve) => (open = resolve))
  const { net, clock, client, socket, heard } = await subscribed(t, undefined, { head: 4 }, { queueFrames: 1, onFrame: ({ seq }) => seq == 1 && hold })
  socket.frames(1, 3)
  topic(socket, 4, "a", 5)
  client.subscribe("b", {}).catch(() => {})
  socket.say(answer({ topic: "b", head: 7 }))
  socket.say({ type: "snapshot", topic: "a", as_of: 5, data: 1 })
  socket.say({ type: "unsubscribed", topic: "a" })
  open()
  await clock.pass(1)
  assert.deepEqual((await heard()).filter((line) => !/^(offline|connecting)/.test(line)), ["frame 1", "frame 2"])
  const next = await net.accept()
  next.hello({ resume: "replay", head: 4 })
  next.frames(3)
  topic(next, 4, "a", 5)
  next.say({ type: "unsubscribed", topic: "a" })
  next.say({ type: "replay_end", seq: 4 })
  assert.deepEqual(await asked(next), ["subscribe b"])
  assert.deepEqual((await heard()).filter((line) => /^(frame|unsub|topic)/.test(line)), ["frame 3", "frame 4", 'unsubscribed {"closed":false,"topic":"a"}'])
})

test("a frame that is left out moves no topic cursor", async (t) => {
  const { client, socket, heard } = await subscribed(t, { since: "k1:4" }, { resume: "up_to_date", head: 4 })
  topic(socket, 1, "a", 5, 3)
  assert.equal(client.topicCursor("a"), "k1:5")
  client.unsubscribe("a").catch(() => {})
  client.subscribe("a", { history: 2 }).catch(() => {})
  topic(socket, 3, "a", 6)
  await heard()
  assert.equal(client.topicCursor("a"), "k1:5")
  assert.equal(client.stats.topicRepeats, 2)
})

test("frames of an earlier life, whose epoch nobody had told: seen by the head that is answered", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, client, heard } = start(t)
  client.subscribe("a")
  const socket = await net.accept()
  socket.hello({ head: 1 })
  topic(socket, 1, "a", 9)
  socket.say({ type: "replay_end", seq: 1 })
  await heard()
  socket.say(answer({ epoch: "k2", resume: "up_to_date", head: 0 }))
  topic(socket, 2, "a", 1)
  assert.deepEqual(await heard(), ['topic_reset {"reason":"epoch","snapshot":false,"topic":"a"}', "frame 2"])
  assert.equal(client.topicCursor("a"), "k2:1")
})

test("P-30: after pruned the same frames go on, and what is missing of a topic is a hole; after anything else they come again", async (t) => {
  for (const reason of ["pruned", "epoch"]) {
    await t.test(reason, async (t) => {
      t.mock.method(Math, "random", () => 0)
      const { net, clock, live, client, heard } = start(t)
      client.subscribe("p.*")
      const socket = await live()
      socket.say({ type: "subscribed", topic: "p.*", resume: "fresh" })
      socket.say({ type: "snapshot", topic: "b", as_of: 2, data: 0 })
      topic(socket, 1, "p.1", 4, 5)
      topic(socket, 3, "b", 3)
      socket.end()
      await clock.pass(1)
      const next = await net.accept()
      next.hello({ resume: "too_old", reason, epoch: reason == "epoch" ? "e2" : "e1", floor: 9, head: 11, missed: 8 })
      await heard()
      topic(next, 10, "p.1", 5 + 3)
      topic(next, 11, "b", 3 + 2)
      const holes = ['topic_hole {"from":6,"to":7,"topic":"p.1"}', "frame 10", 'topic_hole {"from":4,"to":4,"topic":"b"}', "frame 11"]
      assert.deepEqual(await heard(), reason == "pruned" ? holes : ["frame 10", "frame 11"])
    })
  }
})

test("a name beside a pattern, whose frames had come already: what a cursor brings again is dropped", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { live, client, heard } = start(t)
  const socket = await live()
  topic(socket, 1, "a", 4, 5)
  client.subscribe("a", { since: "k1:3" })
  await heard()
  socket.say(answer({ resume: "replay", head: 5 }))
  topic(socket, 3, "a", 4, 5, 6)
  assert.deepEqual(await heard(), ["frame 5"])
})
