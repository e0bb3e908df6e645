import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { settle } from "./clock.js"
import { outcome, start, startCore } from "./client.js"

const { cases: closes } = JSON.parse(readFileSync(new URL("../../../protocol/testdata/vectors/closes.json", import.meta.url)))

for (const { code, name, stops } of [...closes, { code: 1006, name: "a cut", stops: false }, { code: 4499, name: "unknown", stops: false }, { code: 4599, name: "unknown", stops: true }]) {
  test(`P-22: ${code} ${name}: ${stops ? "stops" : "comes back with its cursor"}`, async (t) => {
    t.mock.method(Math, "random", () => 0.5)
    const { net, clock, client, live, heard } = startCore(t)
    const socket = await live()
    socket.frames(1, 2)
    await heard()
    socket.end(code)
    if (!stops) {
      assert.deepEqual(await heard(), [`offline ${code}`, "waiting 250"])
      await clock.pass(249)
      assert.deepEqual(net.take(), [])
      await clock.pass(1)
      assert.equal((await net.accept()).query.since, "e1:2")
      return
    }
    assert.deepEqual(await heard(), [`stopped ${code}`])
    assert.equal(client.state.error.name, "RestanteError")
    await clock.pass(600_000)
    assert.deepEqual(net.take(), [])
    assert.equal(clock.pending, 0, "no timer is left")
    assert.equal(client.cursor, code == 4504 ? "" : "e1:2", "P-22: who is deleted forgets its cursor")
    assert.equal(await outcome(client.send("x", { type: "t" })), "closed")
    assert.equal(await outcome(client.subscribe("x")), "closed")
    assert.equal(await outcome(client.unsubscribe("x")), "closed")
  })
}

test("P-21: why an attach was refused is told, and stands in the state", async (t) => {
  const { net, client, heard } = startCore(t)
  const socket = await net.accept()
  socket.say({ type: "error", code: "forbidden", message: "not as this client" })
  socket.end(4503)
  assert.deepEqual(await heard(), ["connecting", "error forbidden", "stopped 4503"])
  assert.deepEqual([client.state.error.code, client.state.error.message], ["forbidden", "not as this client"])
})

test("P-22: a refused cursor is dropped, and the attach made once without", async (t) => {
  const { net, clock, heard } = startCore(t, { since: "e1:5" })
  const first = await net.accept()
  first.say({ type: "error", code: "bad_cursor", message: "" })
  first.end(4501)
  await clock.pass(1)
  assert.deepEqual(await heard(), ["connecting", "error bad_cursor", "offline 4501", "connecting"])
  const second = await net.accept()
  assert.equal(second.query.since, undefined)
  second.hello({ epoch: "e7", floor: 3, head: 3 })
  second.say({ type: "replay_end", seq: 3 })
  assert.match((await heard()).join("\n"), /reset {"cursor":"e7:3","reason":"bad_cursor","snapshot":false}/)
})

test("P-22: a cursor that is refused twice, and any other 4501, stops", async (t) => {
  const { net, clock, heard } = startCore(t, { since: "e1:5" })
  for (const n of [1, 2]) {
    const socket = await net.accept()
    socket.say({ type: "error", code: "bad_cursor", message: "" })
    socket.end(4501)
    await clock.pass(n)
  }
  assert.equal((await heard()).pop(), "stopped 4501")
  assert.deepEqual(net.take(), [])
})

test("P-22: a 4501 for something else stops, also with a cursor", async (t) => {
  const { net, heard } = startCore(t, { since: "e1:5" })
  const socket = await net.accept()
  socket.say({ type: "error", code: "bad_request", message: "" })
  socket.end(4501)
  assert.equal((await heard()).pop(), "stopped 4501")
})

test("P-24: delays double from 0.5 to 30 s, with full jitter, and there is no limit to the tries", async (t) => {
  t.mock.method(Math, "random", () => 0.999_999)
  const { net, clock, heard } = startCore(t)
  net.down = 1006
  const waits = []
  while (waits.length < 12) {
    await clock.pass(1000)
    for (const line of await heard()) if (/^waiting/.test(line)) waits.push(+line.slice(8))
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000])
})

test("P-24: the options of the backoff, and jitter down to nothing", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, heard } = startCore(t, { backoff: { min: 10, max: 20 } })
  net.down = 1006
  await clock.pass(200)
  assert.ok(net.sockets.length > 5)
  assert.deepEqual([...new Set(await heard())].sort(), ["connecting", "offline 1006"])
})

