import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { outcome, start, startCore } from "./client.js"

const sends = async (socket) => (await socket.heard()).filter(({ type }) => type == "send")
const say = (n) => ({ type: "say", n })
const receipt = ({ id }, status = "stored") => ({ type: "receipt", id, status, epoch: "x1", seq: 9 })

test("P-18: a send goes out at once, and resolves with its receipt", async (t) => {
  const { client, live, heard } = startCore(t)
  const socket = await live()
  const promise = client.send("agent", { ...say(1), gone: undefined })
  const [send] = await sends(socket)
  assert.deepEqual(send, { type: "send", id: send.id, to: "agent", frame: say(1) })
  assert.match(send.id, /^[\d-]{7,}$/)
  assert.deepEqual(client.pending.map(({ id, to, frame }) => ({ id, to, frame })), [{ id: send.id, to: "agent", frame: say(1) }])
  assert.equal(await outcome(promise), "pending")
  socket.say(receipt(send))
  assert.deepEqual(await promise, receipt(send))
  assert.deepEqual(client.pending, [])
  assert.deepEqual(await heard(), ["sent 1 stored"])
  socket.say(receipt(send))
  assert.deepEqual(await heard(), [], "a second receipt is nobody's")
})

test("what is sent is as it was when it was sent", async (t) => {
  const { client, live } = startCore(t)
  const frame = { type: "say", list: [1] }
  const promise = client.send("a", frame)
  frame.list.push(2)
  const socket = await live()
  socket.frames(1)
  assert.deepEqual(client.pending[0].frame, { type: "say", list: [1] })
  assert.equal(await outcome(promise), "pending")
})

test("P-3: one for each target is under way, in the order of the calls", async (t) => {
  const { client, live } = startCore(t)
  const socket = await live()
  for (const [to, n] of [["a", 1], ["a", 2], ["b", 3], ["a", 4], ["b", 5]]) client.send(to, say(n))
  const first = await sends(socket)
  assert.deepEqual(first.map(({ frame }) => frame.n), [1, 3])
  socket.say(receipt(first[1]))
  assert.deepEqual((await sends(socket)).map(({ frame }) => frame.n), [5])
  socket.say(receipt(first[0]))
  const [second] = await sends(socket)
  assert.equal(second.frame.n, 2)
  socket.say(receipt(second))
  assert.deepEqual((await sends(socket)).map(({ frame }) => frame.n), [4])
})

test("P-30: what has no receipt is repeated with its id after each attach, also while catching up", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, live } = startCore(t)
  const promise = client.send("a", say(1))
  const first = await live()
  const [before] = first.got.filter(({ type }) => type == "send")
  first.end()
  await clock.pass(1)
  const second = await net.accept()
  assert.deepEqual(await sends(second), [], "nothing before hello")
  second.hello({ resume: "replay", head: 4, epoch: "e1" })
  assert.deepEqual(await sends(second), [before])
  second.say(receipt(before, "duplicate"))
  assert.equal((await promise).status, "duplicate")
})

for (const code of ["overloaded", "rate_limited", "draining", "internal"]) {
  test(`P-30: ${code}: again, with the same id, after a delay that grows`, async (t) => {
    t.mock.method(Math, "random", () => 0.999_999)
    const { clock, client, live, heard } = startCore(t)
    const socket = await live()
    const promise = client.send("a", say(1))
    client.send("a", say(2))
    const [first] = await sends(socket)
    for (const wait of [500, 1000, 2000, 4000]) {
      socket.say({ type: "error", code, message: "", id: first.id })
      await clock.pass(wait - 1)
      assert.deepEqual(await sends(socket), [], `before ${wait}`)
      await clock.pass(1001) // it is looked for each second
      assert.deepEqual(await sends(socket), [first], `after ${wait}`)
    }
    socket.say(receipt(first))
    assert.equal((await promise).status, "stored")
    assert.deepEqual(await heard(), ["sent 1 stored"], "no error is told")
    assert.equal((await sends(socket))[0].frame.n, 2)
  })
}

test("P-30: retry_after_ms is obeyed, also across an attach, and holds up nobody else", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, live } = startCore(t)
  const socket = await live()
  client.send("a", say(1))
  const [first] = await sends(socket)
  socket.say({ type: "error", code: "overloaded", message: "", id: first.id, retry_after_ms: 10_000 })
  client.send("b", say(2))
  assert.equal((await sends(socket))[0].frame.n, 2)
  socket.end()
  await clock.pass(1)
  const next = await net.accept()
  next.hello({ resume: "up_to_date" })
  assert.deepEqual((await sends(next)).map(({ frame }) => frame.n), [2])
  await clock.pass(9_000)
  assert.deepEqual(await sends(next), [])
  await clock.pass(2_000)
  assert.deepEqual(await sends(next), [first])
})

test("P-20: any other error is final, and its send's own", async (t) => {
  const { client, live, heard } = startCore(t)
  const socket = await live()
  for (const code of ["forbidden", "id_reused", "bad_frame", "bad_request", "too_large", "not_found"]) {
    const promise = client.send("a", say(1))
    const [{ id }] = await sends(socket)
    socket.say({ type: "error", code, message: "for people", id })
    await assert.rejects(promise, { name: "RestanteError", code, message: "for people", id })
    assert.deepEqual(await heard(), [`sent 1 ${code}`])
  }
  assert.deepEqual(client.pending, [])
})

