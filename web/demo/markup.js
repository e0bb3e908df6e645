// The little markup that an agent's words have: paragraphs, headings, lists, fenced code; in a line, `code` and **strong**. Pure. What has not ended yet, since it
// is still being written, is shown as it stands.

/**
 * blocks splits a text into `{ kind, source, lines }`, kind one of p, h, ul, ol, pre. Text that is added to the end changes at most the last two of them, or adds
 * some, so that a view can leave those alone whose `source` is the same.
 */
export function blocks(text) {
  const out = []
  let fence = false
  for (const line of text.split("\n")) {
    const last = out.at(-1)
    if (/^\s*```/.test(line)) {
      if (!fence) out.push({ kind: "pre", lines: [] })
      fence = !fence
      if (!fence) out.push(null)
    } else if (fence) {
      last.lines.push(line)
    } else if (line.trim() === "") {
      out.push(null)
    } else {
      place(out, last, line)
    }
  }
  return out.filter(Boolean).map((block) => ({ ...block, source: `${block.kind}\n${block.lines.join("\n")}` }))
}

// place puts a line where it belongs: into a list, a heading of its own, or the paragraph before it.
function place(out, last, line) {
  const [, mark, rest = ""] = /^\s*([-*•]|\d+[.)])(?:\s+(.*))?$/.exec(line) ?? []
  const heading = /^#{1,4}\s+(.*)$/.exec(line)?.[1]
  const kind = mark ? (/\d/.test(mark) ? "ol" : "ul") : heading !== undefined ? "h" : "p"
  const text = (mark ? rest : heading) ?? line.trim()
  if (last && last.kind === kind && kind !== "h") last.lines.push(text)
  else out.push({ kind, lines: [text] })
}

/** inline splits a line into `{ kind, text }`, kind one of text, code, strong. */
export function inline(line) {
  const out = []
  let at = 0
  for (const match of line.matchAll(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g)) {
    if (match.index > at) out.push({ kind: "text", text: line.slice(at, match.index) })
    out.push(match[1] !== undefined ? { kind: "code", text: match[1] } : { kind: "strong", text: match[2] })
    at = match.index + match[0].length
  }
  if (at < line.length) out.push({ kind: "text", text: line.slice(at) })
  return out
}
