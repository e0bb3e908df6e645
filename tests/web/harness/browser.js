import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { chromium } from "playwright-core"

// chromiumPath is the browser of this machine. None is downloaded.
export function chromiumPath() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"])
    for (const folder of process.env.PATH.split(delimiter)) if (existsSync(join(folder, name))) return join(folder, name)
  throw new Error("the tests need Chromium, and find none: install chromium, or run make test-web as root, which does")
}

// The name of another machine, which is this one: a page from there is not in a secure context.
export const plainHost = "plain.test"

export const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  `--host-resolver-rules=MAP ${plainHost} 127.0.0.1`,
]

let running = null

// browser is one headless Chromium for all tests of a process.
export async function browser() {
  running ??= chromium.launch({ executablePath: chromiumPath(), args: flags })
  return running
}

export async function closeBrowser() {
  const was = running
  running = null
  await (await was)?.close()
}

// watch hands what a page of a context tells the console as an error, and what it throws, to errors.
export function watch(context, errors) {
  context.on("console", (message) => message.type() === "error" && errors.add(message.text()))
  context.on("weberror", (error) => errors.add(`${error.error().stack}`))
  context.on("page", (page) => page.on("crash", () => errors.add(`the page ${page.url()} has crashed`)))
}
