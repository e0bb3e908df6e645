/**
 * A parser of text/event-stream, as far as this library needs it: ids are left out, since a cursor is read from the frames (P-5).
 *
 * It returns what is to be called with each piece of the text, however the text was cut. event is called for each event that has data and is
 * complete, with its name ("message" where it has none), its data, and the last `retry` of the stream so far, in milliseconds.
 * @param {(name: string, data: string, retry: number | undefined) => void} event
 * @param {number} [limit] how many characters one event may have; beyond it a RangeError is thrown
 * @returns {(text: string) => void}
 */
export function eventParser(event, limit = 2 << 20) {
  let rest = "", name = "", data = "", retry
  let start = true, cr = false

  const take = (line) => {
    if (!line) {
      if (data) event(name || "message", data.slice(0, -1), retry)
      name = data = ""
      return
    }
    const colon = (line + ":").indexOf(":")
    const field = line.slice(0, colon), value = line.slice(colon + 1).replace(/^ /, "")
    if (field === "data") data += value + "\n"
    else if (field === "event") name = value
    else if (field === "retry" && /^\d+$/.test(value)) retry = +value
  }

  return (text) => {
    if (!text) return
    const lines = text.slice(start && text[0] === "\ufeff" || cr && text[0] === "\n" ? 1 : 0).split(/\r\n?|\n/)
    start = false
    cr = text.endsWith("\r") // a line feed that comes next belongs to it
    lines[0] = rest + lines[0]
    rest = lines.pop()
    for (const line of lines) {
      take(line)
      if (data.length > limit) break
    }
    if (rest.length + data.length > limit) throw new RangeError(`an event has more than ${limit} characters`)
  }
}
