/**
 * @restante/client/core: a WebSocket that keeps its place. It attaches, resumes, acks, sends and subscribes by the rules of
 * PROTOCOL.md (P-3, P-12, P-17 to P-19, P-22, P-24, P-30), has no dependencies, and knows nothing of pages: @restante/client
 * is for these. Members that begin with _ are the library's own.
 */

/** `epoch:seq`: the last frame that a reader holds (P-5). */
export type Cursor = string

/** One frame of the application. The members besides these are the publisher's. */
export interface Frame {
  /** The frame's number in the outbox, from 1, without a hole. */
  seq: number
  type: string
  /** The topic that it came from, and its number there; `_all` for a broadcast. */
  topic?: string
  topic_seq?: number
  /** The client that sent it, for a frame that another client sent. */
  from?: string
  [member: string]: any
}

/** What an attach came to (P-7). */
export type Resume = "fresh" | "up_to_date" | "replay" | "too_old"

/**
 * Why the application has to discard: `epoch`, `ahead`, `pruned` are the broker's (P-7); `hole`: a frame was missing on a connection;
 * `bad_cursor`: the broker could not read the cursor; `fresh`: it knows nothing of this client any more; `restart`: the page called restart().
 */
export type Reason = "epoch" | "ahead" | "pruned" | "hole" | "bad_cursor" | "fresh" | "restart"

export type State =
  | { name: "connecting" }
  /** hello has come, and what was missed is being received. */
  | { name: "catching_up" }
  | { name: "live" }
  /** The connection has ended, or could not be opened; `code` is its close code (P-22), 0 for none. */
  | { name: "offline"; code: number }
  /** The next try comes after `ms` milliseconds, or at once when the network comes back or the page becomes visible. */
  | { name: "waiting"; ms: number }
  /** It does not come back by itself: `code` is the broker's (P-22), 1000 after close(). */
  | { name: "stopped"; code: number; error: RestanteError }

/** What the attaches since the client was last live have come to. It is told when everything up to hello's head has been handled. */
export interface ResumeReport {
  /** `too_old` if any of the attaches was, else that of the last. */
  mode: Resume
  /** Why the application was told to discard; absent if it was not. */
  reason?: Reason
  /** How many frames came while the client was away. */
  missed: number
  /** How many of them nobody can bring any more; `null` where that cannot be known. */
  lost: number | null
  /** How many frames were handed over while catching up. */
  replayed: number
  /** Whether a snapshot was handed over. */
  snapshot: boolean
  /** How long the client had not been live, in milliseconds; 0 at its first attach. */
  offlineMs: number
}

/** The broker's confirmation of a send (P-18). */
export interface Receipt {
  type: "receipt"
  id: string
  status: "stored" | "duplicate"
  epoch: string
  seq: number
}

/** The broker's answer to a subscribe (P-19). epoch, floor and head are absent for a pattern. */
export interface Subscribed {
  type: "subscribed"
  topic: string
  resume: Resume
  reason?: Reason
  epoch?: string
  floor?: number
  head?: number
  snapshot?: boolean
  closed?: boolean
}

/**
 * `code` is one of P-20's, or the library's own: `handler` (a handler threw: `cause`), `closed` and `stopped` (the client does not come back), `unknown` (a send without an
 * answer for 24 h), `unsubscribed`, `offline` (no connection can be made, and `cause` says why: the token callback failed, or the id, or the constructor), `token` (it failed for a token that is to
 * follow; the connection goes on), `storage` (sends cannot be kept).
 */
export class RestanteError extends Error {
  constructor(code: string, message: string, more?: object)
  code: string
  id?: string
  topic?: string
  /** The frame whose handler threw. */
  frame?: Frame
}

/** A send that has no receipt yet. */
export interface PendingSend {
  id: string
  to: string
  frame: { type: string; [member: string]: any }
  /** When send() was called, in milliseconds since 1970. */
  at: number
}

export interface Options {
  /** Who this client is (P-4). The broker mints one where there is none. */
  clientId?: string | Promise<string>
  /** The credential, or what fetches one before each attach. It travels as a subprotocol, so it consists of what base64url and JWTs do. */
  token?: string | (() => string | Promise<string>)
  /** The cursor that was kept with the state which the page has restored (P-30). A page that starts empty gives none. */
  since?: Cursor
  /** Is given each frame; the frame counts as applied when what it returns has resolved. */
  onFrame?: (frame: Frame) => unknown
  /** Makes this connection the client's only one (P-15). */
  takeover?: boolean
  /** The interval of the broker's pings, in seconds, 25 to 300 (P-16). */
  ping?: number
  /** Bounds of what has been received and not handled: 10,000 frames, and 4,194,304 characters. Beyond them frames are dropped, and come again. */
  queueFrames?: number
  queueBytes?: number
  /** The times of P-24, in milliseconds: 500 and 30,000 for the delays, 30,000 until a connection that is live makes the failures before it forgotten. */
  backoff?: { min?: number; max?: number; settle?: number }
  /** Instead of the global WebSocket, where there is none. */
  WebSocket?: typeof WebSocket
}

