import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

// How long anything may take before the test that waits for it fails, in milliseconds. Nothing waits this long when all is well.
export const patience = 20_000

const alive = new Set()
const folders = new Set()

// A test that dies takes what it started with it.
process.on("exit", () => {
  for (const program of alive) program.kill()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))

// within resolves as promise does, or rejects with what was waited for when that takes too long. what may be a function, which is asked then.
export async function within(promise, what, ms = patience) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(async () => {
      let said = what
      try {
        said = typeof what === "function" ? await what() : what
      } catch (error) {
        said = `${error}`
      }
      reject(new Error(`it took longer than ${ms} ms: ${said}`))
    }, ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

// folder makes an empty folder that goes with the test process, or with dropFolder.
export function folder(name) {
  const path = mkdtempSync(join(tmpdir(), `restante-${name}-`))
  folders.add(path)
  return path
}

export function dropFolder(path) {
  folders.delete(path)
  rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

// quietPort is a free port that no outgoing connection is given: while its server is dead, nobody else takes it.
export async function quietPort() {
  for (let i = 0; i < 100; i++) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    const free = await new Promise((resolve) => {
      const server = createServer()
      server.once("error", () => resolve(false))
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error("there is no free port between 12000 and 30000")
}

// Program is a child process. Its first line on standard output is what it has to say about itself, which for the broker is its URL.
export class Program {
  #child
  #output = ""
  #errors = ""
  #first
  #watchers = new Set()

  constructor(binary, args, { env = {}, cwd, detached = false, stdio } = {}) {
    this.name = `${binary} ${args.join(" ")}`
    this.#child = spawn(binary, args, { env: { ...process.env, ...env }, cwd, detached, stdio: stdio ?? ["ignore", "pipe", "pipe"] })
    this.detached = detached
    alive.add(this)
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        alive.delete(this)
        this.#errors += `${error}\n`
        resolve({ code: null, signal: null, error })
      })
      this.#child.once("exit", (code, signal) => {
        alive.delete(this)
        resolve({ code, signal })
      })
    })
    this.#child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.#output += text
      this.#look()
    })
    this.#child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.#errors += text
      this.#look()
    })
  }

  get pid() {
    return this.#child.pid
  }

  get stdio() {
    return this.#child.stdio
  }

  // All that it has said so far.
  get output() {
    return this.#output
  }

  get errors() {
    return this.#errors
  }

  #look() {
    for (const watcher of this.#watchers) watcher()
  }

  // said resolves with what pattern matches in what the program has said, or will say.
  async said(pattern) {
    let watcher
    const found = new Promise((resolve, reject) => {
      watcher = () => {
        const match = pattern.exec(this.#output) ?? pattern.exec(this.#errors)
        if (match) resolve(match)
      }
      this.#watchers.add(watcher)
      watcher()
      this.ended.then(() => reject(new Error(`${this.name} ended without saying ${pattern}:\n${this.#output}${this.#errors}`)))
    })
    try {
      return await within(found, () => `${this.name} to say ${pattern}; it has said:\n${this.#output}${this.#errors}`)
    } finally {
      this.#watchers.delete(watcher)
    }
  }

  async firstLine() {
    this.#first ??= this.said(/^(.*)\n/).then((match) => match[1])
    return this.#first
  }

  signal(name) {
    this.#child.kill(name)
  }

  // kill ends it as kill -9 does; a detached one with all that it has started.
  async kill() {
    try {
      if (this.detached && this.pid) process.kill(-this.pid, "SIGKILL")
    } catch {
      // its group has ended
    }
    this.#child.kill("SIGKILL")
    return this.ended
  }

  // stop ends it in order, as a deployment does.
  async stop() {
    this.signal("SIGTERM")
    return within(this.ended, () => `${this.name} to end after SIGTERM; it has said:\n${this.#errors}`)
  }
}
