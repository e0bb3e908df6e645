import { after } from "node:test"
import { Broker } from "./broker.js"
import { browser, closeBrowser, plainHost, watch } from "./browser.js"
import { Plain } from "./cdp.js"
import { Errors } from "./errors.js"
import { Proxy } from "./proxy.js"
import { Publisher } from "./publisher.js"
import { Site } from "./site.js"

// Times of P-24 for tests: short, so that none waits for them, and their proportions are the library's own.
export const quick = { min: 20, max: 200 }

// Stage is what one test plays on: a site, a broker that allows its pages, a proxy before it, and a browser window of its own.
export class Stage {
  errors = new Errors()

  // set makes one and ends it with the test t, which fails if a page has told the console of an error.
  // plain asks for tabs of plain CDP in place of Playwright's.
  // bundled serves the library as one file.
  // server(site) starts another one than a broker with those flags; relay(port) something between it and the proxy.
  static async set(t, { flags = [], window = {}, plain = false, bundled, server, relay } = {}) {
    const stage = new Stage()
    const ends = []
    t.after(async () => {
      const failed = []
      for (const end of ends.reverse()) await end().catch((error) => failed.push(error))
      if (failed.length > 0) throw failed[0]
      stage.errors.none()
    })
    const started = async (thing) => {
      ends.push(() => thing.close())
      return thing
    }
    stage.site = await started(await Site.start({ bundled }))
    const origins = [stage.site.url, `http://${plainHost}:${stage.site.port}`].flatMap((origin) => ["--allow-origin", origin])
    stage.broker = await started(await (server ? server(stage.site) : Broker.start(...origins, ...flags)))
    if (relay) stage.relay = await started(await relay(stage.broker.port))
    stage.proxy = await started(await Proxy.start((stage.relay ?? stage.broker).port))
    if (plain) {
      stage.window = await started(await Plain.start())
    } else {
      stage.window = await started(await (await browser()).newContext(window))
      watch(stage.window, stage.errors)
    }
    return stage
  }

  publisher(id) {
    return new Publisher(this.broker, id)
  }

  // address is the test page's, with what the page is to do: see pages/app.js. Its broker is behind the proxy.
  address(asked = {}, host = "127.0.0.1") {
    const { clientId, options = {}, ...more } = asked
    const q = { broker: this.proxy.url, ...more, options: { backoff: quick, settle: 1000, ...(clientId ? { clientId } : {}), ...options } }
    return `http://${host}:${this.site.port}/?${new URLSearchParams({ q: JSON.stringify(q) })}`
  }

  // open opens the test page in a tab.
  async open(asked, host) {
    const url = this.address(asked, host)
    if (this.window instanceof Plain) return this.window.open(url, this.errors)
    const page = await this.window.newPage()
    await page.goto(url)
    return page
  }
}

// useBrowser closes the process's browser after its last test.
export function useBrowser() {
  after(closeBrowser)
}
