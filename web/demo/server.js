// The demo's own server, which holds the proxies and the broker's process. It wants the key of the printed URL with each call.

/** Server calls it. Each method resolves with the answer, or rejects with a sentence; `status` is the HTTP status, 0 where there was no answer. */
export class Server {
  #key

  constructor(key) {
    this.#key = key
  }

  /** What there is: `{ topic, agent, panes, directory }`. */
  session() {
    return this.#call("GET", "/api/session")
  }

  /** How the networks and the broker are. */
  state() {
    return this.#call("GET", "/api/state")
  }

  /** Does something to a pane's network: cut, stall, resume, tunnel. */
  network(pane, what) {
    return this.#call("POST", "/api/network", { pane, do: what })
  }

  /** Kills the broker with SIGKILL; it is started again at once, on the same data. */
  kill() {
    return this.#call("POST", "/api/broker", { do: "kill" })
  }

  /** Publishes 2,500 frames into the topic, 500 a second. */
  flood() {
    return this.#call("POST", "/api/flood", {})
  }

  async #call(method, path, body) {
    const headers = { authorization: `Bearer ${this.#key}` }
    if (body) headers["content-type"] = "application/json"
    let response
    try {
      response = await fetch(path, { method, headers, body: body && JSON.stringify(body) })
    } catch {
      throw failure("The demo does not answer. Start it again with: restante demo --ui", 0)
    }
    const answer = await response.json().catch(() => ({}))
    if (!response.ok) throw failure(answer.detail ?? answer.title ?? `The demo answered with status ${response.status}.`, response.status)
    return answer
  }
}

function failure(message, status) {
  return Object.assign(new Error(message), { status })
}
