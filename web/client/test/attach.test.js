import assert from "node:assert/strict"
import { test } from "node:test"
import { Restante as Core } from "../core.js"
import { settle } from "./clock.js"
import { start, startCore } from "./client.js"

test("P-4, P-6: the first attach says who it is, and no cursor", async (t) => {
  const { net, client, heard } = startCore(t, { takeover: true, ping: 60, token: "tok" })
  assert.deepEqual(client.state, { name: "connecting" })
  const socket = await net.accept()
  assert.equal(new URL(socket.url).origin + new URL(socket.url).pathname, "ws://broker.test/v1/ws")
  assert.deepEqual(socket.query, { client_id: "tab", attach: "takeover", ping: "60" })
  assert.deepEqual(socket.protocols, ["restante.v1", "tok"])
  socket.hello({ head: 2 })
  assert.deepEqual(await heard(), ["connecting", "catching_up"])
  socket.frames(1, 2)
  socket.say({ type: "replay_end", seq: 2 })
  assert.deepEqual(await heard(), ["frame 1", "frame 2", 'resume {"lost":0,"missed":2,"mode":"fresh","offlineMs":0,"replayed":2,"snapshot":false}', "live"])
  assert.equal(client.cursor, "e1:2")
})

test("https becomes wss, and a path stays", async (t) => {
  const { net } = startCore(t)
  new Core("https://example.org/broker/", { clientId: "x", WebSocket: net.WebSocket }).addEventListener("live", () => {})
  await settle()
  const [, socket] = net.sockets
  assert.match(socket.url, /^wss:\/\/example\.org\/broker\/v1\/ws\?client_id=x$/)
})

test("P-4: an id that the broker has minted is used from then on", async (t) => {
  const { net, clock, client } = startCore(t, { clientId: undefined })
  const first = await net.accept()
  assert.deepEqual(first.query, {})
  first.hello({ client_id: "minted" })
  assert.equal(client.clientId, "minted")
  first.end(4001)
  await clock.pass(500)
  const second = await net.accept()
  assert.deepEqual(second.query, { client_id: "minted", since: "e1:0" })
})

test("an address, a cursor and an id that cannot be", (t) => {
  const { net } = startCore(t)
  const { WebSocket } = net
  for (const [url, options] of [["ftp://x", {}], ["broker.test", {}], ["http://x", { since: "e1:5", clientId: "" }], ["http://x", { since: "5", clientId: "a" }], ["http://x", { since: "e1:x", clientId: "a" }]]) {
    assert.throws(() => new Core(url, { ...options, WebSocket }), { name: "RestanteError", code: /bad_request|bad_cursor/ }, `${url} ${JSON.stringify(options)}`)
  }
})

// What hello says of a cursor e1:5, and what the application is told.
const resumes = [
  { name: "up_to_date", hello: { resume: "up_to_date", floor: 3, head: 5 }, end: false, tells: [], live: true, cursor: "e1:5" },
  { name: "replay", hello: { resume: "replay", floor: 3, head: 7, missed: 2 }, frames: [6, 7], tells: ["frame 6", "frame 7"], live: true, cursor: "e1:7" },
  { name: "too_old: pruned", hello: { resume: "too_old", reason: "pruned", floor: 8, head: 9, missed: 4, lost: 3 }, frames: [9, 9], tells: ["reset pruned e1:8", "frame 9"], lost: 3, live: true, cursor: "e1:9" },
  { name: "too_old: ahead", hello: { resume: "too_old", reason: "ahead", floor: 0, head: 1, missed: undefined, lost: undefined }, frames: [1, 1], tells: ["reset ahead e1:0", "frame 1"], lost: null, live: true, cursor: "e1:1" },
  { name: "too_old: epoch", hello: { resume: "too_old", reason: "epoch", epoch: "e2", floor: 0, head: 1, missed: undefined, lost: undefined }, frames: [1, 1], tells: ["reset epoch e2:0", "frame 1"], lost: null, live: true, cursor: "e2:1" },
  { name: "fresh, though there was a cursor", hello: { resume: "fresh", epoch: "e2", floor: 4, head: 4, missed: 4, lost: 4 }, tells: ["reset fresh e2:4"], lost: null, live: true, cursor: "e2:4" },
]

