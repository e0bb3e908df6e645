import { EventEmitter, once } from "node:events"
import { connect, createServer } from "node:net"
import { within } from "./process.js"

// Proxy stands between the browser and a port, and does to connections what networks do. It knows nothing of HTTP.
//
// "opened" is told when a connection has come, "cut" when one was reset by cutAfter.
export class Proxy extends EventEmitter {
  #server
  #target
  #pairs = new Set()
  #mode = "pass"
  #delay = 0
  #rate = Infinity
  #cutAfter = null
  opened = 0
  cuts = 0
  // Bytes passed on towards the browser.
  down = 0

  constructor(target) {
    super()
    this.#target = target
  }

  static async start(target) {
    const proxy = new Proxy(target)
    await proxy.#listen(0)
    return proxy
  }

  async #listen(port) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#serve(near))
    this.#server.listen(port, "127.0.0.1")
    await once(this.#server, "listening")
    this.port = this.#server.address().port
    this.url = `http://127.0.0.1:${this.port}`
  }

  // How many connections there are.
  get connections() {
    return this.#pairs.size
  }

  #serve(near) {
    this.opened++
    const pair = { near, far: null, left: this.#cutAfter?.() ?? Infinity }
    this.#pairs.add(pair)
    const drop = () => {
      this.#pairs.delete(pair)
      near.destroy()
      pair.far?.destroy()
    }
    near.on("error", drop).on("close", drop)
    if (this.#mode === "blackhole") {
      near.pause()
    } else {
      const far = (pair.far = connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true }))
      far.on("error", () => (near.resetAndDestroy(), drop())).on("close", drop)
      this.#pass(pair, near, far, false)
      this.#pass(pair, far, near, true)
      if (this.#mode === "stall") this.#hold(pair)
    }
    this.emit("opened")
  }

  #pass(pair, from, to, down) {
    const write = (chunk) => {
      if (to.destroyed) return
      if (down) {
        this.down += chunk.length
        if ((pair.left -= chunk.length) <= 0) {
          // what is before the cut arrives; the reset is behind it
          from.pause().removeAllListeners("data")
          to.write(chunk.subarray(0, chunk.length + pair.left), () => {
            this.#reset(pair)
            this.cuts++
            this.emit("cut")
          })
          return
        }
      }
      const full = !to.write(chunk)
      const wait = down ? (chunk.length / this.#rate) * 1000 : 0
      if (!full && wait < 1) return
      from.pause()
      const go = () => pair.held || from.resume()
      if (full) to.once("drain", go)
      else setTimeout(go, wait)
    }
    from.on("data", (chunk) => (this.#delay > 0 ? setTimeout(write, this.#delay, chunk) : write(chunk)))
    from.on("end", () => (this.#delay > 0 ? setTimeout(() => to.end(), this.#delay) : to.end()))
  }

  #hold(pair, way) {
    pair.held = true
    if (way !== "down") pair.near.pause()
    pair.far?.pause()
  }

  #reset(pair) {
    this.#pairs.delete(pair)
    pair.near.resetAndDestroy()
    pair.far?.resetAndDestroy()
  }

  // cut resets every connection that there is. New ones are served.
  cut() {
    for (const pair of this.#pairs) this.#reset(pair)
  }

  // cutAfter resets each new connection after as many bytes towards the browser as bytes() says; null ends that.
  cutAfter(bytes) {
    this.#cutAfter = bytes
  }

  // stall keeps all connections open, and new ones as well, and passes nothing, as a tunnel does. What was on its way arrives after pass().
  stall() {
    this.#mode = "stall"
    for (const pair of this.#pairs) this.#hold(pair)
  }

  // strand holds the connections that there are, for ever, as when a laptop wakes in another network: their ends know nothing of it. New ones are served.
  // With "down" only what comes from the broker is held.
  strand(way) {
    for (const pair of this.#pairs) {
      this.#hold(pair, way)
      pair.stranded = true
    }
  }

  // blackhole takes new connections and never answers them. Those that there are go on.
  blackhole() {
    this.#mode = "blackhole"
  }

  // pass ends stall and blackhole. A connection that came into a black hole stays in it.
  pass() {
    this.#mode = "pass"
    for (const pair of this.#pairs) {
      if (!pair.far || pair.stranded) continue
      pair.held = false
      pair.near.resume()
      pair.far.resume()
    }
  }

  // delay holds up every byte, in both directions, for so many milliseconds.
  delay(ms) {
    this.#delay = ms
  }

  // throttle lets at most so many bytes a second through towards the browser, on each connection.
  throttle(bytes) {
    this.#rate = bytes
  }

  // refuse resets what there is and takes no new connection, until accept().
  async refuse() {
    const closed = once(this.#server, "close")
    this.#server.close()
    this.cut()
    await within(closed, "the proxy to close")
  }

  async accept() {
    await this.#listen(this.port)
  }

  async close() {
    this.#server.close()
    this.cut()
  }
}
