/**
 * @restante/client: the core, and what a page needs besides: a client_id for each tab, sends that outlive a refresh, tokens that are renewed, a page that
 * sleeps and wakes, and Server-Sent Events where a proxy lets no WebSocket through.
 */
import { Frame, Options as CoreOptions, Restante as Core } from "./core.js"
export * from "./core.js"

export type Token = string | { token: string; /** Milliseconds since 1970. */ expiresAt?: number }

export interface Options extends Omit<CoreOptions, "token"> {
  /** Who this client is. By default tabClientId(). */
  clientId?: string | Promise<string>
  /** The credential, or what fetches one: it is called before each attach (after 4401 too), and before the token expires (expiresAt, or a JWT's `exp`). */
  token?: string | (() => Token | Promise<Token>)
  /** Where sends are kept until they have a receipt; sessionStorage by default, `null` for memory only. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null
  /** "auto" (default): Server-Sent Events when two sockets in a row have not come to a hello, and back when one does; or one of the two only. */
  transport?: "auto" | "websocket" | "sse"
  /** How long after the change to Server-Sent Events a WebSocket is tried again, in milliseconds: 15,000, doubled each time up to 300,000. */
  climbAfter?: number
}

/**
 * The core for pages. It looks at once for a new connection when the network or the page comes back, asks one that may be dead for a sign of life (3 s), acks when the page is
 * hidden, and lets it into the back-forward cache.
 *
 * `for await (const frame of client)` gets the frames too: one is applied when the loop asks for the next. Begin the loop in the task that makes the client. It ends with close(),
 * and throws the RestanteError of any other stop.
 */
export class Restante extends Core implements AsyncIterable<Frame> {
  constructor(url: string | URL, options?: Options)
  /** Discards the cursor and attaches anew (P-10), also when stopped. What has come is handed over before the `reset`, and subscriptions with a history begin again. */
  restart(): void
  [Symbol.asyncIterator](): AsyncIterator<Frame, void> & AsyncIterable<Frame>
}

/**
 * A client_id for this tab: it survives a refresh, and a duplicated tab gets its own. It lives in sessionStorage under `restante.client_id` and `prefix`, and is held
 * by a Web Lock, or, where there are none, by a claim on a BroadcastChannel.
 */
export function tabClientId(prefix?: string): Promise<string>
