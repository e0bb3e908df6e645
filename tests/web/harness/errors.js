// What the console may say: the browser's own lines about a network that failed, which no page can keep it from writing. All else fails the test.
const network = [
  /^WebSocket connection to '.*' failed/,
  /^Failed to load resource: (net::ERR_|the server responded with a status of )/,
]

// Errors are what pages have told the console, and what nobody has caught in them.
export class Errors {
  #told = []
  // Further lines that a test expects, and names.
  #expected = []

  expect(pattern) {
    this.#expected.push(pattern)
  }

  add(text) {
    if (![...network, ...this.#expected].some((pattern) => pattern.test(text))) this.#told.push(text)
  }

  // none throws when there was an error.
  none() {
    if (this.#told.length > 0) throw new Error(`the page has told the console, or has thrown:\n${this.#told.join("\n")}`)
  }
}
