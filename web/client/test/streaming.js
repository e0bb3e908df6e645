import assert from "node:assert/strict"
import { openStream } from "../sse.js"
import { Ear } from "./ear.js"
import { begin, event, gate, hello, upstream } from "./upstream.js"

export const params = (url, more) => ({ url, clientId: "tab", since: "", takeover: false, ping: undefined, token: "", ...more })

// streaming attaches to an upstream whose stream is open and has said hello.
export const streaming = async (t, handlers = {}, more = {}, bounds) => {
  const open = gate()
  const world = await upstream(t, { "GET events": ({ response }) => (begin(response), response.write(event(hello())), open.open(response)), ...handlers })
  const ear = new Ear()
  const link = openStream(params(world.url, more), ear.on, bounds)
  t.after(() => link.close(1000))
  world.stream = await open
  assert.equal((await ear.message()).type, "hello")
  return { ...world, ear, link }
}

export const ack = (seq) => JSON.stringify({ type: "ack", seq })
export const frame = (seq, more) => ({ seq, type: "x", ...more })
