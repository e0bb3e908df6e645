// How an attach ends that was refused so (P-20), where its status says something else.
const refusals = { bad_cursor: 4501, bad_request: 4501, unauthorized: 4503, forbidden: 4503, token_expired: 4401, too_many_connections: 4509, draining: 4002 }

// closeOf is the close code of an attach that was refused with a status and, where the broker itself has refused it, a code.
export const closeOf = (status, code) => refusals[code] ?? (status == 429 || status >= 500 ? 4004 : 1006)

// isJSON says whether an answer can be the broker's: what stands between says what it has to say in HTML.
export const isJSON = ({ headers }) => /^application\/(problem\+)?json/i.test(headers.get("Content-Type"))

// askedFor is how long an answer asks to stay away, in milliseconds; undefined where it does not say.
export const askedFor = ({ headers }, { retry_after_ms }) => {
  const value = headers.get("Retry-After") // seconds, or a date
  const ms = retry_after_ms ?? (value * 1000 || Date.parse(value) - Date.now())
  return ms > 0 ? ms : undefined
}

// errorText is a problem document (P-29) as the error that a WebSocket would bring for the message m, which the problem may not have named.
export const errorText = (response, problem, m) => {
  const { code, detail: message, id = m.id, topic = m.topic } = problem
  return JSON.stringify({ type: "error", code, message, id, topic, retry_after_ms: askedFor(response, problem) })
}
