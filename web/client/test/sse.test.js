import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { closeOf } from "../problem.js"
import { openStream } from "../sse.js"
import { Ear } from "./ear.js"
import { begin, event, gate, hello, html, json, upstream } from "./upstream.js"

const params = (url, more) => ({ url, clientId: "tab", since: "", takeover: false, ping: undefined, token: "", ...more })

// streaming attaches to an upstream whose stream is open and has said hello.
const streaming = async (t, handlers = {}, more = {}, bounds) => {
  const open = gate()
  const world = await upstream(t, { "GET events": ({ response }) => (begin(response), response.write(event(hello())), open.open(response)), ...handlers })
  const ear = new Ear()
  const link = openStream(params(world.url, more), ear.on, bounds)
  t.after(() => link.close(1000))
  world.stream = await open
  assert.equal((await ear.message()).type, "hello")
  return { ...world, ear, link }
}

const ack = (seq) => JSON.stringify({ type: "ack", seq })
const frame = (seq, more) => ({ seq, type: "x", ...more })

test("what it asks for", async (t) => {
  const world = await upstream(t, { "GET events": ({ response }) => (begin(response), response.write(event(hello()))) })
  for (const [more, path, query, authorization] of [
    [{}, "/v1/clients/tab/events", {}, undefined],
    [{ clientId: "a:b@c~d", since: "e1:7", takeover: true, ping: 45, token: "se cret" }, "/v1/clients/a%3Ab%40c~d/events", { since: "e1:7", attach: "takeover", ping: "45" }, "Bearer se cret"],
  ]) {
    const ear = new Ear()
    const link = openStream(params(world.url, more), ear.on)
    await ear.message()
    const call = world.calls.at(-1)
    assert.equal(call.path, path)
    assert.deepEqual(call.query, query)
    assert.equal(call.headers.authorization, authorization)
    assert.equal(call.headers.accept, "text/event-stream")
    assert.equal(call.headers["cache-control"], "no-cache")
    await link.close()
  }
  const ear = new Ear()
  const link = openStream(params(world.url, { clientId: "" }), ear.on)
  await ear.message()
  assert.match(world.calls.at(-1).path, /^\/v1\/clients\/[0-9a-f-]{36}\/events$/, "it mints an id")
  await link.close()
  assert.equal(link.name, "sse")
})

test("every event's data goes on as it stands, with a sign of life for each chunk", async (t) => {
  const { stream, ear } = await streaming(t)
  const before = ear.alive
  assert.ok(before > 0)
  const text = '{"seq":1,"type":"x","é":"\\u00e9 😀"}'
  const bytes = Buffer.from(`id: e1:1\ndata: ${text}\n\n`)
  const middle = bytes.indexOf("😀") + 2 // inside of a character
  stream.write(bytes.subarray(0, middle))
  setImmediate(() => stream.write(bytes.subarray(middle)))
  assert.equal((await ear.next()).text, text)
  assert.ok(ear.alive > before)
  stream.write(event({ type: "replay_end", seq: 1 }) + event({ type: "goaway", retry_after_ms: 5 }) + event({ type: "error", code: "internal", message: "m" }))
  for (const type of ["replay_end", "goaway", "error"]) assert.equal((await ear.message()).type, type)
})

