import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { start, startCore } from "./client.js"

const jwt = (exp) => `h.${Buffer.from(JSON.stringify({ exp, name: "ÿ?>" })).toString("base64url")}.s`

// tokens is a callback that names its tokens t1, t2 …
const tokens = (seconds) => {
  const callback = () => {
    const token = `t${++callback.times}`
    return seconds ? { token, expiresAt: Date.now() + seconds * 1000 } : token
  }
  callback.times = 0
  return callback
}

test("the callback is asked before each attach, also after 4401", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, live, heard } = startCore(t, { token: tokens() })
  const first = await live()
  assert.equal(first.token, "t1")
  first.end(4401)
  assert.deepEqual(await heard(), ["offline 4401"])
  await clock.pass(1)
  assert.equal((await net.accept()).token, "t2")
})

test("a token that is text is used each time", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, live } = start(t, { token: "abc" })
  const first = await live()
  first.end()
  await clock.pass(1)
  assert.deepEqual([first.token, (await net.accept()).token], ["abc", "abc"])
})

test("a callback that fails is told, and asked again", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  let times = 0
  const { net, clock, client, heard } = start(t, {
    token: async () => {
      if (++times < 3) throw new Error("no")
      return "t"
    },
  })
  const causes = []
  client.addEventListener("error", ({ detail }) => causes.push(detail.cause.message))
  assert.deepEqual(await heard(), ["connecting", "error offline", "offline 0", "waiting 250"])
  await clock.pass(1_000)
  assert.equal((await net.accept()).token, "t")
  assert.deepEqual(causes, ["no", "no"])
})

// swap lets the client make its attach beside the connection, and takes it.
const swap = async (net, hello) => {
  const next = await net.accept()
  next.hello({ resume: "up_to_date", ...hello })
  await settle()
  return next
}

for (const [name, token, wait] of [
  ["expiresAt", tokens(60), 48_000],
  ["expiresAt, far off", tokens(600), 570_000],
  ["the exp of a JWT", () => jwt(Math.floor(Date.now() / 1000) + 60), 47_000],
]) {
  test(`before a token expires (${name}) there is another connection with the next, and nothing is seen of it`, async (t) => {
    const { net, clock, client, live, heard } = start(t, { token })
    const first = await live({ ping_interval_ms: 0, pong_timeout_ms: 0 })
    first.frames(1, 3)
    const promise = client.send("a", { type: "t" })
    await heard()
    await clock.pass(wait - 100)
    assert.deepEqual(net.take(), [])
    await clock.pass(1_200)
    const next = await net.accept()
    assert.notEqual(next.token, first.token)
    assert.equal(next.query.since, "e1:3")
    assert.equal(first.closed, undefined)
    first.frames(4, 5)
    next.hello({ resume: "replay", head: 5 })
    assert.equal(first.closed, 3001)
    first.frames(6)
    next.frames(4, 6)
    next.say({ type: "replay_end", seq: 5 })
    assert.deepEqual(await heard(), ["frame 4", "frame 5", "frame 6"])
    assert.equal(client.state.name, "live")
    const [again] = next.got.filter(({ type }) => type == "send")
    next.say({ type: "receipt", id: again.id, status: "duplicate", epoch: "x", seq: 1 })
    assert.equal((await promise).status, "duplicate")
    await clock.pass(6_000)
    assert.equal(next.got.filter(({ type }) => type == "ack").pop().seq, 6)
  })
}

test("it goes on like this, with each token once", async (t) => {
  const token = tokens(60)
  const { net, clock, live } = start(t, { token })
  const sockets = [await live()]
  for (let i = 0; i < 5; i++) {
    await clock.pass(48_000)
    sockets.push(await swap(net))
  }
  assert.deepEqual(sockets.map(({ token }) => token), ["t1", "t2", "t3", "t4", "t5", "t6"])
  assert.equal(sockets.filter(({ readyState }) => readyState == 1).length, 1)
  assert.equal(token.times, 6)
})

test("a standby that has lost its place starts over, and the application is told", async (t) => {
  const { net, clock, live, heard } = start(t, { token: tokens(60) })
  const first = await live()
  first.frames(1)
  await clock.pass(48_000)
  await heard()
  const next = await net.accept()
  next.hello({ resume: "too_old", reason: "epoch", epoch: "e2", floor: 0, head: 1 })
  next.frames(1)
  next.say({ type: "replay_end", seq: 1 })
  assert.match((await heard()).join("\n"), /^reset {"cursor":"e2:0","reason":"epoch","snapshot":false}\nframe 1\nresume .*"mode":"too_old".*/)
})

test("P-15: a client that has taken over does not take over from itself", async (t) => {
  const { net, clock, live } = start(t, { token: tokens(60), takeover: true })
  const first = await live()
  assert.equal(first.query.attach, "takeover")
  await clock.pass(48_000)
  assert.equal((await net.accept()).query.attach, undefined)
})

for (const how of ["refused", "cut", "silent", "stopping"]) {
  test(`a standby that is ${how} leaves the connection alone`, async (t) => {
    const { net, clock, live, heard } = start(t, { token: tokens(60) })
    const first = await live()
    await clock.pass(48_000)
    const next = await net.accept()
    if (how == "refused") next.say({ type: "error", code: "forbidden", message: "" })
    if (how == "refused" || how == "stopping") next.end(4503)
    if (how == "cut") next.end()
    await clock.pass(11_000)
    assert.equal(next.readyState, 3)
    first.frames(1)
    assert.deepEqual(await heard(), ["frame 1"])
    assert.equal(first.closed, undefined)
  })
}

test("where the connection ends before its standby has come, both end, and one comes back", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  const { net, clock, live, heard } = start(t, { token: tokens(60) })
  const first = await live()
  await clock.pass(48_000)
  const standby = await net.accept()
  first.end()
  assert.equal(standby.closed, 3001)
  standby.hello({ resume: "up_to_date" })
  await clock.pass(500)
  const next = await net.accept()
  next.hello({ resume: "up_to_date" })
  await clock.pass(20_000)
  assert.equal(net.sockets.filter(({ readyState }) => readyState < 2).length, 1)
  assert.equal((await heard()).pop(), "live")
})

test("a callback that fails when it is time is told, and the connection goes on", async (t) => {
  let times = 0
  const token = async () => {
    if (++times > 1) throw new Error("no")
    return { token: "t", expiresAt: Date.now() + 60_000 }
  }
  const { clock, live, heard } = start(t, { token })
  const first = await live()
  await clock.pass(50_000)
  assert.deepEqual(await heard(), ["error token"])
  assert.equal(first.closed, undefined)
})

test("a token that comes after the end begins nothing", async (t) => {
  let give
  const token = () => new Promise((resolve) => (give = resolve))
  const { net, clock, client } = start(t, { token })
  await settle()
  client.close()
  give({ token: "late", expiresAt: Date.now() + 60_000 })
  await clock.pass(120_000)
  assert.deepEqual(net.sockets, [])
  assert.equal(clock.pending, 0)
})

test("a token that comes after a restart does not make a second connection", async (t) => {
  const gives = []
  const token = () => new Promise((resolve) => gives.push(resolve))
  const { net, client } = start(t, { token })
  await settle()
  client.restart()
  await settle()
  for (const give of gives) give("t")
  await settle()
  assert.equal(net.sockets.length, 1)
})
