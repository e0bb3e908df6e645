import assert from "node:assert/strict"
import { test } from "node:test"
import { bounds, empty, find, note, reduce, replay } from "../session.js"

const run = (frames, state = empty, how = "live") => frames.reduce((s, frame) => reduce(s, frame, how).state, state)
const start = { type: "turn", turn: 1, state: "start" }
const tool = { type: "tool", turn: 1, call: "c1", name: "go vet", args: ["./..."], limit_ms: 60_000 }
const ask = { type: "question", question: "q1", turn: 1, text: "May I?", choices: ["allow", "deny"], command: "go test ./..." }
const shape = (state) => state.items.map(({ kind, text, status, choice }) => [kind, text ?? status ?? choice])

test("pieces of text become one message, which a tool call ends", () => {
  const state = run([start, { type: "text", turn: 1, text: "I look " }, { type: "text", turn: 1, text: "first." }, tool, { type: "text", turn: 1, text: "Done." }])
  assert.deepEqual(shape(state), [["text", "I look first."], ["tool", "running"], ["text", "Done."]])
  assert.deepEqual(state.items.map((item) => item.open), [false, undefined, true])
  assert.equal(new Set(state.items.map((item) => item.key)).size, 3)
})

test("what somebody types in between does not tear the agent's message", () => {
  const state = run([start, { type: "text", turn: 1, text: "one " }, { type: "user", id: 2, text: "wait", device: "phone" }, { type: "text", turn: 1, text: "two" }])
  assert.deepEqual(shape(state), [["text", "one two"], ["user", "wait"]])
})

test("a step names what has changed, and nothing else", () => {
  const before = run([{ type: "user", id: 1, text: "hi", device: "laptop" }, start, { type: "text", turn: 1, text: "Hello" }])
  const { state, changed } = reduce(before, { type: "text", turn: 1, text: "!" })
  assert.deepEqual(changed, ["text:1:0"])
  assert.equal(state.items[0], before.items[0], "an item that has not changed is the same object")
  const closing = reduce(state, { ...tool })
  assert.deepEqual(closing.changed, ["text:1:0", "tool:c1"])
})

test("nothing that is given is changed", () => {
  const freeze = (value) => {
    if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze)
    return value
  }
  let state = empty
  for (const frame of session()) state = freeze(reduce(state, freeze(frame)).state)
  assert.equal(state.items.length, 5)
})

test("a frame that has been here before changes nothing", () => {
  for (const frame of [{ type: "user", id: 1, text: "hi", device: "laptop", send: "s1" }, tool, ask]) {
    const once = run([start, frame])
    assert.deepEqual(reduce(once, frame), { state: once, changed: [] })
  }
})

test("frames that it does not know, and calls that it has not seen begin, change nothing", () => {
  const odd = [{ type: "constructor" }, { type: "toString" }, { type: "hello" }, { type: "output", call: "x", text: "y" }, { type: "progress", call: "x", done: 1, of: 2 },
    { type: "tool_done", call: "x", exit: 0 }, { type: "answered", question: "x", choice: "allow" }]
  for (const frame of odd) {
    const { state, changed } = reduce(empty, frame)
    assert.deepEqual(state.items, [], frame.type)
    assert.deepEqual(changed, [], frame.type)
  }
})

test("the first answer counts", () => {
  const state = run([start, ask, { type: "answered", question: "q1", choice: "deny", device: "phone" }, { type: "answered", question: "q1", choice: "allow", device: "laptop" }])
  assert.deepEqual([state.items[0].choice, state.items[0].device], ["deny", "phone"])
})

test("stopping ends what the turn has left open, and says so", () => {
  const state = run([start, tool, ask, { type: "text", turn: 1, text: "and" }, { type: "turn", turn: 1, state: "stopped" }])
  assert.deepEqual(shape(state), [["tool", "stopped"], ["question", "May I?"], ["text", "and"], ["note", "Stopped"]])
  assert.equal(state.items[1].choice, "none")
  assert.equal(state.items[2].open, false)
  assert.equal(state.turn, null)
})