test("the end of a stream", async (t) => {
  for (const [name, text, want] of [
    ["with a time to come back", 'retry: 12500\nevent: close\ndata: {"code":4002,"name":"draining"}\n\n', { code: 4002, after: 12500 }],
    ["for good", 'retry: 86400000\nevent: close\ndata: {"code":4504,"name":"client_deleted"}\n\n', { code: 4504, after: undefined }],
    ["without a word", "data: {\"seq\":1,\"type\":\"ha", { code: 1006 }],
  ]) {
    await t.test(name, async (t) => {
      const { stream, ear } = await streaming(t)
      stream.end(text)
      assert.deepEqual(await ear.close(), want)
    })
  }
  await t.test("by a reset", async (t) => {
    const { stream, ear } = await streaming(t)
    stream.socket.destroy()
    const { code, error } = await ear.close()
    assert.equal(code, 1006)
    assert.ok(error instanceof Error)
  })
  await t.test("nothing comes behind the close", async (t) => {
    const { stream, ear, calls } = await streaming(t)
    stream.write('event: close\ndata: {"code":4001,"name":"slow_consumer"}\n\n' + event(frame(1)))
    assert.equal((await ear.close()).code, 4001)
    await calls[0].gone
    assert.equal(ear.heard.length, 2, "hello and the end")
  })
  await t.test("an event that is too large", async (t) => {
    const { stream, ear } = await streaming(t, {}, {}, { event: 1000 })
    stream.write(event(frame(1, { x: "x".repeat(1000) })))
    const { code, error } = await ear.close()
    assert.equal(code, 1006)
    assert.ok(error instanceof RangeError)
  })
})

test("an attach that is refused", async (t) => {
  const problem = (status, code, more, headers) => ({ response }) => json(response, status, { status, code, detail: `why ${code}`, ...more }, headers)
  for (const [name, handler, code, end] of [
    ["unauthorized", problem(401, "unauthorized"), "unauthorized", { code: 4503, after: undefined }],
    ["forbidden", problem(403, "forbidden"), "forbidden", { code: 4503, after: undefined }],
    ["bad_cursor", problem(400, "bad_cursor"), "bad_cursor", { code: 4501, after: undefined }],
    ["bad_request", problem(400, "bad_request"), "bad_request", { code: 4501, after: undefined }],
    ["token_expired", problem(401, "token_expired"), "token_expired", { code: 4401, after: undefined }],
    ["too_many_connections", problem(429, "too_many_connections"), "too_many_connections", { code: 4509, after: undefined }],
    ["rate_limited, with its own time", problem(429, "rate_limited", { retry_after_ms: 250 }, { "Retry-After": "1" }), "rate_limited", { code: 4004, after: 250 }],
    ["internal", problem(500, "internal"), "internal", { code: 4004, after: undefined }],
    ["not_found", problem(404, "not_found"), "not_found", { code: 1006, after: undefined }],
    ["a proxy's 503", ({ response }) => html(response, 503, { "Retry-After": "7" }), undefined, { code: 4004, after: 7000 }],
    ["a proxy's 429", ({ response }) => html(response, 429), undefined, { code: 4004, after: undefined }],
    ["a proxy's 403", ({ response }) => html(response, 403), undefined, { code: 1006, after: undefined }],
  ]) {
    await t.test(name, async (t) => {
      const { url } = await upstream(t, { "GET events": handler })
      const ear = new Ear()
      openStream(params(url), ear.on)
      if (code) {
        const error = await ear.message()
        assert.equal(error.type, "error")
        assert.equal(error.code, code)
        assert.equal(error.message, `why ${code}`)
        assert.equal(error.retry_after_ms, end.after)
      }
      assert.deepEqual(await ear.close(), end)
    })
  }
  await t.test("a time in the other form", async (t) => {
    const { url } = await upstream(t, { "GET events": ({ response }) => html(response, 503, { "Retry-After": new Date(Date.now() + 60_000).toUTCString() }) })
    const ear = new Ear()
    openStream(params(url), ear.on)
    const { code, after } = await ear.close()
    assert.equal(code, 4004)
    assert.ok(after > 50_000 && after <= 60_000, `${after}`)
  })
  await t.test("a captive portal", async (t) => {
    const { url } = await upstream(t, { "GET events": ({ response }) => html(response, 200) })
    const ear = new Ear()
    openStream(params(url), ear.on)
    const { code, error } = await ear.close()
    assert.equal(code, 1006)
    assert.match(error.message, /no event stream/)
  })
  await t.test("in a stream, for now", async (t) => {
    const { url } = await upstream(t, { "GET events": ({ response }) => (begin(response), response.end(event({ type: "error", code: "overloaded", message: "m" }) + 'retry: 900\nevent: close\ndata: {"code":4004}\n\n')) })
    const ear = new Ear()
    openStream(params(url), ear.on)
    assert.equal((await ear.message()).code, "overloaded")
    assert.deepEqual(await ear.close(), { code: 4004, after: 900 })
  })
  await t.test("by nobody", async (t) => {
    const ear = new Ear()
    openStream(params("http://127.0.0.1:1"), ear.on)
    const { code, error } = await ear.close()
    assert.equal(code, 1006)
    assert.ok(error instanceof Error)
  })
})

