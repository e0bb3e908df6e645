// openSocket is the transport of the core: one WebSocket. A transport is a function of params and on, and returns a link.
//
//   params  {url, clientId, since, takeover, ping, token, WebSocket}: url is http or https, without a slash at its end; what is absent is "" or undefined
//   on      message(text), alive() where bytes have come that are no message, close({code, error, after}) at most once, and nothing behind it
//   link    name, send(text), ping() asks for a sign of life, close(code) after which on is told nothing more
export const openSocket = ({ url, clientId, since, takeover, ping, token, WebSocket = globalThis.WebSocket }, on) => {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ client_id: clientId, since, attach: takeover && "takeover", ping })) if (value) query.set(name, value)
  // A browser sends no header of ours; a token is a legal name of a subprotocol, as base64url is, or refused by the constructor.
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/ws?${query}`, ["restante.v1", token].filter(Boolean))
  socket.onmessage = ({ data }) => on.message(data)
  socket.onclose = ({ code }) => on.close({ code })
  const send = (text) => socket.readyState == 1 && socket.send(text)
  return {
    name: "websocket",
    send,
    ping: () => send('{"type":"ping"}'),
    close: (code) => {
      socket.onmessage = socket.onclose = undefined
      socket.close(code)
    },
  }
}
