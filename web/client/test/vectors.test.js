import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { formatCursor, isPattern, isTopic, parseCursor, read, retried, stops } from "../wire.js"
import { Dice } from "./dice.js"

// The contract as plain JSON, which the broker is held to as well.
const vectors = (name) => JSON.parse(readFileSync(new URL(`../../../protocol/testdata/vectors/${name}.json`, import.meta.url)))

const refusal = (call) => {
  try {
    call()
  } catch ({ code }) {
    return code
  }
}

test("P-5: cursors", () => {
  const { cases } = vectors("cursors")
  assert.ok(cases.length > 40)
  for (const { in: text, epoch, seq, error } of cases) {
    // A bare seq is for people and very small clients, and this one would not know what it has.
    if (!epoch) {
      assert.equal(refusal(() => parseCursor(text)), error ?? "bad_cursor", JSON.stringify(text))
      continue
    }
    assert.deepEqual(parseCursor(text), { epoch, seq }, text)
    assert.equal(formatCursor({ epoch, seq }), text)
  }
})

test("P-1: what is read in the broker's messages", () => {
  const { incoming, splice } = vectors("frames")
  assert.ok(incoming.length > 25)
  for (const { name, in: text, error, seq, type, topic, topic_seq, from } of incoming) {
    if (error) {
      // To the broker's own people it matters what was wrong, to a page only that it was.
      assert.equal(refusal(() => read(text)), "bad_frame", name)
      continue
    }
    const got = read(text)
    assert.deepEqual([got.seq, got.message.type, got.message.topic, got.message.topic_seq, got.message.from], [seq, type, topic, topic_seq, from], name)
  }
  for (const { seq, frame } of splice) {
    const got = read(frame)
    assert.equal(got.seq, seq)
    assert.deepEqual(got.message, JSON.parse(frame))
  }
})

test("whatever comes is read or refused, and never anything else", () => {
  const dice = new Dice(+(process.env.FUZZ_SEED ?? 1))
  const seeds = [...vectors("frames").incoming, ...vectors("subscriptions").cases].map((each) => each.in)
  const bits = ['{"seq":', '"', "}", ",", "0", "1e9", "9007199254740993", "-1", ' "type":"t"', "null", "\\u0000", "topic_seq", "\ud800", "{", "[", " "]
  for (let i = 0; i < 50_000; i++) {
    const from = dice.one(seeds)
    const at = dice.below(from.length + 1)
    const text = from.slice(0, at) + (dice.in(4) ? "" : dice.one(bits)) + from.slice(at + dice.below(4))
    const code = refusal(() => {
      const { seq, message } = read(text)
      assert.ok(Number.isSafeInteger(seq) && seq >= 0 && typeof message.type == "string", text)
      assert.equal(seq > 0, text.startsWith('{"seq":'), text)
      if (seq) assert.equal(message.seq, seq, text)
    })
    assert.ok(code === undefined || code == "bad_frame", `${text}: ${code}`)
    const cursor = dice.one(["e1:5", "0", "k:9007199254740991", ":"]).replace(/./g, (c) => (dice.in(6) ? dice.one([..."0129:-_ .é"]) : c))
    const no = refusal(() => assert.equal(formatCursor(parseCursor(cursor)), cursor))
    assert.ok(no === undefined || no == "bad_cursor", `${cursor}: ${no}`)
  }
})

test("P-19: the broker's messages about subscriptions are its own", () => {
  const { cases } = vectors("subscriptions")
  assert.ok(cases.length > 15)
  for (const { name, in: text, data, ...want } of cases) {
    const { seq, message } = read(text)
    assert.equal(seq, 0, name)
    if (data !== undefined) assert.deepEqual(message.data, JSON.parse(data), name)
    delete want.error
    for (const [member, value] of Object.entries(want)) assert.deepEqual(message[member] ?? false, value, `${name}: ${member}`)
  }
})

test("P-32: names and patterns", () => {
  const { cases } = vectors("topics")
  assert.ok(cases.length > 45)
  for (const { in: text, topic, pattern } of cases) {
    assert.equal(isTopic(text), pattern, text)
    if (pattern) assert.equal(isPattern(text), !topic, text)
  }
})

test("P-22: close codes, and those that nobody knows", () => {
  const { cases } = vectors("closes")
  assert.ok(cases.length > 15)
  for (const { code, stops: want } of cases) assert.equal(stops(code), want, `${code}`)
  for (const code of [0, 1005, 1006, 1011, 3000, 4499]) assert.equal(stops(code), false, `${code}`)
  for (const code of [4510, 4999]) assert.equal(stops(code), true, `${code}`)
})

test("P-20: after which codes a library asks again", () => {
  const { cases } = vectors("codes")
  assert.ok(cases.length > 15)
  for (const { code, retry } of cases) assert.equal(retried(code), retry, code)
})