test("a refusal's close code is the one of the golden table", () => {
  const { cases } = JSON.parse(readFileSync(new URL("../../../protocol/testdata/vectors/codes.json", import.meta.url)))
  const closing = cases.filter(({ close }) => close)
  assert.ok(closing.length >= 9)
  for (const { code, status, close } of closing) assert.equal(closeOf(status, code), close, code)
})

test("messages go one at a time and in order, and their answers come back", async (t) => {
  let under = 0
  const { ear, link, calls } = await streaming(t, {
    "POST messages": async ({ body, response, headers }) => {
      assert.equal(++under, 1)
      assert.equal(headers["content-type"], "application/json")
      assert.equal(headers.authorization, "Bearer t0k")
      await new Promise(setImmediate)
      under--
      json(response, 200, { type: "receipt", id: JSON.parse(body).id, status: "stored", epoch: "e2", seq: 1 })
    },
  }, { token: "t0k" })
  const sent = Array.from({ length: 20 }, (_, i) => JSON.stringify({ type: "send", id: `u${i}`, to: "agent", frame: { type: "say", i } }))
  link.send('{"type":"pong"}')
  for (const text of sent) link.send(text)
  for (let i = 0; i < 20; i++) assert.equal((await ear.message()).id, `u${i}`)
  assert.deepEqual(calls.slice(1).map(({ body }) => body), sent, "as they stand, and no pong")
})

test("a message that is refused", async (t) => {
  const answers = [
    [({ response }) => json(response, 422, { code: "id_reused", detail: "used", id: "u1" }), { type: "error", code: "id_reused", message: "used", id: "u1" }],
    [({ response }) => json(response, 429, { code: "rate_limited", detail: "slow", retry_after_ms: 40 }), { type: "error", code: "rate_limited", message: "slow", id: "u1", retry_after_ms: 40 }],
    [({ response }) => json(response, 503, { code: "overloaded", detail: "full" }, { "Retry-After": "2" }), { type: "error", code: "overloaded", message: "full", id: "u1", retry_after_ms: 2000 }],
    [({ response }) => html(response, 413), { type: "error", code: "too_large", message: "refused with 413", id: "u1" }],
    [({ response }) => html(response, 403), { type: "error", code: "forbidden", message: "refused with 403", id: "u1" }],
    [({ response }) => html(response, 429, { "Retry-After": "3" }), { type: "error", code: "rate_limited", message: "refused with 429", id: "u1", retry_after_ms: 3000 }],
    [({ response }) => json(response, 400, { error: "a gateway's own JSON" }), { type: "error", code: "bad_request", message: "refused with 400", id: "u1" }],
  ]
  let answer
  const { ear, link } = await streaming(t, { "POST messages": (call) => answer(call) })
  for (const [handler, want] of answers) {
    answer = handler
    link.send('{"type":"send","id":"u1","to":"a","frame":{"type":"x","topic":"of the frame"}}')
    assert.deepEqual(await ear.message(), want)
  }
  answer = ({ response }) => json(response, 403, { code: "forbidden", detail: "no", topic: "jobs.>" })
  link.send('{"type":"subscribe","topic":"jobs.>"}')
  assert.deepEqual(await ear.message(), { type: "error", code: "forbidden", message: "no", topic: "jobs.>" })
  answer = ({ response }) => html(response, 429)
  link.send('{"type":"unsubscribe","topic":"jobs.7"}')
  assert.deepEqual(await ear.message(), { type: "error", code: "rate_limited", message: "refused with 429", topic: "jobs.7" })
})

