import { createHash, randomBytes } from "node:crypto"
import net from "node:net"

// WebSocket is as much of a browser's as the library uses, for a Node that has none: text messages, and closes.
export class WebSocket {
  readyState = 0
  onmessage
  onclose
  #socket
  #rest = Buffer.alloc(0)
  #open = false
  #parts = []
  #key = randomBytes(16).toString("base64")
  #code = 1006

  constructor(url, protocols = []) {
    const { hostname, port, pathname, search, host } = new URL(url)
    this.#socket = net.connect(port, hostname)
    this.#socket.setNoDelay()
    this.#socket.on("data", (data) => this.#read(data))
    this.#socket.on("error", () => {}) // "close" follows
    this.#socket.on("close", () => this.#end())
    const lines = [`GET ${pathname}${search} HTTP/1.1`, `Host: ${host}`, "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Key: ${this.#key}`, "Sec-WebSocket-Version: 13"]
    if (protocols.length) lines.push(`Sec-WebSocket-Protocol: ${protocols.join(", ")}`)
    this.#socket.write(lines.join("\r\n") + "\r\n\r\n")
  }

  send(text) {
    this.#write(1, Buffer.from(text))
  }

  close(code = 1000) {
    if (this.readyState > 1) return
    if (this.readyState == 1) this.#write(8, Buffer.from([code >> 8, code & 255]))
    this.readyState = 2
    this.#socket.end()
  }

  #end() {
    this.readyState = 3
    this.onclose?.({ code: this.#code })
  }

  #write(opcode, body) {
    const mask = randomBytes(4)
    const head = body.length < 126 ? [128 | body.length] : body.length < 65536 ? [254, body.length >> 8, body.length & 255] : [255, 0, 0, 0, 0, ...[24, 16, 8, 0].map((n) => (body.length >> n) & 255)]
    this.#socket.write(Buffer.concat([Buffer.from([128 | opcode, ...head]), mask, body.map((byte, i) => byte ^ mask[i % 4])]))
  }

  #read(data) {
    this.#rest = Buffer.concat([this.#rest, data])
    if (!this.#open && !this.#upgraded()) return
    while (this.readyState == 1 && this.#frame());
  }

  #upgraded() {
    const at = this.#rest.indexOf("\r\n\r\n")
    if (at < 0) return false
    const head = this.#rest.subarray(0, at).toString()
    const accept = createHash("sha1").update(this.#key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64")
    if (!head.startsWith("HTTP/1.1 101 ") || !head.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}`)) {
      this.#socket.destroy()
      return false
    }
    this.#rest = this.#rest.subarray(at + 4)
    this.#open = true
    if (this.readyState == 0) this.readyState = 1
    return true
  }

  // #frame takes the next one, and returns false where it has not come whole.
  #frame() {
    const b = this.#rest
    if (b.length < 2) return false
    let at = 2
    let length = b[1] & 127
    if (length > 125) {
      at = length == 126 ? 4 : 10
      if (b.length < at) return false
      length = at == 4 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2))
    }
    if (b.length < at + length) return false
    const body = b.subarray(at, at + length)
    this.#rest = b.subarray(at + length)
    const opcode = b[0] & 15
    if (opcode == 9) this.#write(10, body)
    else if (opcode == 8) {
      this.#code = length > 1 ? body.readUInt16BE(0) : 1005
      this.close(this.#code)
    } else if (opcode < 2) {
      this.#parts.push(body)
      if (!(b[0] & 128)) return true
      const text = Buffer.concat(this.#parts).toString()
      this.#parts = []
      this.onmessage?.({ data: text })
    }
    return true
  }
}
