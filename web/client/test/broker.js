import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

// binary is the broker's program: RESTANTE, or what `make build` leaves in bin.
export const binary = process.env.RESTANTE || fileURLToPath(new URL("../../../bin/restante", import.meta.url))

// Broker is the real broker, in a process of its own, which ends with this one.
export class Broker {
  // start resolves when it serves. args come behind `serve`; by default it keeps all in memory, on a free port.
  static async start(t, args = ["--memory", "--listen", "127.0.0.1:0"]) {
    const broker = new Broker()
    const child = spawn(binary, ["serve", "--until-stdin-closes", ...args], { stdio: ["pipe", "pipe", "pipe"] })
    broker.child = child
    broker.log = ""
    child.stderr.setEncoding("utf8").on("data", (text) => (broker.log += text))
    broker.ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })))
    const failed = new Promise((_, reject) => child.on("error", (error) => reject(new Error(`the broker does not start, build it with: go build -o bin/restante ./cmd/restante (${error.message})`))))
    const url = new Promise((resolve) => createInterface(child.stdout).once("line", resolve))
    t?.after(() => broker.kill())
    broker.url = await Promise.race([url, failed, broker.ended.then(() => Promise.reject(new Error(`the broker has ended: ${broker.log}`)))])
    return broker
  }

  // kill ends it at once, as a crash would.
  async kill() {
    this.child.kill("SIGKILL")
    return this.ended
  }

  // stop has it drain.
  async stop() {
    this.child.kill("SIGTERM")
    return this.ended
  }

  async call(method, path, body) {
    const headers = body === undefined ? {} : { "Content-Type": typeof body == "string" ? "application/x-ndjson" : "application/json" }
    const response = await fetch(this.url + path, { method, headers, body: body === undefined || typeof body == "string" ? body : JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was refused: ${text}`)
    return text && JSON.parse(text)
  }

  // publish puts frames into a client's outbox, all or none, and returns the broker's answer.
  publish(id, ...frames) {
    return this.call("POST", `/v1/clients/${id}/frames`, frames.map((frame) => JSON.stringify(frame) + "\n").join(""))
  }

  publishTopic(topic, ...frames) {
    return this.call("POST", `/v1/topics/${topic}/frames`, frames.map((frame) => JSON.stringify(frame) + "\n").join(""))
  }

  // state is what GET /v1/clients/{id} says.
  state(id) {
    return this.call("GET", `/v1/clients/${id}`)
  }
}