test("a message that nobody has answered ends the connection", async (t) => {
  for (const [name, handler, code] of [
    ["a proxy's 502", ({ response }) => html(response, 502), 1006],
    ["a proxy's 404", ({ response }) => html(response, 404), 1006],
    ["a captive portal", ({ response }) => html(response, 200), 1006],
    ["a reset", ({ response }) => response.socket.destroy(), 1006],
    ["no JSON", ({ response }) => (response.writeHead(500, { "Content-Type": "application/json" }), response.end("{")), 1006],
    ["silence", () => {}, 1006],
    ["a token that has expired", ({ response }) => json(response, 401, { code: "token_expired", detail: "old" }), 4401],
  ]) {
    for (const text of ['{"type":"send","id":"u1","to":"a","frame":{"type":"x"}}', ack(1)]) {
      await t.test(`${name}: ${text}`, async (t) => {
        const { ear, link, calls } = await streaming(t, { "POST messages": handler }, {}, name == "silence" ? { answer: 50 } : {})
        link.send(text)
        const end = await ear.close()
        assert.equal(end.code, code)
        assert.equal(end.error instanceof Error, code == 1006)
        await calls[0].gone
        link.send(text)
        assert.equal(calls.length, 2, "nothing is asked any more")
      })
    }
  }
})

test("of acks only the last counts while one is under way", async (t) => {
  const held = []
  let come = gate()
  const { ear, link, calls } = await streaming(t, { "POST messages": ({ response }) => (held.push(response), come.open()) })
  for (let seq = 1; seq <= 5; seq++) link.send(ack(seq))
  await come
  come = gate()
  assert.deepEqual(calls.slice(1).map(({ body }) => JSON.parse(body)), [{ type: "ack", seq: 1, connection_id: "c1" }])
  held[0].writeHead(204).end()
  await come
  assert.deepEqual(calls.slice(2).map(({ body }) => JSON.parse(body)), [{ type: "ack", seq: 5, connection_id: "c1" }])
  json(held[1], 409, { code: "ack_ahead", detail: "too far" })
  assert.deepEqual(await ear.message(), { type: "error", code: "ack_ahead", message: "too far" })
})

test("an ack does not wait for a send", async (t) => {
  const come = gate()
  const { link } = await streaming(t, { "POST messages": ({ body, response }) => JSON.parse(body).type == "ack" && (response.writeHead(204).end(), come.open()) })
  link.send('{"type":"send","id":"u1","to":"a","frame":{"type":"x"}}')
  link.send(ack(1))
  await come
})

test("the last ack outlives close(), and the stream goes behind it", async (t) => {
  const held = []
  const both = gate()
  const { ear, link, calls } = await streaming(t, { "POST messages": ({ response }) => held.push(response) == 3 && both.open() })
  const before = ear.heard.length
  link.send(ack(1))
  link.send(ack(2))
  for (const id of ["u1", "u2"]) link.send(JSON.stringify({ type: "send", id, to: "a", frame: { type: "x" } }))
  let over = false
  let left = false
  const closed = link.close(1000).then(() => (over = true))
  calls[0].gone.then(() => (left = true))
  await both
  const bodies = calls.slice(1).map(({ body }) => JSON.parse(body))
  assert.deepEqual(bodies.map(({ seq, id }) => seq ?? id).sort(), [1, 2, "u1"])
  assert.deepEqual([over, left], [false, false])
  for (const response of held) json(response, 409, { code: "ack_ahead", detail: "nobody listens" })
  await closed
  assert.equal(await calls[0].gone, true)
  assert.equal(ear.heard.length, before)
  assert.equal(calls.length, 4, "a send that waits is not begun any more")
})

