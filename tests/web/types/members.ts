// Every public member of the library, used as a page would; tsc holds its declarations to this. A line that must not compile says so by @ts-expect-error.

import { Restante, RestanteError, tabClientId } from "@restante/client"
import type {
  Cursor, EventMap, Frame, HandledEvent, Options, PendingSend, Reason, Receipt, Resume, ResumeReport, State, Stats, Subscribed, SubscribeOptions, Token,
} from "@restante/client"
import { Restante as Core } from "@restante/client/core"
import type { Options as CoreOptions } from "@restante/client/core"

// exactly fails to compile where A and B are not the same type.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const exactly = <A, B>(_: Same<A, B>) => {}

const core: CoreOptions = {
  clientId: "tab-1",
  token: async () => "secret",
  since: "k3Jx0aQ9bTz:7",
  onFrame: async (frame: Frame) => frame.seq,
  takeover: true,
  ping: 60,
  queueFrames: 1 << 20,
  backoff: { min: 100, max: 1000, settle: 5000 },
  WebSocket,
}
const options: Options = { ...core, clientId: tabClientId("demo"), transport: "auto", climbAfter: 1000, storage: localStorage }
const promised = async (): Promise<Token> => ({ token: "secret", expiresAt: Date.now() + 60_000 })
const tokens: Options["token"][] = ["secret", () => "secret", () => ({ token: "secret" }), async () => "secret", promised, undefined]
const stores: Options["storage"][] = [null, sessionStorage, { getItem: () => null, setItem() {}, removeItem() {} }]
const transports: Options["transport"][] = ["auto", "websocket", "sse"]
// @ts-expect-error there is no such transport
const wrong: Options = { transport: "carrier pigeon" }
// @ts-expect-error the fallback is not the core's
const bare: CoreOptions = { transport: "sse" }
// @ts-expect-error nor is the time at which a token expires
const timed: CoreOptions = { token: promised }

const id: Promise<string> = tabClientId()
const client = new Restante(new URL("https://broker.example/below"), options)
const small: Core = new Core("https://broker.example")
const target: EventTarget = client
const base: Core = client

async function use(): Promise<void> {
  const state: State = client.state
  switch (state.name) {
    case "connecting":
    case "catching_up":
    case "live":
      break
    case "offline":
      exactly<typeof state.code, number>(true)
      break
    case "waiting":
      exactly<typeof state.ms, number>(true)
      break
    case "stopped":
      exactly<typeof state.code, number>(true)
      exactly<typeof state.error, RestanteError>(true)
      break
    default:
      exactly<typeof state, never>(true)
  }
  // @ts-expect-error the state is the library's
  client.state = { name: "live" }
  const name: string = client.clientId
  const cursor: Cursor = client.cursor
  const pending: readonly PendingSend[] = client.pending
  for (const { id, to, frame, at } of pending) exactly<[typeof id, typeof to, typeof frame.type, typeof at], [string, string, string, number]>(true)

  const stats: Readonly<Stats> = client.stats
  const counters: number[] = [
    stats.frames, stats.duplicates, stats.topicHoles, stats.attaches, stats.replayed, stats.lost, stats.acked, stats.floor, stats.head,
  ]
  const transport: string = stats.transport
  // @ts-expect-error nobody else counts
  stats.frames = 0

  const receipt: Receipt = await client.send("agent", { type: "prompt", text: "hello" })
  exactly<typeof receipt.status, "stored" | "duplicate">(true)
  exactly<[typeof receipt.type, typeof receipt.id, typeof receipt.epoch, typeof receipt.seq], ["receipt", string, string, number]>(true)
  // @ts-expect-error a frame has a type
  client.send("agent", { text: "hello" })

  const history: SubscribeOptions = { history: 100 }
  const subscribed: Subscribed = await client.subscribe("jobs.42", history)
  await client.subscribe("jobs.42", { since: client.topicCursor("jobs.42") })
  exactly<[typeof subscribed.type, typeof subscribed.topic, typeof subscribed.resume], ["subscribed", string, Resume]>(true)
  exactly<typeof subscribed.reason, Reason | undefined>(true)
  exactly<[typeof subscribed.epoch, typeof subscribed.floor, typeof subscribed.head], [string | undefined, number | undefined, number | undefined]>(true)
  exactly<[typeof subscribed.snapshot, typeof subscribed.closed], [boolean | undefined, boolean | undefined]>(true)
  const gone: void = await client.unsubscribe("jobs.42")

  for await (const frame of client) {
    exactly<[typeof frame.seq, typeof frame.type], [number, string]>(true)
    exactly<[typeof frame.topic, typeof frame.topic_seq, typeof frame.from], [string | undefined, number | undefined, string | undefined]>(true)
    const pct: number = frame.pct
  }
  const restarted: void = client.restart()
  const closed: void = client.close()
}

client.addEventListener("frame", function (e) {
  exactly<typeof e, HandledEvent<Frame>>(true)
  e.waitUntil(Promise.resolve(this.cursor))
})
client.addEventListener("snapshot", (e) => {
  e.waitUntil(Promise.resolve())
  exactly<[typeof e.detail.asOf, typeof e.detail.topic], [number, string | undefined]>(true)
  const lines: string[] = e.detail.data.lines
})
client.addEventListener("reset", (e) => {
  e.waitUntil(Promise.resolve())
  exactly<[typeof e.detail.reason, typeof e.detail.cursor, typeof e.detail.snapshot], [Reason, string, boolean]>(true)
})
client.addEventListener("resume", ({ detail }) => {
  const report: ResumeReport = detail
  exactly<[typeof report.mode, typeof report.reason, typeof report.lost], [Resume, Reason | undefined, number | null]>(true)
  exactly<[typeof report.missed, typeof report.replayed, typeof report.snapshot, typeof report.offlineMs], [number, number, boolean, number]>(true)
})
for (const name of ["state", "connecting", "catching_up", "live", "offline", "waiting", "stopped"] as const)
  client.addEventListener(name, ({ detail }) => exactly<typeof detail, State>(true))
client.addEventListener("error", ({ detail: error }) => {
  const parts: [string, string, string | undefined, string | undefined, Frame | undefined] = [error.code, error.message, error.id, error.topic, error.frame]
})
client.addEventListener("sent", ({ detail }) => {
  exactly<[typeof detail.receipt, typeof detail.error, typeof detail.id], [Receipt | undefined, RestanteError | undefined, string]>(true)
})
client.addEventListener("topic_reset", (e) => {
  e.waitUntil(Promise.resolve())
  exactly<[typeof e.detail.topic, typeof e.detail.reason, typeof e.detail.cursor], [string, Reason, string | undefined]>(true)
})
client.addEventListener("topic_hole", ({ detail }) => exactly<typeof detail, { topic: string; from: number; to: number }>(true))
client.addEventListener("unsubscribed", ({ detail }) => exactly<[typeof detail.topic, typeof detail.closed], [string, boolean]>(true))
const listener = (e: EventMap["live"]) => {}
client.addEventListener("live", listener, { once: true })
client.removeEventListener("live", listener)

const error = new RestanteError("bad_request", "the argument is wrong", { topic: "jobs.42" })
const ordinary: Error = error
const frames: AsyncIterable<Frame> = client
const turns: AsyncIterator<Frame, void> = client[Symbol.asyncIterator]()
