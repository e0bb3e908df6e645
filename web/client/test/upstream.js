import http from "node:http"

// upstream stands in for a broker, and for what stands before one. handlers are by "METHOD name", where name is the last part of the path; calls are all that came.
export const upstream = async (t, handlers) => {
  const calls = []
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x")
    let body = ""
    for await (const part of request) body += part
    const call = { method: request.method, path: pathname, query: Object.fromEntries(searchParams), headers: request.headers, body, response }
    call.gone = new Promise((resolve) => response.on("close", () => resolve(!response.writableFinished)))
    calls.push(call)
    const handler = handlers[`${request.method} ${pathname.split("/").pop()}`]
    if (handler) await handler(call)
    else json(response, 404, { code: "not_found", detail: "there is nothing at this path" })
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${server.address().port}`, calls }
}

export const json = (response, status, value, headers = {}) => {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers })
  response.end(JSON.stringify(value))
}

export const html = (response, status, headers = {}) => {
  response.writeHead(status, { "Content-Type": "text/html", ...headers })
  response.end("<p>something between</p>")
}

// begin writes the head of a stream.
export const begin = (response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" })
  response.flushHeaders()
}

// event is one event as the broker writes it.
export const event = (message, name = "seq" in message && Object.keys(message)[0] == "seq" ? "" : message.type) =>
  (name ? `event: ${name}\n` : "") + `data: ${JSON.stringify(message)}\n\n`

export const hello = (more) => ({ type: "hello", client_id: "tab", connection_id: "c1", epoch: "e1", resume: "fresh", floor: 0, head: 0, ping_interval_ms: 25000, ...more })

// gate is a promise with its own key.
export const gate = () => {
  let open
  const promise = new Promise((resolve) => (open = resolve))
  return Object.assign(promise, { open })
}
