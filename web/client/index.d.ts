/**
 * @restante/client: the core, and what a page needs besides: a client_id for each tab, and Server-Sent Events where a proxy lets no
 * WebSocket through.
 */
import { Restante as Core, Options as CoreOptions } from "./core.js"
export * from "./core.js"

export interface Options extends CoreOptions {
  /** Who this client is. By default tabClientId(). */
  clientId?: string | Promise<string>
  /** "auto" (default): Server-Sent Events when two sockets in a row have not come to a hello, and back when one does; or one of the two only. */
  transport?: "auto" | "websocket" | "sse"
  /** How long after the change to Server-Sent Events a WebSocket is tried again, in milliseconds: 15,000, doubled each time up to 300,000. */
  climbAfter?: number
}

export class Restante extends Core {
  constructor(url: string | URL, options?: Options)
}

/**
 * A client_id for this tab: it survives a refresh, and a duplicated tab gets its own. It lives in sessionStorage under `restante.client_id` and `prefix`, and is held
 * by a Web Lock, or, where there are none, by a claim on a BroadcastChannel.
 */
export function tabClientId(prefix?: string): Promise<string>
