// iterate gives each frame of a client to a loop. A frame counts as applied when the loop asks for the next one, or is left.
export const iterate = (client) => {
  const last = { value: undefined, done: true }
  let held, release, waiting, over
  const take = ({ frame, through }) => {
    release = through
    return { value: frame, done: false }
  }
  const onFrame = (event) =>
    event.waitUntil(
      new Promise((through) => {
        held = { frame: event.detail, through }
        if (waiting) waiting.resolve(take(held))
        if (waiting) held = undefined
        waiting = undefined
      }),
    )
  const onStopped = ({ detail: { code, error } }) => {
    over = code == 1000 ? { last } : { error }
    client.removeEventListener("frame", onFrame) // after a restart it is another loop's turn
    if (waiting) over.error ? waiting.reject(over.error) : waiting.resolve(last)
  }
  client.addEventListener("frame", onFrame)
  client.addEventListener("stopped", onStopped)
  if (client.state.name == "stopped") onStopped({ detail: client.state })
  const leave = () => {
    client.removeEventListener("frame", onFrame)
    client.removeEventListener("stopped", onStopped)
    release?.()
    held?.through()
  }
  return {
    async next() {
      release?.()
      release = undefined
      const got = held
      held = undefined
      if (got) return take(got)
      if (over?.error) throw over.error
      return over?.last ?? new Promise((resolve, reject) => (waiting = { resolve, reject }))
    },
    async return() {
      over = { last }
      leave()
      waiting?.resolve(last)
      return last
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
