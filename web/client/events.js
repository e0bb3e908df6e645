// eventParser reads text/event-stream, as far as this library needs it: ids are left out, since a cursor is read in the frames (P-5). Pure.
//
// It returns what is to be called with each piece of the text, wherever that was cut. event(name, data, retry) is called for each event that has data and has come whole:
// name is "message" where it has none, and retry what the stream has asked for last, in milliseconds. An event of more than limit characters is a RangeError.
export const eventParser = (event, limit) => {
  let rest = ""
  let name = ""
  let data = ""
  let retry
  let skip = "\ufeff" // what is dropped if the next piece begins with it: a byte order mark, or the second half of a line's end

  const take = (line) => {
    if (!line) {
      if (data) event(name || "message", data.slice(0, -1), retry)
      name = data = ""
    }
    const [, field, value] = /^([^:]*):? ?(.*)/s.exec(line)
    if (field == "data") data += value + "\n"
    if (field == "event") name = value
    if (field == "retry" && /^\d+$/.test(value)) retry = +value
  }

  return (text) => {
    if (!text) return
    const lines = text.slice(text[0] == skip ? 1 : 0).split(/\r\n?|\n/)
    skip = text.endsWith("\r") ? "\n" : ""
    lines[0] = rest + lines[0]
    rest = lines.pop()
    for (const line of lines) {
      take(line)
      if (data.length > limit) break
    }
    if (rest.length + data.length > limit) throw new RangeError(`an event has more than ${limit} characters`)
  }
}
