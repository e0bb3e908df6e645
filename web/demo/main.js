// The page: reads the key out of its address, makes the two panes, and keeps the demo's own switches up to date.

import { tabClientId } from "../client/index.js"
import { Bench } from "./bench.js"
import { Commits } from "./commits.js"
import { Pane } from "./pane.js"
import { Server } from "./server.js"
import { Tabs } from "./tabs.js"

const devices = ["laptop", "phone"]

// Another key in the same page is another demo.
addEventListener("hashchange", () => location.reload())

start()

async function start() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key")
  if (!key) return gate("Open the address that the demo has printed", "This page needs the key that is in it, after the #. Start the demo with restante demo --ui, and open the first line that it prints.")
  const server = new Server(key)
  let session
  try {
    session = await server.session()
  } catch (error) {
    const title = error.status === 401 ? "This key is not valid" : "The demo is not there"
    return gate(title, error.status === 401 ? "It belongs to a demo that has ended, or was not copied whole. Open the first line that restante demo --ui has printed." : error.message)
  }
  const commits = new Commits()
  const bench = new Bench(server, document)
  const panes = await Promise.all(devices.map(async (device) => new Pane({
    device, commits, token: key, url: session.panes[device], topic: session.topic, agent: session.agent, directory: session.directory,
    clientId: await tabClientId(`${device}-`), ondo: (pane, what) => bench.do(() => server.network(pane, what), pane),
  })))
  document.getElementById("directory").textContent = session.directory
  document.getElementById("devices").append(...panes.map((pane) => pane.element))
  document.body.dataset.ready = "true"
  const tabs = new Tabs(panes)
  bench.run(panes)
  keys(panes, tabs)
  // To be looked at in the console: panes[0].client.stats.
  globalThis.panes = panes
}

// gate says what is missing instead of showing a page that could do nothing.
function gate(title, text) {
  document.getElementById("gate-title").textContent = title
  document.getElementById("gate-text").textContent = text
  document.getElementById("gate").hidden = false
  document.body.dataset.ready = "gate"
}

function keys(panes, tabs) {
  const help = document.getElementById("help")
  document.getElementById("help-button").addEventListener("click", () => help.showModal())
  addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey) return
    const at = { Digit1: 0, Digit2: 1 }[event.code]
    if (at !== undefined) {
      tabs.show(at)
      panes[at].composer.focus()
    } else if (event.code === "KeyQ") {
      panes[tabs.shown].question()
    } else {
      return
    }
    event.preventDefault()
  })
}