for (const { name, hello, frames, tells, live, lost = 0, cursor, end = true } of resumes) {
  test(`P-7, P-30: ${name}`, async (t) => {
    const { net, client, heard } = startCore(t, { since: "e1:5" })
    const told = []
    client.addEventListener("reset", ({ detail }) => told.push(`reset ${detail.reason} ${detail.cursor}`) && assert.equal(client.cursor, detail.cursor))
    client.addEventListener("frame", ({ detail }) => told.push(`frame ${detail.seq}`))
    let report
    client.addEventListener("resume", ({ detail }) => (report = detail))
    assert.equal(client.cursor, "e1:5")
    const socket = await net.accept()
    assert.equal(socket.query.since, "e1:5")
    socket.hello(hello)
    if (frames) socket.frames(...frames)
    if (end) socket.say({ type: "replay_end", seq: hello.head })
    await heard()
    assert.deepEqual(told, tells)
    assert.equal(client.state.name == "live", live)
    assert.equal(client.cursor, cursor)
    assert.deepEqual([report.mode, report.lost, report.replayed], [hello.resume, lost, frames ? frames[1] - frames[0] + 1 : 0])
    if (hello.missed !== undefined) assert.equal(report.missed, hello.missed)
  })
}

test("P-9: a snapshot comes with the reset, and the cursor is where it is", async (t) => {
  const { net, client, heard } = startCore(t, { since: "e1:5" })
  const told = []
  for (const type of ["reset", "snapshot", "frame"]) client.addEventListener(type, ({ detail }) => told.push([type, client.cursor, JSON.stringify(detail)]))
  const socket = await net.accept()
  socket.hello({ resume: "too_old", reason: "pruned", floor: 8, head: 20, missed: 15, lost: 0, snapshot: true })
  await settle()
  assert.deepEqual(told, [])
  socket.say({ type: "snapshot", as_of: 18, data: { lines: ["a"] } })
  socket.frames(19, 20)
  socket.say({ type: "replay_end", seq: 20 })
  assert.deepEqual(told.slice(0, 2), [
    ["reset", "e1:18", '{"reason":"pruned","cursor":"e1:18","snapshot":true}'],
    ["snapshot", "e1:18", '{"asOf":18,"data":{"lines":["a"]}}'],
  ])
  assert.deepEqual(told.slice(2).map(([, at]) => at), ["e1:19", "e1:20"])
  assert.match((await heard()).join("\n"), /resume {"lost":0,"missed":15,.*"replayed":2,"snapshot":true}/)
})

test("P-9: word that there is no snapshot begins at the floor", async (t) => {
  const { net, heard } = startCore(t, { since: "e1:5" })
  const socket = await net.accept()
  socket.hello({ resume: "too_old", reason: "pruned", floor: 8, head: 9, missed: 4, lost: 3, snapshot: true })
  socket.say({ type: "error", code: "snapshot_unavailable", message: "" })
  socket.frames(9)
  socket.say({ type: "replay_end", seq: 9 })
  const told = (await heard()).join("\n")
  assert.match(told, /error snapshot_unavailable\nreset {"cursor":"e1:8","reason":"pruned","snapshot":false}\nframe 9\nresume .*"lost":3/)
})

test("P-9: a first attach with a snapshot is told no reset", async (t) => {
  const { net, client, heard } = startCore(t)
  const socket = await net.accept()
  socket.hello({ floor: 2, head: 4, missed: 4, snapshot: true })
  socket.say({ type: "snapshot", as_of: 4, data: null })
  socket.say({ type: "replay_end", seq: 4 })
  assert.match((await heard()).join("\n"), /^connecting\ncatching_up\nsnapshot {"asOf":4,"data":null}\nresume .*\nlive$/)
  assert.equal(client.cursor, "e1:4")
})

// What breaks the contract, each behind a hello with head 9 for the cursor e1:5 (or what stands there), and must start over (P-10).
const holes = {
  "a frame is missing": (s) => s.frames(7),
  "the end of the replay without its last frame": (s) => s.frames(6, 8) || s.say({ type: "replay_end", seq: 9 }),
  "a frame before the snapshot": [{ resume: "too_old", reason: "pruned", floor: 8, head: 9, snapshot: true }, (s) => s.frames(9)],
  "the end before the snapshot": [{ resume: "too_old", reason: "pruned", floor: 9, head: 9, snapshot: true }, (s) => s.say({ type: "replay_end", seq: 9 })],
  "a replay in another epoch": [{ resume: "replay", epoch: "e2", head: 9 }, () => {}],
  "a replay with a head below the cursor": [{ resume: "replay", head: 4 }, () => {}],
  "a frame before hello": [undefined, (s) => s.frames(6)],
}

