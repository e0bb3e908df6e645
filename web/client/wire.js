// What travels: cursors, names, messages and codes (P-1, P-5, P-20, P-22, P-32), and the delays of P-24. Pure, but for the dice.

export class RestanteError extends Error {
  constructor(code, message = code, more) {
    super(message)
    Object.assign(this, more, { name: "RestanteError", code })
  }
}

export const failure = (code, message, more) => new RestanteError(code, message, more)

// parseCursor reads `epoch:seq` (P-5). A bare seq is for people.
export const parseCursor = (text) => {
  const [, epoch, seq] = /^([\w-]{1,32}):(0|[1-9]\d{0,15})$/.exec(text) ?? []
  if (!seq || !Number.isSafeInteger(+seq)) throw failure("bad_cursor", `${text} is no cursor`)
  return { epoch, seq: +seq }
}

export const formatCursor = ({ epoch, seq }) => `${epoch}:${seq}`

// isTopic takes names and patterns that can be subscribed to (P-32).
export const isTopic = (text) => /^(?=.{1,128}$)(?!_)(([\w~:@-]+|\*)\.)*([\w~:@-]+|\*|>)$/.test(text)

export const isPattern = (topic) => /[*>]/.test(topic)

// read reads one message of the broker. A sequenced frame is told by its first member (P-1), which the text shows and the parsed object may not; it is returned as `seq`,
// which is 0 for the broker's own messages.
export const read = (text) => {
  const [, first] = /^\{"seq":([^,}]*)/.exec(text) ?? []
  const isSeq = (n) => Number.isSafeInteger(n) && n > 0
  try {
    const message = JSON.parse(text)
    const { type, topic = "", topic_seq = 1 } = message
    const seq = first ? +/^\d+$/.exec(first) : 0
    if (typeof type + typeof topic == "stringstring" && isSeq(topic_seq) && (!first || isSeq(seq))) return { seq, message }
  } catch {}
  throw failure("bad_frame", "from the broker")
}

// stops is the verdict of a close code (P-22).
export const stops = (code) => code >= 4500

// retried says after which errors a send or a subscribe is repeated (P-30).
export const retried = (code) => /^(overloaded|rate_limited|draining|internal)$/.test(code)

// again puts off what is to be asked again: of x, tries counts those since the last success, and after is when the next one may be.
export const again = (x, now, backoff, after) => {
  x.tries = (x.tries ?? 0) + 1
  x.after = now + delay(x.tries, backoff, after)
}

// delay is how long is waited before the next try, when so many have been made since the last success: none after the first failure, then up to a bound that doubles from
// min to max. It is never less than what the broker has asked for, of which up to 5 minutes are obeyed.
export const delay = (tries, { min = 500, max = 30_000 } = {}, after) =>
  Math.max(Math.min(after || 0, 300_000), tries && Math.random() * Math.min(max, min * 2 ** (tries - 1)))
