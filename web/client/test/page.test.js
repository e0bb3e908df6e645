import assert from "node:assert/strict"
import { test } from "node:test"
import { settle } from "./clock.js"
import { start } from "./client.js"

// page stands in for the browser's document and window events while the test t lasts.
const page = (t) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "document")
  const { addEventListener } = globalThis
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" })
  globalThis.addEventListener = window.addEventListener.bind(window)
  globalThis.document = document
  t.after(() => {
    globalThis.addEventListener = addEventListener
    if (before) Object.defineProperty(globalThis, "document", before)
    else delete globalThis.document
  })
  const tell = (target, type, more) => target.dispatchEvent(Object.assign(new Event(type), more))
  return {
    online: () => tell(window, "online"),
    offline: () => tell(window, "offline"),
    hide: (persisted) => tell(window, "pagehide", { persisted }),
    show: (persisted) => tell(window, "pageshow", { persisted }),
    freeze: () => tell(document, "freeze"),
    resume: () => tell(document, "resume"),
    see: (state) => {
      document.visibilityState = state
      tell(document, "visibilitychange")
    },
  }
}

const count = (socket, type) => socket.got.filter((m) => m.type == type).length

for (const how of ["online", "visible", "pageshow", "resume"]) {
  test(`P-24: at once on ${how}`, async (t) => {
    t.mock.method(Math, "random", () => 0.999_999)
    const { online, see, show, resume } = page(t)
    const { net, clock, live } = start(t)
    const socket = await live()
    socket.end()
    await clock.pass(10)
    assert.deepEqual(net.take(), [])
    if (how == "online") online()
    if (how == "visible") see("visible")
    if (how == "pageshow") show(true)
    if (how == "resume") resume()
    await clock.pass(1)
    assert.equal(net.take().length, 1)
  })
}

test("a page that is shown for the first time is no wake", async (t) => {
  const { show } = page(t)
  const { live } = start(t)
  const socket = await live()
  show(false)
  await settle()
  assert.equal(count(socket, "ping"), 0)
})

test("P-12: acks when the page is hidden, frozen, or left", async (t) => {
  const { see, freeze, hide } = page(t)
  const { live } = start(t)
  const socket = await live()
  socket.frames(1)
  see("hidden")
  assert.deepEqual(socket.got.pop(), { type: "ack", seq: 1 })
  socket.frames(2)
  freeze()
  assert.deepEqual(socket.got.pop(), { type: "ack", seq: 2 })
  socket.frames(3)
  hide(true)
  assert.deepEqual(socket.got.pop(), { type: "ack", seq: 3 })
})

test("a connection that is well answers the probe and stays, however often the page is hidden and shown", async (t) => {
  const { see } = page(t)
  const { net, clock, live, heard } = start(t)
  const socket = await live()
  let answered = 0
  for (let i = 0; i < 50; i++) {
    see("hidden")
    await clock.pass(50)
    see("visible")
    await clock.pass(50)
    if (count(socket, "ping") > answered++) socket.say({ type: "pong" })
    else answered--
  }
  await clock.pass(10_000)
  assert.equal(socket.closed, undefined)
  assert.equal(net.sockets.length, 1)
  assert.ok(count(socket, "ping") <= 3, "one probe at a time")
  assert.deepEqual(await heard(), [])
})

test("a zombie is found by a probe with a deadline of 3 s", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { see } = page(t)
  const { net, clock, live, heard } = start(t)
  const socket = await live()
  await clock.pass(5_000)
  see("visible")
  assert.equal(count(socket, "ping"), 1)
  await clock.pass(2_999)
  assert.equal(socket.closed, undefined)
  await clock.pass(2)
  assert.equal(socket.closed, 3001)
  assert.deepEqual(await heard(), ["offline 4000", "connecting"])
  assert.equal(net.take().length, 1)
})

