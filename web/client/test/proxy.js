import net from "node:net"

// Proxy stands before a broker, and cuts each connection after as many bytes, of both directions, as budget says; where it says Infinity it lets it live.
export class Proxy {
  cuts = 0
  #sockets = new Set()

  static async start(t, target, budget) {
    const proxy = new Proxy()
    Object.assign(proxy, { target, budget })
    const server = net.createServer((from) => proxy.#join(from))
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
    proxy.url = `http://127.0.0.1:${server.address().port}`
    t.after(() => {
      for (const socket of proxy.#sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    })
    return proxy
  }

  #join(from) {
    const { hostname, port } = new URL(this.target)
    const to = net.connect(port, hostname)
    let left = this.budget()
    const both = [from, to]
    const end = () => both.forEach((socket) => socket.destroy())
    both.forEach((socket, i) => {
      this.#sockets.add(socket)
      socket.setNoDelay()
      socket.on("data", (data) => {
        if (left <= 0) return
        both[1 - i].write(data.subarray(0, left))
        left -= data.length
        if (left > 0) return
        this.cuts++
        both[1 - i].end() // what was written still arrives, and after it nothing
        socket.destroy()
      })
      socket.on("error", () => {})
      socket.on("end", () => both[1 - i].end())
      socket.on("close", () => {
        this.#sockets.delete(socket)
        if (left > 0) end()
      })
    })
  }
}