test("close() waits for an ack for a second only", async (t) => {
  const asked = gate()
  const { link, calls } = await streaming(t, { "POST messages": () => asked.open() })
  link.send(ack(1))
  await asked
  const real = setTimeout
  t.mock.method(globalThis, "setTimeout", (call, ms, ...rest) => real(call, ms == 1000 ? 1 : ms, ...rest))
  link.close(1000)
  assert.equal(await calls[0].gone, true)
})

test("an ack for a connection that the broker does not have", async (t) => {
  await t.test("ends the connection, if nothing else does", async (t) => {
    const { ear, link } = await streaming(t, { "POST messages": ({ response }) => json(response, 404, { code: "not_found", detail: "no connection" }) })
    const { mock } = t
    const real = setTimeout
    mock.method(globalThis, "setTimeout", (call, ms, ...rest) => real(call, ms == 3000 ? 1 : ms, ...rest))
    link.send(ack(1))
    assert.equal((await ear.close()).code, 1006)
  })
  await t.test("leaves the stream time for its last word", async (t) => {
    const { stream, ear, link } = await streaming(t, {
      "POST messages": ({ response }) => {
        json(response, 404, { code: "not_found", detail: "no client" })
        response.on("close", () => stream.end('event: close\ndata: {"code":4504}\n\n'))
      },
    })
    link.send(ack(1))
    assert.equal((await ear.close()).code, 4504)
  })
})

test("what the stream brings waits for the answer to a subscribe", async (t) => {
  const answer = gate()
  const asked = gate()
  const { stream, ear, link } = await streaming(t, {
    "POST messages": async ({ body, response }) => {
      const { type, topic } = JSON.parse(body)
      if (topic == "jobs.7") {
        asked.open()
        await answer
      }
      json(response, 200, { type: type == "subscribe" ? "subscribed" : "unsubscribed", topic })
    },
  })
  link.send('{"type":"subscribe","topic":"jobs.7"}')
  await asked
  const alive = ear.alive
  stream.write(event(frame(1)) + event({ type: "snapshot", topic: "jobs.7", as_of: 3, data: {} }) + event(frame(2, { topic: "jobs.7" })))
  while (ear.alive == alive) await new Promise(setImmediate)
  assert.equal(ear.heard.length, 1, "hello alone")
  answer.open()
  for (const want of ["subscribed", 1, "snapshot", 2]) {
    const message = await ear.message()
    assert.equal(message.seq ?? message.type, want)
  }
  stream.write(event(frame(3)))
  assert.equal((await ear.message()).seq, 3, "and then goes on")

  link.send('{"type":"unsubscribe","topic":"jobs.8"}')
  link.send('{"type":"subscribe","topic":"jobs.9"}')
  assert.deepEqual(await ear.message(), { type: "subscribed", topic: "jobs.9" }, "the answer to unsubscribe comes by the stream alone")
  stream.write(event(frame(4)) + event({ type: "unsubscribed", topic: "jobs.8" }))
  assert.equal((await ear.message()).seq, 4)
  assert.deepEqual(await ear.message(), { type: "unsubscribed", topic: "jobs.8" })
})

test("a subscribe that is refused lets the stream go on", async (t) => {
  const asked = gate()
  const answer = gate()
  const { stream, ear, link } = await streaming(t, {
    "POST messages": async ({ response }) => {
      asked.open()
      await answer
      json(response, 403, { code: "forbidden", detail: "no", topic: "jobs.7" })
    },
  })
  link.send('{"type":"subscribe","topic":"jobs.7"}')
  await asked
  const alive = ear.alive
  stream.write(event(frame(1)))
  while (ear.alive == alive) await new Promise(setImmediate)
  answer.open()
  assert.equal((await ear.message()).code, "forbidden")
  assert.equal((await ear.message()).seq, 1)
})

test("what waits is bounded", async (t) => {
  const asked = gate()
  const { stream, ear, link } = await streaming(t, { "POST messages": () => asked.open() }, {}, { held: 1000 })
  link.send('{"type":"subscribe","topic":"jobs.7"}')
  await asked
  for (let seq = 1; seq < 20; seq++) stream.write(event(frame(seq, { x: "x".repeat(100) })))
  assert.equal((await ear.close()).code, 4001)
})

