import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Calls } from "./calls.js"
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
export class Broker extends Calls {
  #flags
  #data = folder("data")
  #program = null

  constructor(port, flags) {
    super(`http://127.0.0.1:${port}`)
    this.port = port
    this.#flags = flags
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

  async close() {
    await this.#program?.kill()
    dropFolder(this.#data)
  }
}
