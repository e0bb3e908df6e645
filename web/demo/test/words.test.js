import assert from "node:assert/strict"
import { test } from "node:test"
import { answerWords, errorWords, lasting, plural, resumeWords, stateWords, toolWords } from "../words.js"

const report = { mode: "replay", missed: 212, lost: 0, replayed: 212, snapshot: false, offlineMs: 12_000 }

test("coming back is said in one line", () => {
  assert.equal(resumeWords(report), "Caught up on 212 updates after 12 s")
  assert.equal(resumeWords({ ...report, missed: 1, offlineMs: 0.4 }), "Caught up on 1 update")
  assert.equal(resumeWords({ ...report, lost: 3 }), "Caught up on 212 updates after 12 s; 3 updates could not be brought back")
  assert.equal(resumeWords({ ...report, mode: "up_to_date", missed: 0, replayed: 0 }), "Back after 12 s, nothing missed")
  assert.equal(resumeWords({ ...report, mode: "too_old", reason: "pruned", lost: 40, snapshot: true }), "Started over from the snapshot after 12 s; 40 updates could not be brought back")
  assert.equal(resumeWords({ ...report, mode: "too_old", reason: "epoch", lost: null }), "Started over after 12 s")
})

test("a first attach and a blink are no news", () => {
  assert.equal(resumeWords({ ...report, mode: "fresh", missed: 5, offlineMs: 0 }), "")
  assert.equal(resumeWords({ ...report, mode: "up_to_date", missed: 0, replayed: 0, offlineMs: 300 }), "")
})

test("each state has a word", () => {
  assert.equal(stateWords({ name: "live" }), "live")
  assert.equal(stateWords({ name: "offline", code: 1006 }), "offline")
  assert.equal(stateWords({ name: "catching_up" }, { behind: 1212 }), "catching up on 1,212")
  assert.equal(stateWords({ name: "catching_up" }, { behind: -3 }), "catching up")
  assert.equal(stateWords({ name: "waiting", ms: 4000 }, { left: 1234 }), "back in 1.2 s")
  assert.equal(stateWords({ name: "waiting", ms: 4000 }, { left: -5 }), "coming back")
  assert.equal(stateWords({ name: "stopped", code: 4503 }), "stopped (4503)")
  assert.equal(stateWords({ name: "stopped", code: 0 }), "stopped")
})

test("times, numbers, ends and answers are said as one says them", () => {
  assert.deepEqual([8, 400, 9_949, 9_950, 60_000, 180_000].map(lasting), ["8 ms", "0.4 s", "9.9 s", "10 s", "60 s", "3 min"])
  assert.deepEqual([0, 1, 2500].map((n) => plural(n, "update")), ["0 updates", "1 update", "2,500 updates"])
  const ends = [{ status: "running" }, { status: "stopped" }, { status: "done", exit: 2 }, { status: "done", error: "timeout" }, { status: "done", error: "no go" }, { status: "done" }]
  assert.deepEqual(ends.map(toolWords), ["running", "stopped", "exit 2", "took too long", "failed", "ended"])
  assert.equal(answerWords("allow", "phone"), "Allowed on the phone")
  assert.equal(answerWords("deny"), "Denied")
  assert.equal(answerWords("none"), "Not answered")
})

test("an error has its sentence and its code, once", () => {
  assert.equal(errorWords(Object.assign(new Error("the token is not valid"), { code: "unauthorized" })), "the token is not valid (unauthorized)")
  assert.equal(errorWords(Object.assign(new Error("unauthorized: who are you"), { code: "unauthorized" })), "unauthorized: who are you")
  assert.equal(errorWords(Object.assign(new Error("handler"), { code: "handler" })), "Something that came could not be shown (handler)")
  assert.equal(errorWords(Object.assign(new Error("odd"), { code: "odd" })), "odd")
  assert.equal(errorWords("what"), "what")
})
