import { start } from "./client.js"

// asked is what a client has said about subscriptions.
export const asked = async (socket) => (await socket.heard()).filter(({ type }) => /subscribe/.test(type)).map(({ type, topic, since, history }) => [type, topic, since ?? history].filter((x) => x !== undefined).join(" "))

// answer is the broker's to a subscribe.
export const answer = (more) => ({ type: "subscribed", topic: "a", epoch: "k1", resume: "fresh", floor: 0, head: 0, ...more })

// topic sends frames of a topic, from the seq on.
export const topic = (socket, seq, name, ...numbers) => numbers.forEach((topic_seq, i) => socket.say({ seq: seq + i, topic: name, topic_seq, type: "t" }))

// subscribed makes a client that follows "a", by what was asked for and answered.
export const subscribed = async (t, options, more, extra) => {
  t.mock.method(Math, "random", () => 0)
  const made = start(t, extra)
  const promise = made.client.subscribe("a", options)
  const socket = await made.live()
  if (options?.history >= 0) socket.say({ type: "unsubscribed", topic: "a" })
  socket.say(answer(more))
  await socket.heard()
  await made.heard()
  return { ...made, socket, promise }
}
