// How an attach ends that was refused so (P-20), where its status says something else.
const refusals = { bad_cursor: 4501, bad_request: 4501, unauthorized: 4503, forbidden: 4503, token_expired: 4401, too_many_connections: 4509, draining: 4002 }

/** Whether the answer can be the broker's: what stands between says what it has to say in HTML. */
export const isJSON = (response) => /^application\/(problem\+)?json/i.test(response.headers.get("Content-Type"))

/** How long the answer asks to stay away, in milliseconds; undefined where it does not say. */
export function retryAfter(response, problem = {}) {
  const value = response.headers.get("Retry-After") // seconds, or a date
  const ms = problem.retry_after_ms ?? (value ? value * 1000 || Date.parse(value) - Date.now() : 0)
  return ms > 0 ? ms : undefined
}

/** The close code of an attach that was refused with a status. */
export const closeOf = (status, code) => refusals[code] ?? (status === 429 || status >= 500 ? 4004 : 1006)

/** A problem document (P-29) as the `error` message that a WebSocket would bring for the message m, which the problem may not have named. */
export function errorText(response, problem, m) {
  const { code, detail: message, id = m.id, topic = m.topic } = problem
  return JSON.stringify({ type: "error", code, message, id, topic, retry_after_ms: retryAfter(response, problem) })
}
