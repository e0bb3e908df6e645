import { Restante as Core } from "./core.js"
import { tabClientId } from "./identity.js"
import { openSocket } from "./socket.js"
import { openStream } from "./sse.js"

export { RestanteError } from "./core.js"
export { tabClientId }

// Restante is the core with a client_id for each tab, and with Server-Sent Events where no socket comes through.
export class Restante extends Core {
  #only
  #climbAfter
  #wait
  // falls is how many sockets in a row have come to no hello; from two on it is streams, until a socket comes to one.
  #falls = 0
  #climbing
  #climb

  constructor(url, options = {}) {
    const { transport = "auto", climbAfter = 15_000 } = options
    super(url, { ...options, clientId: options.clientId ?? tabClientId() })
    this.#only = transport
    this.#climbAfter = this.#wait = climbAfter
  }

  _open(params, on, standby) {
    const socket = this.#only == "websocket" || (this.#only == "auto" && (this.#falls < 2 || (standby && this.#climbing)))
    return socket ? openSocket(params, on) : openStream(params, on)
  }

  _attached(name, greeted) {
    if (this.#only != "auto") return
    clearTimeout(this.#climb)
    if (name == "websocket") {
      this.#falls = greeted ? 0 : this.#falls + 1
      this.#climbing = false
      if (greeted) this.#wait = this.#climbAfter
    }
    if (this.#falls < 2) return
    this.#climb = setTimeout(() => {
      this.#climbing = true
      this._change()
    }, this.#wait)
    this.#wait = Math.min(this.#wait * 2, 300_000)
  }
}