test("P-24: failures count until a connection has lived 30 s past its replay", async (t) => {
  t.mock.method(Math, "random", () => 0.999_999)
  const { net, clock, live, heard } = startCore(t)
  const lives = async (ms) => {
    const socket = await live()
    await clock.pass(ms)
    socket.end()
    const [, wait] = await heard()
    await clock.pass(+(wait ?? "waiting 1").slice(8))
    return wait
  }
  assert.equal(await lives(1000), "waiting 500")
  assert.equal(await lives(29_000), "waiting 1000")
  assert.equal(await lives(30_000), undefined, "the first try is made at once")
  assert.equal(await lives(0), "waiting 500")
})

test("P-23: goaway is obeyed, and by who wants to hurry as well", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, live, heard } = startCore(t)
  const socket = await live()
  socket.say({ type: "goaway", retry_after_ms: 12_000 })
  socket.end(4002)
  assert.deepEqual(await heard(), ["offline 4002", "waiting 12000"])
  await clock.pass(5_000)
  client._hurry()
  await clock.pass(6_999)
  assert.deepEqual(net.take(), [])
  await clock.pass(1)
  assert.equal(net.take().length, 1)
})

test("P-24: who hurries does not wait for the backoff", async (t) => {
  t.mock.method(Math, "random", () => 0.999_999)
  const { net, clock, client, live } = startCore(t)
  const socket = await live()
  socket.end()
  await clock.pass(100)
  assert.deepEqual(net.take(), [])
  client._hurry()
  await clock.pass(1)
  assert.equal(net.take().length, 1)
  client._hurry()
  await clock.pass(1)
  assert.equal(net.take().length, 0, "while it connects there is nothing to hurry")
})

test("what the broker asks for is obeyed up to 5 minutes, and hurrying makes it no longer", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, live } = startCore(t)
  const socket = await live()
  socket.say({ type: "error", code: "overloaded", message: "", retry_after_ms: 86_400_000 })
  socket.end(4004)
  await settle()
  assert.deepEqual(client.state, { name: "waiting", ms: 300_000 })
  client._hurry()
  await clock.pass(299_999)
  assert.deepEqual(net.take(), [])
  await clock.pass(1)
  assert.equal(net.take().length, 1)
})

test("P-17: a handshake has 10 s", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, heard } = startCore(t)
  const first = await net.accept()
  await clock.pass(9_999)
  assert.equal(first.closed, undefined)
  await clock.pass(2)
  assert.equal(first.closed, 3001)
  assert.deepEqual(await heard(), ["connecting", "offline 4000", "connecting"])
})

test("P-17: silence of both times that hello says, and then it comes back", async (t) => {
  const { clock, live, heard } = startCore(t)
  const socket = await live({ ping_interval_ms: 30_000, pong_timeout_ms: 20_000 })
  await clock.pass(40_000)
  socket.say({ type: "ping", head: 3 })
  assert.deepEqual(await socket.got.pop(), { type: "pong" })
  await clock.pass(49_000)
  assert.equal(socket.closed, undefined)
  await clock.pass(3_000)
  assert.equal(socket.closed, 3001)
  assert.match((await heard()).join(), /^offline 4000/)
})

test("P-17: an operator may have turned it off", async (t) => {
  const { clock, live } = startCore(t)
  const socket = await live({ ping_interval_ms: 0, pong_timeout_ms: 0 })
  await clock.pass(3_600_000)
  assert.equal(socket.closed, undefined)
})

test("P-22: only the current connection is obeyed", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, live, heard } = startCore(t)
  const first = await live()
  const { onmessage, onclose } = first
  await clock.pass(61_500) // silence
  assert.equal(first.closed, 3001)
  const second = await net.accept()
  second.hello({ resume: "up_to_date" })
  await heard()
  onmessage({ data: '{"seq":1,"type":"t"}' })
  onmessage({ data: '{"type":"goaway","retry_after_ms":30000}' })
  onclose({ code: 4500 })
  assert.deepEqual(await heard(), [])
  assert.equal(client.state.name, "live")
  second.end()
  assert.deepEqual(await heard(), ["offline 1006"])
})

test("an error of the constructor is told, and tried again", async (t) => {
  t.mock.method(Math, "random", () => 0.999)
  class None {
    constructor() {
      throw new SyntaxError("no")
    }
  }
  const { clock, client, heard } = startCore(t, { WebSocket: None })
  const errors = []
  client.addEventListener("error", ({ detail }) => errors.push(detail))
  await clock.pass(1500)
  assert.deepEqual((await heard()).slice(0, 5), ["connecting", "error offline", "offline 0", "waiting 500", "connecting"])
  assert.equal(errors[0].cause.message, "no")
})

