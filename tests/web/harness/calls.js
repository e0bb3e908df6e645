// Calls are what a test asks of a broker by HTTP, past everything that is done to the browser's connections.
export class Calls {
  // headers go with each call.
  constructor(url, headers = {}) {
    this.url = url
    this.headers = headers
  }

  // call makes one request and returns its status and its answer, read as JSON where it is some.
  async call(method, path, body, headers = {}) {
    const json = body !== undefined && typeof body !== "string"
    const response = await fetch(this.url + path, {
      method,
      headers: { ...this.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
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
  async clientWhen(id, test, what, ms = 10_000) {
    for (const begun = Date.now(); ; ) {
      const { status, answer } = await this.call("GET", `/v1/clients/${id}`) // 404 until the first frame makes it
      if (status === 200 && test(answer)) return answer
      if (Date.now() - begun > ms) throw new Error(`the broker's state of ${id} never came to ${what}: ${JSON.stringify(answer)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async snapshot(id, asOf, data) {
    const { status, answer } = await this.call("PUT", `/v1/clients/${id}/snapshot`, { as_of: asOf, data })
    if (status !== 200) throw new Error(`PUT /v1/clients/${id}/snapshot: ${status} ${JSON.stringify(answer)}`)
    return answer
  }
}
