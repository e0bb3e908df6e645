import { Restante as Core } from "../core.js"
import { Restante } from "../index.js"
import { Clock, settle } from "./clock.js"
import { Net } from "./net.js"

const types = ["frame", "snapshot", "reset", "resume", "state", "error", "sent", "topic_reset", "topic_hole", "unsubscribed"]

// line is one event as a test reads it.
const line = (type, detail) => {
  if (type == "frame") return `frame ${detail.seq}`
  if (type == "state") return [detail.name, detail.code ?? detail.ms].filter((x) => x !== undefined).join(" ")
  if (type == "error") return `error ${detail.code}`
  if (type == "sent") return `sent ${detail.frame.n ?? detail.frame.type} ${detail.error ? detail.error.code : detail.receipt.status}`
  return `${type} ${JSON.stringify(detail, (_, value) => (value?.constructor == Object ? Object.fromEntries(Object.entries(value).sort()) : value))}` // in one order
}

// start makes a client whose network and time are the test's. heard returns what it has told since it was asked last.
export const start = (t, { Client = Restante, events = types, ...options } = {}) => {
  const clock = new Clock().install()
  const net = new Net()
  const client = new Client("http://broker.test/", { clientId: "tab", storage: null, transport: "websocket", WebSocket: net.WebSocket, ...options })
  const log = []
  for (const type of events) client.addEventListener(type, ({ detail }) => log.push(line(type, detail)))
  t.after(() => {
    client.close()
    clock.uninstall()
  })
  const heard = async () => {
    await settle()
    return log.splice(0)
  }
  // live attaches, and is live with an empty outbox.
  const live = async (more) => {
    const socket = await net.accept()
    socket.hello({ resume: "fresh", ...more })
    socket.say({ type: "replay_end", seq: more?.head ?? 0 })
    await heard()
    await socket.heard()
    return socket
  }
  return { clock, net, client, heard, live }
}

// startCore makes one without what only pages need.
export const startCore = (t, options) => start(t, { Client: Core, ...options })

// outcome is what became of a promise: its value, the code of its error, or "pending".
export const outcome = async (promise) => {
  const ended = promise.then((value) => value ?? "done", (error) => error.code ?? error)
  await settle()
  return Promise.race([ended, settle().then(() => "pending")])
}
