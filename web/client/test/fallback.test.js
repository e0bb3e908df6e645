import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { start } from "./client.js"
import { hello } from "./upstream.js"

// Streams are what fetch brings: answer(n) is what becomes of the nth, "stream" for one that says hello, a status for one that is refused, and undefined for no network.
class Streams {
  opened = []

  constructor(t, answer) {
    const { fetch } = globalThis
    globalThis.fetch = async (url, { signal, method = "GET" } = {}) => {
      if (method == "POST") return new Response(null, { status: 204 })
      const stream = { url, aborted: false }
      this.opened.push(stream)
      const how = answer(this.opened.length)
      if (how === undefined) throw new TypeError("fetch failed")
      if (how != "stream") return new Response("<p>no", { status: how, headers: { "Content-Type": "text/html" } })
      const body = new ReadableStream({ start: (controller) => (stream.controller = controller) })
      signal.addEventListener("abort", () => {
        stream.aborted = true
        stream.controller.error(signal.reason)
      })
      const since = new URL(url).searchParams.get("since")
      const resume = since ? { resume: "up_to_date", epoch: "e1", floor: 0, head: +since.split(":")[1] } : {}
      stream.say = (message, event = message.type) => stream.controller.enqueue(new TextEncoder().encode(`${event ? `event: ${event}\n` : ""}data: ${JSON.stringify(message)}\n\n`))
      stream.say(hello({ ping_interval_ms: 0, pong_timeout_ms: 0, ...resume }))
      if (!since) stream.say({ type: "replay_end", seq: 0 })
      return new Response(body, { status: 200, headers: { "Content-Type": "text/event-stream" } })
    }
    t.after(() => (globalThis.fetch = fetch))
  }
}

// rest lets what fetch brings come in, which takes some turns of the loop.
const rest = async () => {
  for (let i = 0; i < 20; i++) await settle()
}

const pass = async (clock, ms) => {
  for (let i = 0; i < 10; i++) {
    await clock.pass(ms / 10)
    await rest()
  }
}

const auto = (t, answer, options) => {
  t.mock.method(Math, "random", () => 0.5)
  const streams = new Streams(t, answer)
  const made = start(t, { transport: "auto", events: ["state", "frame", "reset"], ...options })
  return { ...made, streams }
}

test("two sockets in a row that come to no hello: then it is a stream", async (t) => {
  const { net, clock, client, streams, heard } = auto(t, () => "stream")
  net.down = 1006
  await pass(clock, 300)
  assert.equal(net.sockets.length, 2)
  assert.equal(streams.opened.length, 0)
  await pass(clock, 1000)
  assert.equal(streams.opened.length, 1)
  assert.match(streams.opened[0].url, /^http:\/\/broker\.test\/v1\/clients\/tab\/events\?/)
  assert.equal(client.state.name, "live")
  assert.equal(client.stats.transport, "sse")
  streams.opened[0].say({ seq: 1, type: "t" }, "")
  await rest()
  assert.equal((await heard()).pop(), "frame 1")
  assert.equal(client.cursor, "e1:1")
})

test("one that has come to a hello in between counts anew", async (t) => {
  const { net, clock, streams, live } = auto(t, () => "stream")
  const cut = await net.accept()
  cut.end()
  await pass(clock, 400)
  const well = await live()
  well.end()
  await pass(clock, 600)
  ;(await net.accept()).end()
  await pass(clock, 2000)
  assert.equal(streams.opened.length, 0)
})

test("a refusal, and a goaway, are the broker's word, and nothing against sockets", async (t) => {
  const { net, clock, streams } = auto(t, () => "stream")
  for (let i = 0; i < 4; i++) {
    const socket = await net.accept()
    if (i % 2) socket.say({ type: "goaway", retry_after_ms: 100 })
    else socket.say({ type: "error", code: "overloaded", message: "" })
    socket.end(i % 2 ? 4002 : 4004)
    await pass(clock, 5000)
  }
  assert.equal(streams.opened.length, 0)
  assert.equal(net.take().length, 1)
})

