// What a session looks like, built from frames alone. It is pure: no clock, no page, and nothing that it is given is changed. So a snapshot, a replay and live
// frames make the same picture, and the view patches only what a step says has changed.

/** What a page keeps, at most: items of the conversation; pieces and characters of a tool's output; characters of one text. */
export const bounds = { items: 240, pieces: 400, output: 48_000, text: 32_000 }

/** The session before its first frame. `items` is the conversation in order, `turn` the running turn's number or null. */
export const empty = Object.freeze({ items: Object.freeze([]), turn: null, dropped: 0, notes: 0, floods: 0 })

const none = Object.freeze([])

/**
 * reduce takes one frame in and returns `{ state, changed }`: the keys of the items that are new, different, or gone. A frame that it does not know, or that
 * it has had before, changes nothing. `how` says how the frame came: "live", "replay" or "snapshot".
 */
export function reduce(state, frame, how = "live") {
  const step = steps[frame.type]
  return step ? step(state, frame, how) : { state, changed: none }
}

/** replay builds the session from a snapshot's `{ frames: […] }`; from anything else, an empty one. */
export function replay(data) {
  let state = empty
  for (const frame of Array.isArray(data?.frames) ? data.frames : none) state = reduce(state, frame, "snapshot").state
  return state
}

/** note adds a line that is the page's own, such as a resume report: it is in no frame, and goes with the state. */
export function note(state, text, tone = "plain") {
  return push({ ...state, notes: state.notes + 1 }, { kind: "note", key: `note:${state.notes + 1}`, text, tone })
}

/** find returns the item of that key, or undefined. */
export function find(state, key) {
  return state.items[position(state, key)]
}

const steps = {
  __proto__: null,

  user(state, { id, text, device, send }) {
    const key = `user:${send ?? id}`
    if (find(state, key)) return { state, changed: none }
    return push(state, { kind: "user", key, send, text: String(text), device })
  },

  turn(state, { turn, state: what }) {
    if (what === "start") return { state: { ...state, turn }, changed: none }
    const ended = end(state, turn, what)
    const after = { ...ended.state, turn: state.turn === turn ? null : state.turn }
    return what === "stopped" ? join(ended.changed, note(after, "Stopped", "stopped")) : { state: after, changed: ended.changed }
  },

  // Pieces go on where the turn's last text is, also when somebody has typed in between.
  text(state, { turn, text }) {
    const last = lastOf(state, turn)
    if (last?.kind === "text" && last.open) return patch(state, last.key, { text: (last.text + text).slice(-bounds.text) })
    const count = state.items.filter((item) => item.kind === "text" && item.turn === turn).length
    return push(state, { kind: "text", key: `text:${turn}:${count}`, turn, text: String(text), open: true })
  },

  tool(state, { turn, call, name, args, limit_ms: limit }) {
    const key = `tool:${call}`
    if (find(state, key)) return { state, changed: none }
    const closed = close(state, turn)
    return join(closed.changed, push(closed.state, {
      kind: "tool", key, turn, call, name, args: args ?? none, limit, status: "running", progress: null, pieces: none, count: 0, size: 0,
    }))
  },

  output(state, { call, text, stream }) {
    const item = find(state, `tool:${call}`)
    if (!item) return { state, changed: none }
    return patch(state, item.key, output(item, String(text), stream))
  },

  progress(state, { call, done, of, label }) {
    return patch(state, `tool:${call}`, { progress: { done, of, label } })
  },

  tool_done(state, { call, exit, ms, error }) {
    return patch(state, `tool:${call}`, { status: "done", exit, ms, error })
  },

  question(state, { question, turn, text, choices, command }) {
    const key = `question:${question}`
    if (find(state, key)) return { state, changed: none }
    const closed = close(state, turn)
    return join(closed.changed, push(closed.state, { kind: "question", key, turn, question, text, choices: choices ?? none, command, choice: null, device: null }))
  },

  // The first answer counts, whoever gave it.
  answered(state, { question, choice, device }) {
    const item = find(state, `question:${question}`)
    return item && item.choice === null ? patch(state, item.key, { choice, device }) : { state, changed: none }
  },

  flood(state, { n, of }, how) {
    const item = find(state, `flood:${state.floods}`)
    if (!item || (n === 1 && item.last > 1)) {
      const next = { ...state, floods: state.floods + 1 }
      return push(next, { kind: "flood", key: `flood:${next.floods}`, of, first: n, last: n, got: 1, missing: 0, repeated: 0, runs: [{ from: n, to: n, how }] })
    }
    if (n <= item.last) return patch(state, item.key, { repeated: item.repeated + 1 })
    return patch(state, item.key, { last: n, got: item.got + 1, missing: item.missing + n - item.last - 1, runs: run(item.runs, n, how) })
  },
}

// run lengthens the last run by n, or begins one where something is missing or frames come in another way.
function run(runs, n, how) {
  const last = runs.at(-1)
  if (last.how === how && last.to === n - 1) return [...runs.slice(0, -1), { ...last, to: n }]
  return [...runs, { from: n, to: n, how }]
}

// output adds a piece, and lets the oldest go beyond the bounds. Pieces are numbered, so that a view appends only what it has not.
function output(item, text, stream) {
  const piece = { n: item.count + 1, text: text.slice(-bounds.output), stream }
  const pieces = [...item.pieces, piece]
  let size = item.size + piece.text.length
  let gone = 0
  while (pieces.length - gone > bounds.pieces || size > bounds.output) size -= pieces[gone++].text.length
  return { pieces: gone ? pieces.slice(gone) : pieces, count: piece.n, size }
}

// close says that the turn's text will not grow any more: something else has begun.
function close(state, turn) {
  const last = lastOf(state, turn)
  return last?.kind === "text" && last.open ? patch(state, last.key, { open: false }) : { state, changed: none }
}

// end closes what a turn has left open. A question that was not answered can no longer be.
function end(state, turn, what) {
  let changed = none
  for (const item of state.items) {
    if (item.turn !== turn) continue
    const fields = leftOpen(item, what)
    if (!fields) continue
    const next = patch(state, item.key, fields)
    state = next.state
    changed = [...changed, ...next.changed]
  }
  return { state, changed }
}

function leftOpen(item, what) {
  if (item.kind === "text" && item.open) return { open: false }
  if (item.kind === "tool" && item.status === "running") return { status: what === "stopped" ? "stopped" : "done" }
  if (item.kind === "question" && item.choice === null) return { choice: "none" }
  return null
}

function lastOf(state, turn) {
  return state.items.findLast((item) => item.turn === turn)
}

// Nearly always it is one of the last that is looked for.
function position(state, key) {
  return state.items.findLastIndex((item) => item.key === key)
}

function patch(state, key, fields) {
  const at = position(state, key)
  if (at < 0) return { state, changed: none }
  return { state: { ...state, items: state.items.with(at, { ...state.items[at], ...fields }) }, changed: [key] }
}

function push(state, item) {
  const items = [...state.items, item]
  if (items.length <= bounds.items) return { state: { ...state, items }, changed: [item.key] }
  const gone = items.shift()
  return { state: { ...state, items, dropped: state.dropped + 1 }, changed: [gone.key, item.key] }
}

function join(changed, next) {
  return { state: next.state, changed: [...changed, ...next.changed] }
}