test("a turn that ends does not end the one that has begun since", () => {
  assert.equal(run([start, { type: "turn", turn: 2, state: "start" }, { type: "turn", turn: 1, state: "done" }]).turn, 2)
})

test("output is bounded by pieces and by characters, and its pieces keep their numbers", () => {
  const lines = Array.from({ length: bounds.pieces + 50 }, (_, i) => ({ type: "output", call: "c1", text: `${i + 1}\n`, stream: "stdout" }))
  const many = run([start, tool, ...lines]).items[0]
  assert.equal(many.pieces.length, bounds.pieces)
  assert.deepEqual([many.pieces[0].n, many.pieces[0].text, many.count], [51, "51\n", bounds.pieces + 50])
  const big = run([start, tool, ...["a", "b", "c"].map((c) => ({ type: "output", call: "c1", text: c.repeat(bounds.output / 2) }))]).items[0]
  assert.deepEqual(big.pieces.map((piece) => piece.n), [2, 3])
  const huge = run([start, tool, { type: "output", call: "c1", text: "x".repeat(bounds.output) + "end" }]).items[0]
  assert.equal(huge.size, bounds.output)
  assert.ok(huge.pieces[0].text.endsWith("end"))
})

test("the conversation is bounded, and says which items have gone", () => {
  let state = empty
  for (let id = 1; id <= bounds.items; id++) state = reduce(state, { type: "user", id, text: "x" }).state
  const { state: after, changed } = reduce(state, { type: "user", id: 0, text: "last" })
  assert.deepEqual(changed, ["user:1", "user:0"])
  assert.equal(find(after, "user:1"), undefined)
  assert.deepEqual([after.items.length, after.dropped], [bounds.items, 1])
})

test("a flood counts each frame, and knows how it came", () => {
  const flood = (n) => ({ type: "flood", n, of: 9 })
  let state = run([1, 2, 3].map(flood))
  state = run([4, 5].map(flood), state, "replay")
  state = run([5, 8, 9].map(flood), state)
  const [item] = state.items
  assert.deepEqual([item.got, item.last, item.missing, item.repeated], [7, 9, 2, 1])
  assert.deepEqual(item.runs, [{ from: 1, to: 3, how: "live" }, { from: 4, to: 5, how: "replay" }, { from: 8, to: 9, how: "live" }])
  const next = run([flood(1)], state)
  assert.deepEqual(next.items.map(({ key, last }) => [key, last]), [["flood:1", 9], ["flood:2", 1]])
})

test("a snapshot and the frames after it make what all frames make", () => {
  const frames = session()
  const whole = run(frames)
  const merged = [frames[0], frames[1], { type: "text", turn: 1, text: "I look first." }, ...frames.slice(4, 8)]
  assert.deepEqual(run(frames.slice(8), replay({ frames: merged })), whole)
})

test("a snapshot that is none is an empty session", () => {
  for (const data of [undefined, null, {}, { frames: "x" }, []]) assert.equal(replay(data), empty)
})

test("the page's own lines have keys of their own", () => {
  const one = note(empty, "Caught up on 2 updates")
  const two = note(one.state, "Caught up on 3 updates", "bad")
  assert.deepEqual([...one.changed, ...two.changed], ["note:1", "note:2"])
  assert.equal(two.state.items[1].tone, "bad")
})

function session() {
  return [
    { type: "user", id: 1, text: "review", device: "laptop", send: "s1" }, start, { type: "text", turn: 1, text: "I look " }, { type: "text", turn: 1, text: "first." },
    tool, { type: "output", call: "c1", text: "x\n", stream: "stdout" }, { type: "progress", call: "c1", done: 1, of: 2 }, { type: "tool_done", call: "c1", exit: 1, ms: 20 },
    ask, { type: "answered", question: "q1", choice: "allow", device: "phone" }, { type: "text", turn: 1, text: "That is all." }, { type: "turn", turn: 1, state: "done" },
  ]
}