test("it climbs back, beside the stream, and nothing is seen of it", async (t) => {
  const { net, clock, client, streams, heard } = auto(t, () => "stream")
  net.down = 1006
  await pass(clock, 1000)
  streams.opened[0].say({ seq: 1, type: "t" }, "")
  await rest()
  net.take()
  net.down = undefined
  await heard()
  await pass(clock, 15_000)
  const socket = await net.accept()
  assert.equal(socket.query.since, "e1:1")
  assert.equal(streams.opened[0].aborted, false)
  socket.hello({ resume: "up_to_date", head: 1, ping_interval_ms: 0, pong_timeout_ms: 0 })
  await pass(clock, 1500)
  assert.equal(streams.opened[0].aborted, true)
  assert.equal(client.stats.transport, "websocket")
  socket.frames(2)
  assert.deepEqual(await heard(), ["frame 2"])
  await pass(clock, 120_000)
  assert.deepEqual(net.take(), [], "there is nothing more to climb to")
})

test("climbing is tried after 15 s, 30 s … up to 300 s", async (t) => {
  const { net, clock, streams } = auto(t, () => "stream")
  net.down = 1006
  await pass(clock, 1000)
  assert.equal(streams.opened.length, 1)
  net.take()
  const at = []
  let tried = net.sockets.length
  for (let s = 1; s <= 1200; s++) {
    await clock.pass(1000)
    if (net.sockets.length > tried) at.push(s)
    tried = net.sockets.length
  }
  const gaps = at.map((s, i) => s - (at[i - 1] ?? 0))
  assert.ok(gaps[0] >= 13 && gaps[0] <= 15, `${gaps}`)
  assert.deepEqual(gaps.slice(1).map((gap) => Math.round(gap / 10) * 10), [30, 60, 120, 240, 300, 300], `${gaps}`)
  assert.equal(streams.opened.length, 1, "the stream has stayed all the while")
})

test("where not even a stream comes, sockets have their turn again, and no climbing is left over", async (t) => {
  const { net, clock, client, streams } = auto(t, () => undefined)
  net.down = 1006
  await pass(clock, 20_000)
  const sockets = net.sockets.length
  assert.ok(streams.opened.length >= 2, `${streams.opened.length}`)
  assert.ok(Math.abs(sockets - 2 * streams.opened.length) <= 2, `${sockets} sockets, ${streams.opened.length} streams`)
  net.take()
  net.down = undefined
  let socket
  for (let i = 0; i < 60 && !socket; i++) {
    await pass(clock, 1000)
    ;[socket] = net.take()
  }
  socket.hello({ resume: "fresh", ping_interval_ms: 0, pong_timeout_ms: 0 })
  socket.say({ type: "replay_end", seq: 0 })
  await pass(clock, 400_000)
  assert.equal(client.state.name, "live")
  assert.deepEqual(net.take(), [], "a socket that lives is not replaced")
})

test("a proxy's refusal of the stream is no network either", async (t) => {
  const { net, clock, streams } = auto(t, () => 502)
  net.down = 1006
  await pass(clock, 5_000)
  assert.ok(streams.opened.length >= 1)
  const before = net.sockets.length
  await pass(clock, 30_000)
  assert.ok(net.sockets.length > before)
})

test("the transport that was asked for, and no other", async (t) => {
  for (const transport of ["websocket", "sse"]) {
    await t.test(transport, async (t) => {
      const { net, clock, streams } = auto(t, () => undefined, { transport })
      net.down = 1006
      await pass(clock, 20_000)
      assert.equal(net.sockets.length > 0, transport == "websocket")
      assert.equal(streams.opened.length > 0, transport == "sse")
    })
  }
})

test("close while it climbs leaves nothing behind", async (t) => {
  let give
  let times = 0
  const token = () => (++times > 3 ? new Promise((resolve) => (give = resolve)) : "t")
  const { net, clock, client } = auto(t, () => "stream", { token })
  net.down = 1006
  await pass(clock, 16_500)
  assert.ok(give, "it is asked for a token to climb with")
  client.close()
  give("t")
  await pass(clock, 400_000)
  assert.equal(clock.pending, 0)
})