test("an end that comes meanwhile does not wait", async (t) => {
  const asked = gate()
  const { stream, ear, link } = await streaming(t, { "POST messages": () => asked.open() })
  link.send('{"type":"subscribe","topic":"jobs.7"}')
  await asked
  stream.end(event(frame(1)) + 'event: close\ndata: {"code":4003}\n\n')
  assert.equal((await ear.close()).code, 4003, "and the frame comes again")
})

test("ping gives a sign of life while the stream is not overdue", async (t) => {
  const { ear, link } = await streaming(t)
  const { mock } = t
  const start = Date.now()
  const told = (ms) => {
    mock.method(Date, "now", () => start + ms)
    const before = ear.alive
    link.ping()
    mock.restoreAll()
    return ear.alive - before
  }
  assert.equal(told(29_000), 1)
  assert.equal(told(31_000), 0)
  assert.equal(told(-60_000), 0, "the clock was set back")
  await link.close()
  assert.equal(told(1000), 0)
})

test("ping takes the interval that hello tells", async (t) => {
  const world = await upstream(t, { "GET events": ({ response }) => (begin(response), response.write(event(hello({ ping_interval_ms: 60_000 })))) })
  const ear = new Ear()
  const link = openStream(params(world.url), ear.on)
  link.ping()
  assert.equal(ear.alive, 0, "nothing has come yet")
  await ear.message()
  const before = ear.alive
  const late = Date.now() + 64_000
  t.mock.method(Date, "now", () => late)
  link.ping()
  assert.equal(ear.alive, before + 1)
  await link.close()
})

test("after close() nothing is told any more", async (t) => {
  const answer = gate()
  const asked = gate()
  const { stream, ear, link, calls } = await streaming(t, {
    "POST messages": async ({ response }) => {
      asked.open()
      await answer
      json(response, 200, { type: "receipt", id: "u1" })
    },
  })
  link.send('{"type":"send","id":"u1","to":"a","frame":{"type":"x"}}')
  await asked
  const { alive } = ear
  await link.close(1000)
  stream.write(event(frame(1)))
  answer.open()
  assert.equal(await calls[0].gone, true)
  await calls[1].gone
  link.send('{"type":"send","id":"u2","to":"a","frame":{"type":"x"}}')
  await new Promise(setImmediate)
  assert.equal(calls.length, 2)
  assert.equal(ear.heard.length, 1)
  assert.equal(ear.alive, alive)
})

test("a listener that closes is told nothing of what waited", async (t) => {
  const answer = gate()
  const asked = gate()
  const { url, calls } = await upstream(t, {
    "GET events": async ({ response }) => {
      begin(response)
      response.write(event(hello()))
      await asked
      response.write(event(frame(1)))
    },
    "POST messages": async ({ response }) => {
      asked.open()
      await answer
      json(response, 200, { type: "subscribed", topic: "jobs.7" })
    },
  })
  const told = []
  let alive = 0
  const link = openStream(params(url), {
    message(text) {
      const { type } = JSON.parse(text)
      told.push(type)
      if (type == "hello") link.send('{"type":"subscribe","topic":"jobs.7"}')
      if (type == "subscribed") link.close()
    },
    alive: () => ++alive == 2 && answer.open(),
    close: () => told.push("close"),
  })
  await asked
  await calls[0].gone
  await new Promise(setImmediate)
  assert.deepEqual(told, ["hello", "subscribed"])
})

test("close() while the stream is being asked for", async (t) => {
  const asked = gate()
  const { url, calls } = await upstream(t, { "GET events": () => asked.open() })
  const ear = new Ear()
  const link = openStream(params(url), ear.on)
  await asked
  await link.close()
  await calls[0].gone
  await new Promise(setImmediate)
  assert.deepEqual(ear.heard, [])
})