test("whatever comes is an answer to the probe", async (t) => {
  const { online } = page(t)
  const { clock, live } = start(t)
  const socket = await live()
  await clock.pass(5_000)
  online()
  await clock.pass(2_000)
  socket.frames(1)
  await clock.pass(20_000)
  assert.equal(socket.closed, undefined)
})

test("a laptop that has slept probes when it wakes, and does not call the sleep a silence", async (t) => {
  const { clock, live } = start(t)
  const socket = await live()
  clock.sleep(3_600_000)
  await clock.pass(1_000)
  assert.equal(count(socket, "ping"), 1)
  await clock.pass(1_500)
  assert.equal(socket.closed, undefined)
  socket.say({ type: "pong" })
  await clock.pass(10_000)
  assert.equal(socket.closed, undefined)
})

test("timers that a hidden page has only once a minute still ack, send and keep the connection", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { clock, client, live } = start(t)
  const socket = await live()
  for (let minute = 1; minute <= 5; minute++) {
    socket.frames(minute)
    socket.say({ type: "ping", head: 0 })
    clock.sleep(59_000)
    await clock.pass(1_000)
    socket.say({ type: "pong" })
    assert.equal(socket.got.filter(({ type }) => type == "ack").pop().seq, minute, "P-12")
  }
  const ended = client.send("a", { type: "t" })
  ended.catch(() => {})
  const { id } = socket.got.find(({ type }) => type == "send")
  socket.say({ type: "error", code: "overloaded", message: "", id })
  clock.sleep(59_000)
  await clock.pass(1_000)
  assert.equal(count(socket, "send"), 2)
  assert.equal(socket.closed, undefined)
})

test("an attach that has hung for longer than a probe may is made anew at once when the page comes back", async (t) => {
  t.mock.method(Math, "random", () => 0.999_999)
  const { see } = page(t)
  const { net, clock } = start(t)
  const hung = await net.accept()
  await clock.pass(2_000)
  see("visible")
  await clock.pass(10)
  assert.equal(hung.closed, undefined)
  await clock.pass(2_000)
  see("visible")
  await clock.pass(1)
  assert.equal(hung.closed, 3001)
  assert.equal(net.take().length, 1)
})

test("pagehide closes: for the back-forward cache so that the place is kept, else with 1000; and does not connect while it is hidden", async (t) => {
  t.mock.method(Math, "random", () => 0)
  for (const [persisted, code] of [[true, 3001], [false, 1000]]) {
    await t.test(`${persisted}`, async (t) => {
      const { hide, show } = page(t)
      const { net, clock, client, live, heard } = start(t)
      const socket = await live()
      await clock.pass(40_000)
      socket.frames(1)
      await heard()
      hide(persisted)
      assert.equal(socket.closed, code)
      assert.equal(client.state.name, "waiting")
      await clock.pass(500)
      assert.deepEqual(net.take(), [])
      clock.sleep(20_000)
      show(true)
      await clock.pass(1)
      const next = await net.accept()
      assert.equal(next.query.since, "e1:1")
      next.hello({ resume: "up_to_date", head: 1 })
      assert.match((await heard()).pop(), /^live/)
    })
  }
})

test("offline is doubted as well", async (t) => {
  t.mock.method(Math, "random", () => 0.5)
  const { offline } = page(t)
  const { clock, live } = start(t)
  const socket = await live()
  await clock.pass(1_000)
  offline()
  await clock.pass(3_100)
  assert.equal(socket.closed, 3001)
})

test("a client that has ended hears the page no more, and one that lives again does", async (t) => {
  const { see, online, hide } = page(t)
  const { net, clock, client, live, heard } = start(t)
  await live()
  client.close()
  await heard()
  online()
  see("visible")
  hide(true)
  await clock.pass(10_000)
  assert.deepEqual(await heard(), [])
  assert.deepEqual(net.take(), [])
  client.restart()
  const socket = await live()
  await clock.pass(5_000)
  see("visible")
  assert.equal(count(socket, "ping"), 1, "once")
})
