// A page as a reader of the README would write it: each frame is a DOM node, a snapshot replaces what is there, a reset clears it. What it is to do comes in
// the query, and what it has seen is in globalThis.app, for the test.

import { Restante } from "/client/index.js"

const asked = JSON.parse(new URLSearchParams(location.search).get("q") ?? "{}")
const frames = document.querySelector("#frames")

// What was rendered, in order: the DOM is held to it.
const list = []
const waiting = new Set()

const app = (globalThis.app = {
  asked,
  // What the tab's sessionStorage held before the library was there: window.open and a duplicated tab copy it.
  inherited: Object.values(sessionStorage),
  client: null,
  // Everything that was told to the page, in order.
  events: [],
  list,

  note(name, detail) {
    app.events.push({ name, detail, at: performance.now() })
    app.look()
  },
  // until resolves with what test() returns, as soon as that is true.
  until(test) {
    const value = test()
    if (value) return Promise.resolve(value)
    return new Promise((resolve) => waiting.add({ test, resolve }))
  },
  look() {
    for (const waiter of waiting) {
      const value = waiter.test()
      if (!value) continue
      waiting.delete(waiter)
      waiter.resolve(value)
    }
  },
  // seen resolves when what has that name was told count times.
  seen: (name, count = 1) => app.until(() => app.events.filter((event) => event.name === name).length >= count),
  details: (name) => app.events.filter((event) => event.name === name).map((event) => event.detail),
  count: (name) => app.details(name).length,
  live: () => app.until(() => app.client.state.name === "live"),
  last: () => list.at(-1)?.seq ?? 0,
  reached: (seq) => app.until(() => app.last() >= seq),
  rendered: () => Array.from(frames.children, (li) => ({ seq: Number(li.dataset.seq), n: Number(li.dataset.n) })),
})

function render({ seq, n }) {
  const li = document.createElement("li")
  li.dataset.seq = seq
  li.dataset.n = n
  li.textContent = `${n}`
  frames.append(li)
  list.push({ seq, n })
}

function clear() {
  frames.replaceChildren()
  list.length = 0
}

// A frame that the page renders is numbered by its publisher; others, which other clients have sent, are told as they are.
function take(frame) {
  if (frame.n === undefined) app.note("other", frame)
  else render(frame)
  app.look()
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function onFrame(frame) {
  if (asked.slow) await pause(asked.slow)
  take(frame)
  if (frame.n % asked.throwAt === 0) throw new Error(`the handler does not like ${frame.n}`)
}

const options = { ...asked.options }
if (asked.token) {
  options.token = async () => {
    app.note("token")
    const response = await fetch(asked.token)
    if (!response.ok) throw new Error(`the token endpoint answers ${response.status}`)
    return response.json()
  }
}
if (asked.slow || asked.throwAt) options.onFrame = onFrame
if (asked.since !== undefined) options.since = asked.since

const client = (app.client = new Restante(asked.broker, options))

// The library tells nobody of a change that is not to be seen. It is begun behind the library, whose timers are the page's first, as in a page that has none.
setInterval(app.look, 50)

if (!options.onFrame && !asked.iterate) client.addEventListener("frame", (e) => take(e.detail))
client.addEventListener("snapshot", (e) => {
  if (e.detail.topic) return app.note("topic_snapshot", e.detail)
  clear()
  e.detail.data.list.forEach(render)
  app.note("snapshot", { asOf: e.detail.asOf })
})
client.addEventListener("reset", (e) => {
  clear()
  app.note("reset", e.detail)
})
for (const name of ["connecting", "catching_up", "live", "offline", "waiting", "stopped"]) client.addEventListener(name, (e) => app.note(name, e.detail))
for (const name of ["resume", "sent", "topic_reset", "topic_hole", "unsubscribed"]) client.addEventListener(name, (e) => app.note(name, e.detail))
client.addEventListener("error", ({ detail: { code, message, frame, cause } }) => app.note("error", { code, message, seq: frame?.seq, cause: cause && `${cause}` }))

// What the browser tells a page about itself.
document.addEventListener("visibilitychange", () => app.note("page visibilitychange", document.visibilityState))
for (const name of ["freeze", "resume"]) document.addEventListener(name, () => app.note(`page ${name}`, app.last()))
for (const name of ["online", "offline", "pagehide", "pageshow"]) addEventListener(name, (e) => app.note(`page ${name}`, e.persisted))

for (const [topic, options] of Object.entries(asked.subscribe ?? {})) {
  client.subscribe(topic, options).then(
    ({ resume }) => app.note("subscribed", { topic, resume }),
    ({ code }) => app.note("refused", { topic, code }),
  )
}

if (asked.iterate) for await (const frame of client) take(frame)
