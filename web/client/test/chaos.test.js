import { test } from "node:test"
import { run } from "./chaos_run.js"

// CHAOS_SEED runs that seed alone and tells what happens in it, CHAOS_RUNS so many.
const { CHAOS_SEED, CHAOS_RUNS = 300 } = process.env

test("P-3, P-12, P-19, P-30: whatever happens, each frame once and in order, each send once, and topics whole", async () => {
  if (CHAOS_SEED) return run(+CHAOS_SEED, console.log)
  for (let seed = 1; seed <= CHAOS_RUNS; seed++) await run(seed)
})