export interface SubscribeOptions {
  /** The cursor in the topic that was kept with the state (topicCursor). */
  since?: Cursor
  /**
   * Begins with the topic's snapshot, if it has one, and else with its last so many frames. What the client_id may still hold of the topic from an earlier page
   * is ended first, since a page that asks for history has nothing.
   */
  history?: number
}

export interface Stats {
  /** Frames handed over; dropped because they had been before (P-3). */
  frames: number
  duplicates: number
  /** Frames of topics that came again under another seq; that are missing. */
  topicRepeats: number
  topicHoles: number
  attaches: number
  /** How often the application was told to discard. */
  resets: number
  /** Frames handed over while catching up, and frames that are known to be lost, over all attaches. */
  replayed: number
  lost: number
  /** The last seq that was acked; hello's floor; the last head that the broker told. */
  acked: number
  floor: number
  head: number
  /** "websocket" or "sse"; "" before the first attach. */
  transport: string
}

/** `waitUntil(p)`: the frame (or snapshot) counts as applied when p has settled. */
export interface HandledEvent<T> extends CustomEvent<T> {
  waitUntil(promise: Promise<unknown>): void
}

export interface EventMap {
  frame: HandledEvent<Frame>
  /** The application's own summary as of a seq (P-9), of a topic where there is one (P-19): it replaces what the page has. */
  snapshot: HandledEvent<{ asOf: number; data: any; topic?: string }>
  /** Discard what was built from frames: what follows begins anew (P-30). */
  reset: HandledEvent<{ reason: Reason; cursor: Cursor; snapshot: boolean }>
  resume: CustomEvent<ResumeReport>
  /** Every change of state; there is also an event named after each state. */
  state: CustomEvent<State>
  connecting: CustomEvent<State>
  catching_up: CustomEvent<State>
  live: CustomEvent<State>
  offline: CustomEvent<State>
  waiting: CustomEvent<State>
  stopped: CustomEvent<State>
  /** What went wrong and belongs to no promise. The client goes on by itself, unless it is stopped. */
  error: CustomEvent<RestanteError>
  /** The end of a send, also of one that an earlier page has left. */
  sent: CustomEvent<PendingSend & { receipt?: Receipt; error?: RestanteError }>
  /** Discard what was built from this topic. */
  topic_reset: HandledEvent<{ topic: string; reason: Reason; cursor?: Cursor; snapshot: boolean }>
  topic_hole: CustomEvent<{ topic: string; from: number; to: number }>
  /** A subscription has ended that the page had not asked to end. */
  unsubscribed: CustomEvent<{ topic: string; closed: boolean; error?: RestanteError }>
}

/**
 * One client of a broker. It attaches by itself, in a microtask after it was made: add listeners in the same task.
 *
 * Frames come one at a time, to onFrame and as `frame` events. A frame is applied when both are through with it: onFrame's promise, and what an event's waitUntil was
 * given. Only then it is acked, and the next one comes. A handler that fails is told as `error`, and its frame counts as applied; what a listener throws goes to the
 * page's own error handler.
 */
export class Restante extends EventTarget {
  /** url is where the broker is: `https://broker.example`, with a path if it is served below one. http and https become ws and wss. */
  constructor(url: string | URL, options?: Options)
  readonly state: State
  /** "" before the broker has minted one. */
  readonly clientId: string
  /** The last frame handed over, to be kept with the state that the frames have built; "" before there is one. */
  readonly cursor: Cursor
  readonly stats: Readonly<Stats>
  /** The sends that have no receipt yet, in order. */
  readonly pending: readonly PendingSend[]
  /**
   * Puts a frame into the outbox of the client `to`, and resolves when the broker has confirmed it. Until then it is repeated with its id (P-30). Sends to one
   * client are stored in the order of their calls. Rejects with a RestanteError.
   */
  send(to: string, frame: { type: string; [member: string]: any }): Promise<Receipt>
  /** Follows a topic, or the topics of a pattern, until unsubscribe(). It is asked for again after each hello. Frames come as all others do. */
  subscribe(topic: string, options?: SubscribeOptions): Promise<Subscribed>
  unsubscribe(topic: string): Promise<void>
  /** The cursor of the last frame of that topic that was handed over, for `since` of the next page; "" where it is not known. */
  topicCursor(topic: string): Cursor
  /** Acks what is applied, closes with 1000, and is `stopped`. */
  close(): void

  addEventListener<K extends keyof EventMap>(type: K, listener: (this: Restante, event: EventMap[K]) => any, options?: boolean | AddEventListenerOptions): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
  removeEventListener<K extends keyof EventMap>(type: K, listener: (this: Restante, event: EventMap[K]) => any, options?: boolean | EventListenerOptions): void
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void
}
