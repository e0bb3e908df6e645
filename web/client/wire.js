// What travels: cursors, names, messages and codes (P-1, P-4, P-5, P-20, P-22, P-32). Pure.

export class RestanteError extends Error {
  constructor(code, message, more) {
    super(message)
    this.name = "RestanteError"
    Object.assign(this, more, { code })
  }
}

export const failure = (code, message, more) => new RestanteError(code, message, more)

// parseCursor reads `epoch:seq` or a bare seq, whose epoch is "" (P-5).
export const parseCursor = (text) => {
  const [, epoch = "", seq] = /^(?:([\w-]{1,32}):)?(0|[1-9]\d{0,15})$/.exec(text) ?? []
  if (!seq || !Number.isSafeInteger(+seq)) throw failure("bad_cursor", `${text} is no cursor`)
  return { epoch, seq: +seq }
}

export const formatCursor = ({ epoch, seq }) => (epoch ? epoch + ":" : "") + seq

export const isEpoch = (text) => /^[\w-]{1,32}$/.test(text)

export const isClientId = (text) => /^(?!\.{1,2}$)[\w.~:@-]{1,128}$/.test(text)

// isTopic takes names and patterns that can be subscribed to (P-32).
export const isTopic = (text) => /^(?=.{1,128}$)(?!_)(([\w~:@-]+|\*)\.)*([\w~:@-]+|\*|>)$/.test(text)

export const isPattern = (topic) => /[*>]/.test(topic)

// matches says whether a pattern takes in a topic.
export const matches = (pattern, topic) =>
  new RegExp(`^${pattern.replace(/\./g, "\\.").replace(/\*/g, "[^.]+").replace(">", ".+")}$`).test(topic)

const isSeq = (n) => Number.isSafeInteger(n) && n > 0

// read reads one message of the broker. A sequenced frame is told by its first member (P-1), which the text shows and the parsed object may not; it is returned as `seq`,
// which is 0 for the broker's own messages.
export const read = (text) => {
  let message
  try {
    message = JSON.parse(text)
  } catch {
    throw failure("bad_json", "the server sent what is no JSON")
  }
  const sequenced = /^\{"seq":/.test(text)
  const seq = sequenced && /^\{"seq":[1-9]\d*,/.test(text) ? message.seq : 0
  const { type, topic = "", topic_seq = 1 } = message ?? {}
  if (typeof type != "string" || typeof topic != "string" || !isSeq(topic_seq) || (sequenced && !isSeq(seq))) {
    throw failure("bad_frame", "the server sent a message that it does not write")
  }
  return { seq, message }
}

// stops is the verdict of a close code (P-22).
export const stops = (code) => code >= 4500

// retried says after which errors a send or a subscribe is repeated (P-30).
export const retried = (code) => /^(overloaded|rate_limited|draining|internal)$/.test(code)

// retryAfter is how long the broker may keep a client away, in milliseconds: at most 5 minutes.
export const retryAfter = (ms) => Math.min(Math.max(ms || 0, 0), 300_000)
