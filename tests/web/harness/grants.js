import { build } from "./broker.js"
import { Calls } from "./calls.js"
import { Program } from "./process.js"

// Grants is the program of ../grants: a broker that lets a browser in for as long as a token is good, and a publisher by its key.
export class Grants extends Calls {
  #program

  static async start(origin, { grant = "3s" } = {}) {
    const program = new Program(build("./tests/web/grants", "GRANTS"), ["--allow-origin", origin, "--grant", grant])
    const grants = new Grants(await program.firstLine(), { Authorization: "Bearer publisher" })
    grants.#program = program
    grants.port = Number(new URL(grants.url).port)
    return grants
  }

  // token is the endpoint that a page fetches a client's tokens from; told: they say when they expire.
  token(client, told) {
    return `${this.url}/token?client_id=${client}${told ? "&expires=1" : ""}`
  }

  async close() {
    await this.#program.kill()
  }
}
