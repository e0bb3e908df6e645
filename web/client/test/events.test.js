import assert from "node:assert/strict"
import { test } from "node:test"
import { eventParser } from "../events.js"

const parsed = (pieces, limit = 1 << 20) => {
  const events = []
  const parse = eventParser((...event) => events.push(event), limit)
  for (const piece of pieces) parse(piece)
  return events
}

// model reads a whole stream, character by character, as the HTML standard says it.
const model = (text) => {
  const chars = [...text.replace(/^\ufeff/, "")]
  const lines = []
  let line = ""
  for (let i = 0; i < chars.length; i++) {
    if (chars[i] != "\r" && chars[i] != "\n") {
      line += chars[i]
      continue
    }
    if (chars[i] == "\r" && chars[i + 1] == "\n") i++
    lines.push(line)
    line = ""
  }
  const events = []
  let data = []
  let name = ""
  let retry
  for (const line of lines) {
    if (line == "") {
      if (data.length) events.push([name || "message", data.join("\n"), retry])
      data = []
      name = ""
      continue
    }
    const at = line.indexOf(":")
    const field = at < 0 ? line : line.substring(0, at)
    let value = at < 0 ? "" : line.substring(at + 1)
    if (value.startsWith(" ")) value = value.substring(1)
    if (field == "data") data.push(value)
    else if (field == "event") name = value
    else if (field == "retry" && value != "" && [...value].every((c) => c >= "0" && c <= "9")) retry = Number(value)
  }
  return events
}

const stream = "\ufeff: hi\r\nretry: 1180\nevent: hello\rdata: {\"type\":\"hello\"}\r\n\r\nid: e:2\ndata: {\"seq\":2,\ndata:\"a\": 1}\n\n:\n\ndata\n\ndata:  two\r\rretry: x\nevent:close\ndata: {\"code\":4002}\n\ndata: half"

test("the stream is read as it is written", () => {
  assert.deepEqual(parsed([stream]), [
    ["hello", '{"type":"hello"}', 1180],
    ["message", '{"seq":2,\n"a": 1}', 1180],
    ["message", "", 1180],
    ["message", " two", 1180],
    ["close", '{"code":4002}', 1180],
  ])
})

test("wherever it is cut, once", () => {
  const whole = model(stream)
  for (let i = 0; i <= stream.length; i++) assert.deepEqual(parsed([stream.slice(0, i), stream.slice(i)]), whole, `cut at ${i}`)
})

test("wherever it is cut, twice", () => {
  const whole = model(stream)
  for (let i = 0; i <= stream.length; i++) {
    for (let j = i; j <= stream.length; j++) assert.deepEqual(parsed([stream.slice(0, i), stream.slice(i, j), stream.slice(j)]), whole, `cut at ${i} and ${j}`)
  }
})

// random is a generator with a seed, so that what fails can be had again.
const random = (seed) => (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

test("random streams in random pieces, against a naive model", () => {
  const bits = ["\n", "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", ":", " ", "data", "data: ", "data:", "event: ", "event:x", "retry: ", "retry: 42", "id: e:1", "\ufeff", "\u2028", "{}", "é", "😀", "0", "x", "datax", "\0"]
  let seen = 0
  for (let seed = 1; seed <= 5000; seed++) {
    const draw = random(seed)
    let text = ""
    for (let n = draw(60); n > 0; n--) text += bits[draw(bits.length)]
    const pieces = []
    for (let at = 0; at < text.length; ) {
      const n = draw(7)
      pieces.push(text.slice(at, at + n))
      at += n
    }
    const want = model(text)
    seen += want.length
    assert.deepEqual(parsed(pieces), want, `seed ${seed}: ${JSON.stringify(pieces)}`)
  }
  assert.ok(seen > 2000, `only ${seen} events`)
})

test("an event is bounded, in one line and in many, and many events are not", () => {
  const x = "x".repeat(100)
  assert.equal(parsed([`data: ${"x".repeat(900)}\n\n`], 1000).length, 1)
  assert.equal(parsed([`data: ${x}\n\n`.repeat(50)], 1000).length, 50)
  assert.throws(() => parsed([`data: ${x}`, ...Array(10).fill(x)], 1000), RangeError)
  assert.throws(() => parsed(Array(11).fill(`data: ${x}\n`), 1000), RangeError)
  assert.throws(() => parsed([`data: ${x}\n`.repeat(11) + "\n"], 1000), RangeError, "in one piece")
  assert.throws(() => parsed([`:${"x".repeat(1100)}`], 1000), RangeError, "a comment")
})
