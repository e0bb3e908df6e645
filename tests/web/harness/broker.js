import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Program, dropFolder, folder, quietPort } from "./process.js"

// The repository's root.
export const root = fileURLToPath(new URL("../../../", import.meta.url))

const built = new Map()

// build returns the program of the package at path, built as it ships, once in a test process. The Makefile has built it and says where: env.
export function build(path, env) {
  if (process.env[env]) return process.env[env]
  if (!built.has(path)) {
    const binary = join(root, "bin", path === "./cmd/restante" ? "restante" : path.replace(/^\.\//, "").replaceAll("/", "-"))
    execFileSync("go", ["build", "-trimpath", "-o", binary, path], { cwd: root, env: { ...process.env, CGO_ENABLED: "0" }, stdio: ["ignore", "inherit", "inherit"] })
    built.set(path, binary)
  }
  return built.get(path)
}

export const restante = () => build("./cmd/restante", "RESTANTE")

// Broker is one address and one directory that one `restante serve` after the other lives in.
export class Broker {
  #flags
  #data = folder("data")
  #program = null

  constructor(port, flags) {
    this.port = port
    this.#flags = flags
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(...flags) {
    const broker = new Broker(await quietPort(), flags)
    await broker.start()
    return broker
  }

  // start starts the next one, and resolves when it serves.
  async start() {
    const args = ["serve", "--data-dir", join(this.#data, "store"), "--listen", `127.0.0.1:${this.port}`, "--log-level", "warn", ...this.#flags]
    this.#program = new Program(restante(), args)
    await this.#program.firstLine()
  }

  async kill() {
    await this.#program.kill()
  }

  async stop() {
    await this.#program.stop()
  }

  // restart is what a crash or a deployment comes to: the next one is there at once, or after what `meanwhile` does.
  async restart({ how = "kill", meanwhile = async () => {} } = {}) {
    await this[how]()
    await meanwhile()
    await this.start()
  }

  // call makes one request and returns its status and its answer, read as JSON where it is some.
  async call(method, path, body, headers = {}) {
    const json = body !== undefined && typeof body !== "string"
    const response = await fetch(this.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: json ? JSON.stringify(body) : body,
    })
    const text = await response.text()
    return { status: response.status, answer: /json/.test(response.headers.get("Content-Type") ?? "") ? JSON.parse(text) : text }
  }

  // client is what the broker knows of a client: epoch, floor, head, acked, attachments …
  async client(id) {
    const { status, answer } = await this.call("GET", `/v1/clients/${id}`)
    if (status !== 200) throw new Error(`GET /v1/clients/${id}: ${status} ${JSON.stringify(answer)}`)
    return answer
  }

  // clientWhen asks again until what the broker knows of a client passes the test; the broker tells nobody of it by itself.
  async clientWhen(id, test, what) {
    for (const begun = Date.now(); ; ) {
      const state = await this.client(id)
      if (test(state)) return state
      if (Date.now() - begun > 10_000) throw new Error(`the broker's state of ${id} never came to ${what}: ${JSON.stringify(state)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async snapshot(id, asOf, data) {
    const { status, answer } = await this.call("PUT", `/v1/clients/${id}/snapshot`, { as_of: asOf, data })
    if (status !== 200) throw new Error(`PUT /v1/clients/${id}/snapshot: ${status} ${JSON.stringify(answer)}`)
    return answer
  }

  async close() {
    await this.#program?.kill()
    dropFolder(this.#data)
  }
}
