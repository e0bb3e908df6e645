import assert from "node:assert/strict"
import { test } from "node:test"
import { blocks, inline } from "../markup.js"

const text = "I look at **this**:\n\n1. the files\n2. the `TODO`s\n\n- one\n- two\n## Then\nthe rest\nof it\n```go\nfunc main() {\n\n}\n```\nend"

test("a text becomes paragraphs, lists, headings and code", () => {
  assert.deepEqual(blocks(text).map(({ kind, lines }) => [kind, lines]), [
    ["p", ["I look at **this**:"]], ["ol", ["the files", "the `TODO`s"]], ["ul", ["one", "two"]], ["h", ["Then"]], ["p", ["the rest", "of it"]],
    ["pre", ["func main() {", "", "}"]], ["p", ["end"]],
  ])
})

test("what is added at the end changes the last two blocks at most", () => {
  let before = []
  for (let n = 1; n <= text.length; n++) {
    const now = blocks(text.slice(0, n)).map((block) => block.source)
    assert.deepEqual(now.slice(0, Math.max(0, before.length - 2)), before.slice(0, -2), JSON.stringify(text.slice(0, n)))
    before = now
  }
})

test("a line has code and strong words, once they are closed", () => {
  assert.deepEqual(inline("see `a.go` and **b**, `c"), [
    { kind: "text", text: "see " }, { kind: "code", text: "a.go" }, { kind: "text", text: " and " }, { kind: "strong", text: "b" }, { kind: "text", text: ", `c" },
  ])
  assert.deepEqual(inline("`**x**`"), [{ kind: "code", text: "**x**" }])
})

// Whatever comes, nothing of it gets lost but the marks themselves.
test("random texts keep their words", () => {
  let seed = 7
  const random = (n) => (seed = (seed * 16807) % 2147483647) % n
  const bits = ["w", " ", "\n", "\n\n", "`", "**", "- ", "1. ", "```", "# ", "<b>", "*"]
  for (let round = 0; round < 3000; round++) {
    let words = 0
    const made = Array.from({ length: random(24) }, () => {
      const bit = bits[random(bits.length)]
      return bit === "w" ? ` w${++words} ` : bit
    }).join("")
    const fences = made.split("\n").filter((line) => /^\s*```/.test(line)).join(" ") // a fence's own line names its language, and is not shown
    const shown = blocks(made).flatMap((block) => (block.kind === "pre" ? block.lines : block.lines.flatMap((line) => inline(line).map((span) => span.text)))).join(" ")
    for (let word = 1; word <= words; word++) assert.match(`${shown} ${fences}`, new RegExp(`w${word}(?!\\d)`), JSON.stringify(made))
  }
})
