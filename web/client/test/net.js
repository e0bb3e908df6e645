import { settle } from "./clock.js"

// Net is the network between a client and a test that plays its broker: WebSocket is what the client is given, and accept what the broker sees of it.
export class Net {
  sockets = []
  #taken = 0
  // down is what happens to whoever connects: undefined for nothing, else a close code.
  down
  // wrote is told of each message of a client's when it is written.
  wrote = () => {}
  // log is given each message and each end.
  log = () => {}

  constructor() {
    const net = this
    this.WebSocket = class {
      constructor(url, protocols) {
        return new Socket(net, url, protocols)
      }
    }
  }

  // accept takes the next connection, which must be there when everything has come to rest.
  async accept() {
    await settle()
    const socket = this.sockets[this.#taken]
    if (!socket) throw new Error("there is no attach")
    this.#taken++
    socket.readyState = 1
    return socket
  }

  // take takes all that have come.
  take() {
    const fresh = this.sockets.slice(this.#taken)
    this.#taken = this.sockets.length
    return fresh.filter(({ readyState }) => readyState == 0)
  }
}

// Socket is one connection, seen from both sides.
class Socket {
  readyState = 0
  onmessage
  onclose
  #at = 0
  got = [] // what the client has sent
  closed // the code that it has closed with

  constructor(net, url, protocols) {
    this.url = url
    this.query = Object.fromEntries(new URL(url).searchParams)
    this.protocols = protocols
    this.token = protocols[1]
    net.sockets.push(this)
    const name = net.sockets.length
    this.wrote = (message) => net.wrote(this, message)
    this.log = (what) => net.log(`${name} ${what}`)
    this.log(`opens ${url.replace(/.*[?]/, "")}`)
    if (net.down) queueMicrotask(() => this.end(net.down))
  }

  // --- the client's side

  send(text) {
    if (this.readyState != 1) throw new Error("the socket is not open")
    this.log(`< ${text}`)
    const message = JSON.parse(text)
    this.got.push(message)
    this.wrote(message)
  }

  close(code = 1005) {
    if (code != 1000 && !(code >= 3000 && code < 5000)) throw new DOMException(`a page cannot close with ${code}`, "InvalidAccessError")
    if (this.readyState > 1) return
    this.log(`is closed with ${code}`)
    this.readyState = 3
    this.closed = code
  }

  // --- the broker's side

  // say sends a message, or a text as it is, if the client is still there.
  say(message) {
    if (this.readyState == 0) this.readyState = 1
    if (this.readyState != 1) return
    const data = typeof message == "string" ? message : JSON.stringify(message)
    this.log(`> ${data}`)
    this.onmessage?.({ data })
  }

  hello(more) {
    const [, since = 0] = /:(\d+)$/.exec(this.query.since) ?? []
    this.say({
      type: "hello", client_id: this.query.client_id ?? "minted", connection_id: "c1", epoch: "e1", resume: "fresh", floor: 0, head: 0, missed: (more?.head ?? 0) - since, lost: 0, snapshot: false,
      ping_interval_ms: 25_000, pong_timeout_ms: 35_000, ack_interval_ms: 5_000, max_frame_bytes: 65_536, max_message_bytes: 1_048_576, ...more,
    })
  }

  // frames sends those from first to last.
  frames(first, last = first, more) {
    for (let seq = first; seq <= last; seq++) this.say({ seq, type: "t", n: seq, ...more })
  }

  // heard is what the client has sent since heard was asked last, but pongs.
  async heard() {
    await settle()
    const all = this.got.slice(this.#at)
    this.#at = this.got.length
    return all.filter(({ type }) => type != "pong")
  }

  // end closes it: with a code of the broker's, or with 1006 as a cut does.
  end(code = 1006) {
    if (this.readyState > 1) return
    this.readyState = 3
    this.log(`ends with ${code}`)
    this.onclose?.({ code })
  }
}