test("an id that cannot be had is told, and asked for again", async (t) => {
  let times = 0
  const { net, clock, heard } = startCore(t, { clientId: { then: (resolve, reject) => (++times == 1 ? reject(new Error("no")) : resolve("late")) } })
  assert.deepEqual((await heard()).slice(0, 3), ["connecting", "error offline", "offline 0"])
  await clock.pass(500)
  assert.equal((await net.accept()).query.client_id, "late")
})

test("close acks, closes with 1000, says so once, and leaves nothing behind", async (t) => {
  const { clock, client, live, heard } = start(t)
  const socket = await live()
  socket.frames(1)
  const send = client.send("x", { type: "t" })
  const subscribe = client.subscribe("a")
  const unsubscribe = client.unsubscribe("b")
  client.close()
  assert.equal(socket.got.filter(({ type }) => type == "ack").pop().seq, 1)
  assert.equal(socket.closed, 1000)
  for (const promise of [send, subscribe, unsubscribe]) assert.equal(await outcome(promise), "closed")
  assert.deepEqual(await heard(), ["frame 1", "stopped 1000"])
  assert.equal(client.pending.length, 1, "what has no receipt is kept")
  socket.frames(2)
  await clock.pass(3_600_000)
  assert.deepEqual(await heard(), [])
  assert.equal(clock.pending, 0)
})

for (const when of ["connecting", "offline", "waiting", "catching_up", "live", "frame", "resume", "reset", "error"]) {
  test(`close in a listener of ${when} is the end`, async (t) => {
    t.mock.method(Math, "random", () => 0.5)
    const { net, clock, client, heard } = start(t, { since: "e1:5" })
    client.addEventListener(when, () => client.close())
    await settle()
    const attach = async () => {
      const [socket] = net.take()
      if (!socket) return
      socket.hello({ resume: "too_old", reason: "pruned", floor: 7, head: 9 })
      socket.frames(8, 9)
      socket.say({ type: "replay_end", seq: 9 })
      socket.say({ type: "error", code: "bad_json", message: "" })
      await settle()
      socket.end()
      await clock.pass(1000)
    }
    await attach()
    await attach()
    await clock.pass(120_000)
    const told = await heard()
    assert.equal(told.filter((line) => line == "stopped 1000").length, 1, told.join("\n"))
    assert.equal(told.filter((line) => /^(connecting|catching_up|live|offline|waiting|stopped)/.test(line)).pop(), "stopped 1000", told.join("\n"))
    assert.equal(clock.pending, 0)
    assert.deepEqual(net.sockets.filter(({ readyState }) => readyState < 2), [])
  })
}

test("restart in a listener of offline begins anew, once", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  const { net, clock, client, live } = start(t)
  const socket = await live()
  client.addEventListener("offline", () => client.restart(), { once: true })
  socket.end()
  await clock.pass(5_000)
  assert.equal(net.take().length, 1)
})

test("P-10: restart drops the cursor, and tells before anything else", async (t) => {
  const { net, client, live, heard } = start(t)
  const socket = await live()
  socket.frames(1, 3)
  await heard()
  client.restart()
  assert.equal(socket.closed, 1000)
  assert.deepEqual(await heard(), ["connecting"])
  const next = await net.accept()
  assert.equal(next.query.since, undefined)
  next.hello({ floor: 1, head: 3, lost: 1 })
  next.frames(2, 3)
  next.say({ type: "replay_end", seq: 3 })
  const [, reset, ...rest] = await heard()
  assert.equal(reset, 'reset {"cursor":"e1:1","reason":"restart","snapshot":false}')
  assert.match(rest.join("\n"), /^frame 2\nframe 3\nresume .*"reason":"restart".*\nlive$/)
})

test("restart when stopped, also by another: it lives again", async (t) => {
  const { client, live, heard } = start(t)
  for (const end of [() => client.close(), (socket) => socket.end(4500), (socket) => socket.end(4504)]) {
    const socket = await live()
    end(socket)
    assert.match((await heard()).join(), /stopped/)
    client.restart()
    assert.equal(client.state.name, "connecting")
    assert.equal(await outcome(client.send("x", { type: "t" })), "pending")
  }
  const socket = await live()
  assert.equal(socket.query.since, undefined)
  assert.equal((await socket.got).filter(({ type }) => type == "send").length, 1, "what was kept is sent, one at a time for a target")
})