test("P-2: a frame that is too large is not sent, counted in bytes, by what hello says", async (t) => {
  const { client, live } = startCore(t)
  const large = client.send("a", { type: "é".repeat(45) })
  const fits = client.send("a", { type: "é".repeat(44) })
  const socket = await live({ max_frame_bytes: 99 })
  assert.equal(await outcome(large), "too_large")
  const [{ frame }] = socket.got.filter(({ type }) => type == "send")
  assert.equal(JSON.stringify(frame).length, 44 + 11)
  assert.equal(await outcome(fits), "pending")
})

test("P-30: after 24 hours it is unknown what became of it, also where nobody could be reached", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  const { net, clock, client, heard } = startCore(t, { events: ["sent"] })
  net.down = 1006
  const promise = client.send("a", say(1))
  const ended = outcome(promise)
  clock.sleep(24 * 3600_000)
  await clock.pass(500)
  assert.deepEqual(await heard(), [])
  await clock.pass(2_000)
  assert.equal(await ended.then(() => outcome(promise)), "unknown")
  assert.deepEqual(await heard(), ["sent 1 unknown"])
  assert.deepEqual(client.pending, [])
})

test("P-30: what an earlier page has left for longer than that is not sent any more", async (t) => {
  const storage = memory({ "restante.sends.tab": [{ id: "old", to: "a", frame: say(1), at: Date.UTC(2025, 0, 1) }] })
  const { live, heard, client } = start(t, { storage, events: ["sent"] })
  const socket = await live()
  assert.deepEqual(socket.got.filter(({ type }) => type == "send"), [])
  assert.deepEqual(client.pending, [])
  await heard()
})

const memory = (values = {}) => {
  const kept = new Map(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]))
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) }
}

test("what was typed outlives the page, in front of what the next one sends", async (t) => {
  const storage = memory()
  const first = start(t, { storage, clientId: Promise.resolve("tab") })
  first.client.send("a", say(1))
  first.client.send("a", say(2))
  await settle()
  const kept = JSON.parse(storage.kept.get("restante.sends.tab"))
  assert.deepEqual(kept.map(({ to, frame }) => [to, frame.n]), [["a", 1], ["a", 2]])
  first.client.close()

  const second = start(t, { storage })
  second.client.send("a", say(3))
  const socket = await second.live()
  for (const n of [1, 2, 3]) {
    const [send] = socket.got.filter(({ type }) => type == "send").slice(-1)
    assert.equal(send.frame.n, n)
    if (n < 3) assert.equal(send.id, kept[n - 1].id)
    socket.say(receipt(send))
    await settle()
  }
  assert.deepEqual((await second.heard()).filter((line) => /^sent/.test(line)), ["sent 1 stored", "sent 2 stored", "sent 3 stored"])
  assert.deepEqual(storage.kept, new Map(), "nothing is left")
})

test("another client's sends are not touched", async (t) => {
  const storage = memory({ "restante.sends.other": [{ id: "u", to: "a", frame: say(1), at: 0 }] })
  const { client, live } = start(t, { storage })
  await live()
  assert.deepEqual(client.pending, [])
  assert.equal(storage.kept.size, 1)
})

test("a storage that is full, forbids, or holds something else is told, and the sends go on", async (t) => {
  const full = {
    ...memory(),
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError")
    },
  }
  const strange = { getItem: () => "{nothing", setItem: () => {}, removeItem: () => {} }
  const other = { getItem: () => "7", setItem: () => {}, removeItem: () => {} }
  for (const [name, storage] of Object.entries({ full, strange, other })) {
    await t.test(name, async (t) => {
      const { client, live, heard } = start(t, { storage, events: ["sent"] })
      const codes = new Set()
      client.addEventListener("error", ({ detail }) => codes.add(detail.code))
      const socket = await live()
      client.send("a", say(1))
      const [send] = await sends(socket)
      socket.say(receipt(send))
      assert.deepEqual(await heard(), ["sent 1 stored"])
      assert.deepEqual([...codes], ["storage"])
      assert.deepEqual(client.pending, [])
    })
  }
})

test("a restart, and a reset, keep what is to be sent", async (t) => {
  const { client, live } = start(t)
  const socket = await live()
  const promise = client.send("a", say(1))
  const [before] = await sends(socket)
  client.restart()
  const next = await live()
  const [again] = next.got.filter(({ type }) => type == "send")
  assert.deepEqual(again, before)
  next.say(receipt(again))
  assert.equal((await promise).status, "stored")
})

test("a listener of sent may send", async (t) => {
  const { client, live } = startCore(t)
  const socket = await live()
  client.addEventListener("sent", ({ detail }) => detail.frame.n < 3 && client.send("a", say(detail.frame.n + 1)))
  client.send("a", say(1))
  for (const n of [1, 2, 3]) {
    const [send, ...more] = await sends(socket)
    assert.deepEqual([send.frame.n, more], [n, []])
    socket.say(receipt(send))
  }
  assert.deepEqual(client.pending, [])
})

test("what cannot be JSON is refused", async (t) => {
  const { client, live } = startCore(t)
  await live()
  const circle = { type: "t" }
  circle.circle = circle
  await assert.rejects(client.send("a", circle))
  await assert.rejects(client.send("a"))
  assert.deepEqual(client.pending, [])
})
