import assert from "node:assert/strict"
import { test } from "node:test"
import { ack, streaming } from "./streaming.js"
import { gate, html, json } from "./upstream.js"

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
        const { url, ear, link, calls } = await streaming(t, { "POST messages": handler }, {}, name == "silence" ? { answer: 50 } : {})
        link.send(text)
        const end = await ear.close()
        assert.equal(end.code, code)
        assert.equal(end.error instanceof Error, code == 1006)
        await calls[0].gone
        link.send(text)
        for (let i = 0; i < 3; i++) await fetch(`${url}/probe`)
        assert.deepEqual(calls.slice(2).map(({ path }) => path), ["/probe", "/probe", "/probe"], "nothing is asked any more")
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
  const { url, ear, link, calls } = await streaming(t, { "POST messages": (call) => held.push(call) == 3 && both.open() })
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
  link.send('{"type":"send","id":"u3","to":"a","frame":{"type":"x"}}')
  const refuse = ({ response }) => json(response, 409, { code: "conflict", detail: "nobody listens" })
  held.filter(({ body }) => body.includes("u1")).forEach(refuse)
  for (let i = 0; i < 3; i++) await fetch(`${url}/probe`)
  assert.equal(calls.length, 7, "a send that waits is not begun any more, and no later one")
  held.filter(({ body }) => !body.includes("u1")).forEach(refuse)
  await closed
  assert.equal(await calls[0].gone, true)
  assert.equal(ear.heard.length, before)
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
