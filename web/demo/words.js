// What the page says about connections, in words. Pure, so that the words are tested.

const numbers = new Intl.NumberFormat("en")

/** count writes a number with its thousands apart: 2,500. */
export const count = (n) => numbers.format(n)

/** plural writes how many of something there are: "1 update", "2,500 updates". */
export const plural = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`

/** lasting writes a time in milliseconds the way one says it: 8 ms, 0.4 s, 12 s, 3 min. */
export function lasting(ms) {
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`
  return `${Math.round(ms / 60_000)} min`
}

/** stateWords is what the pill says. `behind` is how many frames are still to come, `left` how many milliseconds are left to wait. */
export function stateWords(state, { behind = 0, left = 0 } = {}) {
  switch (state.name) {
    case "catching_up":
      return behind > 0 ? `catching up on ${count(behind)}` : "catching up"
    case "waiting":
      return left > 50 ? `back in ${lasting(left)}` : "coming back"
    case "stopped":
      return state.code ? `stopped (${state.code})` : "stopped"
    default:
      return state.name
  }
}

/** resumeWords says what coming back has come to, or "" where there is nothing worth saying: at the first attach, and after a blink with nothing missed. */
export function resumeWords(report) {
  const { mode, missed, lost, replayed, snapshot, offlineMs, reason } = report
  if (offlineMs === 0 && !reason) return ""
  const after = offlineMs >= 100 ? ` after ${lasting(offlineMs)}` : ""
  const gone = lost > 0 ? `; ${plural(lost, "update")} could not be brought back` : ""
  if (mode === "too_old" || reason) return `Started over${snapshot ? " from the snapshot" : ""}${after}${gone}`
  const updates = missed || replayed
  if (updates > 0) return `Caught up on ${plural(updates, "update")}${after}${gone}`
  return offlineMs >= 1000 ? `Back${after}, nothing missed` : ""
}

/** toolWords is how a tool call has ended. */
export function toolWords({ status, exit, error }) {
  if (status === "running") return "running"
  if (status === "stopped") return "stopped"
  if (error === "timeout") return "took too long"
  if (error) return "failed"
  return exit === undefined ? "ended" : `exit ${exit}`
}

/** answerWords is what has become of a question. */
export function answerWords(choice, device) {
  if (choice === "none") return "Not answered"
  const said = { allow: "Allowed", deny: "Denied" }[choice] ?? `Answered “${choice}”`
  return device ? `${said} on the ${device}` : said
}

// What the library says by a code alone, to be small.
const sentences = {
  __proto__: null,
  closed: "This client is closed",
  handler: "Something that came could not be shown",
  hole: "An update was missing; the session is fetched anew",
  offline: "No connection can be opened here",
  unknown: "Whether it has arrived is not known: there was no answer for a day",
  unsubscribed: "The session is not followed any more",
}

/** errorWords is what a person is told about an error: its sentence, with the code that a search finds. */
export function errorWords(error) {
  const { code, message } = error ?? {}
  const text = message && message !== code ? message : (sentences[code] ?? (message || String(error)))
  return code && !text.includes(code) ? `${text} (${code})` : text
}
