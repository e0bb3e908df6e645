import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { closeOf } from "../problem.js"
import { openStream } from "../sse.js"
import { Ear } from "./ear.js"
import { frame, params, streaming } from "./streaming.js"
import { begin, event, gate, hello, html, json, upstream } from "./upstream.js"

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

test("what is said of an ack does not end the waiting", async (t) => {
  const asked = gate()
  const answer = gate()
  const { stream, ear, link } = await streaming(t, {
    "POST messages": async ({ body, response }) => {
      if (JSON.parse(body).type == "ack") return json(response, 409, { code: "ack_ahead", detail: "too far" })
      asked.open()
      await answer
      json(response, 200, { type: "subscribed", topic: "jobs.7" })
    },
  })
  link.send('{"type":"subscribe","topic":"jobs.7"}')
  await asked
  const alive = ear.alive
  stream.write(event(frame(1)))
  while (ear.alive == alive) await new Promise(setImmediate)
  link.send('{"type":"ack","seq":9}')
  assert.equal((await ear.message()).code, "ack_ahead")
  answer.open()
  assert.equal((await ear.message()).type, "subscribed")
  assert.equal((await ear.message()).seq, 1)
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

test("close() gives up a send that is under way", async (t) => {
  const asked = gate()
  const { link, calls } = await streaming(t, { "POST messages": () => asked.open() })
  link.send('{"type":"send","id":"u1","to":"a","frame":{"type":"x"}}')
  await asked
  await link.close()
  assert.equal(await calls[1].gone, true)
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
