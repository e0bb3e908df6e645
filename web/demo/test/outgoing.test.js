import assert from "node:assert/strict"
import { test } from "node:test"
import { Outgoing } from "../outgoing.js"

const say = (send, text = send) => ({ id: `id-${send}`, to: "agent", frame: { type: "say", text, device: "laptop", send } })
const where = (outgoing) => outgoing.says.map(({ key, at }) => [key, at])

test("a message waits for the broker, then for the agent, and then is in the conversation", () => {
  const outgoing = new Outgoing()
  outgoing.take([say("a"), say("b")])
  assert.deepEqual(where(outgoing), [["user:a", "broker"], ["user:b", "broker"]])
  outgoing.settle({ ...say("a"), receipt: {} })
  assert.deepEqual(where(outgoing), [["user:a", "agent"], ["user:b", "broker"]])
  outgoing.arrived({ type: "user", id: 1, send: "a" })
  assert.deepEqual(where(outgoing), [["user:b", "broker"]])
})

test("the library's list is taken as often as one likes", () => {
  const outgoing = new Outgoing()
  outgoing.take([say("a")])
  outgoing.take([say("a")])
  outgoing.settle({ ...say("a"), receipt: {} })
  outgoing.take([say("a")])
  assert.deepEqual(where(outgoing), [["user:a", "agent"]])
})

test("what is back already does not wait, also if its receipt got lost and the page was refreshed", () => {
  const outgoing = new Outgoing()
  outgoing.arrived({ type: "user", id: 1, send: "a" })
  outgoing.take([say("a")])
  assert.deepEqual(where(outgoing), [])
})

test("a message that cannot be sent says why, and its text can be had back", () => {
  const outgoing = new Outgoing()
  const error = new Error("forbidden")
  outgoing.take([say("a", "hello")])
  outgoing.settle({ ...say("a"), error })
  assert.equal(outgoing.says[0].error, error)
  assert.equal(outgoing.drop("user:a"), "hello")
  assert.deepEqual(where(outgoing), [])
  assert.equal(outgoing.drop("user:a"), undefined)
})

test("an answer stands until it is back, or cannot be sent", () => {
  const outgoing = new Outgoing()
  const answer = (question) => ({ frame: { type: "answer", question, choice: "allow" } })
  outgoing.take([answer("q1"), answer("q2")])
  assert.deepEqual([outgoing.answer("q1"), outgoing.answer("q2")], ["allow", "allow"])
  outgoing.arrived({ type: "answered", question: "q1", choice: "deny" })
  outgoing.settle({ ...answer("q2"), error: new Error("forbidden") })
  assert.deepEqual([outgoing.answer("q1"), outgoing.answer("q2")], [undefined, undefined])
})
