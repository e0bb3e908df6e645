import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { extname, join, normalize, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "../bundle.js"
import { root } from "./broker.js"

const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" }

// The folders that are served, as they are: the library's sources, and the tests' pages.
const folders = { "/client/": join(root, "web/client"), "/": fileURLToPath(new URL("../pages", import.meta.url)) }

// Site serves the test pages and the library, on an origin of its own. bundled: the library is one file, as the npm package has it; BUNDLED=1 makes that so in all tests.
export class Site {
  #server
  #bundle

  static async start({ bundled = process.env.BUNDLED === "1" } = {}) {
    const site = new Site()
    if (bundled) site.#bundle = await bundle("index.js")
    site.#server = createServer((request, response) => {
      site.#serve(new URL(request.url, "http://site"), response).catch((error) => {
        response.writeHead(500).end(`${error}`)
      })
    })
    site.#server.listen(0, "127.0.0.1")
    await once(site.#server, "listening")
    site.port = site.#server.address().port
    site.url = `http://127.0.0.1:${site.port}`
    return site
  }

  async #serve({ pathname }, response) {
    // a browser asks for it by itself, and tells the console that there is none
    if (pathname === "/favicon.ico") return response.writeHead(204).end()
    if (this.#bundle && pathname.startsWith("/client/")) {
      if (pathname !== "/client/index.js") return response.writeHead(404).end() // one file is all there is
      return response.writeHead(200, { "Content-Type": kinds[".js"] }).end(this.#bundle)
    }
    const [prefix, folder] = Object.entries(folders).find(([prefix]) => pathname.startsWith(prefix))
    const path = normalize(join(folder, pathname.slice(prefix.length) || "index.html"))
    if (!path.startsWith(folder + sep)) return response.writeHead(404).end()
    try {
      const body = await readFile(path)
      response.writeHead(200, { "Content-Type": kinds[extname(path)] ?? "application/octet-stream", "Cache-Control": "no-cache" }).end(body)
    } catch (error) {
      if (error.code !== "ENOENT") throw error
      response.writeHead(404).end()
    }
  }

  async close() {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