for (const [name, how] of Object.entries(holes)) {
  test(`P-10: ${name}: it starts over`, async (t) => {
    t.mock.method(Math, "random", () => 0.5)
    const { net, clock, client, heard } = startCore(t, { since: "e1:5" })
    const [hello, then] = Array.isArray(how) ? how : [{ resume: "replay", head: 9, missed: 4 }, how]
    const first = await net.accept()
    if (hello) first.hello(hello)
    then(first)
    assert.equal(first.closed, 1000)
    first.frames(6, 9)
    await clock.pass(250)
    const second = await net.accept()
    assert.equal(second.query.since, undefined)
    await heard()
    second.hello({ resume: "fresh", floor: 4, head: 9, missed: 9, lost: 4 })
    second.frames(5, 9)
    second.say({ type: "replay_end", seq: 9 })
    const told = await heard()
    assert.match(told.join("\n"), /^catching_up\nreset {"cursor":"e1:4","reason":"hole","snapshot":false}\nframe 5\nframe 6\nframe 7\nframe 8\nframe 9\nresume {"lost":null,"missed":9,"mode":"fresh","offlineMs":0,"reason":"hole","replayed":5,"snapshot":false}\nlive$/)
    assert.equal(client.stats.resets, 1)
    // and from then on it has a cursor again
    second.end()
    await clock.pass(2000)
    assert.equal((await net.accept()).query.since, "e1:9")
  })
}

test("P-3: what comes again on one connection, and on another, is dropped and counted", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, client, heard } = startCore(t)
  const first = await net.accept()
  first.hello({ head: 3 })
  first.frames(1, 3)
  first.frames(2)
  first.end()
  await clock.pass(10)
  const second = await net.accept()
  assert.equal(second.query.since, "e1:3")
  second.hello({ resume: "replay", head: 4, missed: 1 })
  second.frames(4)
  second.frames(3, 4)
  assert.deepEqual((await heard()).filter((line) => /^frame/.test(line)), ["frame 1", "frame 2", "frame 3", "frame 4"])
  assert.equal(client.stats.duplicates, 3)
})

test("P-1: a frame of the application's may have any type", async (t) => {
  const { net, client } = startCore(t)
  const socket = await net.accept()
  const types = ["hello", "replay_end", "snapshot", "receipt", "error", "goaway", "subscribed", "ping"]
  socket.hello({ head: types.length })
  const got = []
  client.addEventListener("frame", ({ detail }) => got.push(detail.type))
  types.forEach((type, i) => socket.say({ seq: i + 1, type, topic_seq: undefined }))
  assert.deepEqual(got, types)
  assert.deepEqual(socket.got.filter(({ type }) => type == "pong"), [])
})

test("what cannot be read ends the connection, and is told", async (t) => {
  t.mock.method(Math, "random", () => 0)
  for (const text of ["{", "[]", '{"seq":0,"type":"t"}', '{"seq":1}']) {
    await t.test(text, async (t) => {
      const { net, clock, heard } = startCore(t, { since: "e1:5" })
      const socket = await net.accept()
      socket.hello({ resume: "up_to_date", head: 5 })
      await heard()
      socket.say(text)
      assert.deepEqual(await heard(), ["error bad_frame", "offline 0"])
      assert.equal(socket.closed, 3001)
      await clock.pass(5)
      assert.equal((await net.accept()).query.since, "e1:5")
    })
  }
})

test("what nobody knows yet is ignored", async (t) => {
  const { live, heard } = start(t)
  const socket = await live()
  socket.say({ type: "later", more: { seq: 1 } })
  socket.say({ type: "snapshot", as_of: 3, data: 1 })
  socket.say({ type: "hello", client_id: "else", epoch: "e9", resume: "fresh", floor: 7, head: 7 })
  socket.frames(1)
  assert.deepEqual(await heard(), ["frame 1"])
})

test("missed, lost and replayed are counted over as many attaches as it takes", async (t) => {
  t.mock.method(Math, "random", () => 0)
  const { net, clock, live, heard } = startCore(t)
  const first = await live()
  first.frames(1, 5)
  first.end()
  await clock.pass(8_000)
  const second = await net.accept()
  second.hello({ resume: "too_old", reason: "pruned", floor: 10, head: 20, missed: 15, lost: 5 })
  second.frames(11, 14)
  second.end()
  await clock.pass(1000)
  const third = await net.accept()
  assert.equal(third.query.since, "e1:14")
  third.hello({ resume: "too_old", reason: "pruned", floor: 16, head: 22, missed: 8, lost: 2 })
  third.frames(17, 18)
  third.end()
  await clock.pass(1000)
  const fourth = await net.accept()
  assert.equal(fourth.query.since, "e1:18")
  fourth.hello({ resume: "replay", floor: 16, head: 23, missed: 5, lost: 0 })
  fourth.frames(19, 23)
  await heard()
  fourth.say({ type: "replay_end", seq: 23 })
  const [resume] = await heard()
  const { offlineMs, ...report } = JSON.parse(resume.slice(7))
  assert.deepEqual(report, { mode: "too_old", missed: 9, reason: "pruned", lost: 7, snapshot: false, replayed: 7 })
  assert.equal(offlineMs, 10_000)
})
