import assert from "node:assert/strict"
import { within } from "./process.js"

// A page, here, is what has evaluate(fn, arg): Playwright's, or a tab of plain CDP (cdp.js).

// rendered is the page's own list of what it has rendered, seq and n of each, as it stands in the DOM.
export async function rendered(page) {
  const { dom, list } = await page.evaluate(() => ({ dom: app.rendered(), list: app.list }))
  assert.deepEqual(dom, list, "what the page has kept is what stands in its DOM")
  return dom
}

// told is what the page has seen, for the message of a test that fails.
export async function told(page) {
  const seen = page.evaluate(() => ({
    state: app.client?.state,
    cursor: app.client?.cursor,
    stats: app.client?.stats,
    list: `${app.list.length} frames up to ${app.last()}`,
    events: app.events.slice(-30).map(({ name, detail, at }) => `${Math.round(at)} ms: ${name} ${JSON.stringify(detail)}`),
  }))
  return within(seen, "the page to answer", 2000).then((s) => JSON.stringify(s, null, 1), String)
}

// patiently resolves as what the page is asked, or says what the page has seen.
export async function patiently(page, what, fn, arg) {
  return within(page.evaluate(fn, arg), async () => `${what}; ${await told(page)}`)
}

export const live = (page) => patiently(page, "the page to be live", () => app.live())

export const seen = (page, name, count = 1) => patiently(page, `the page to be told ${name} ${count} times`, ([name, count]) => app.seen(name, count), [name, count])

export const reached = (page, seq) => patiently(page, `the page to render ${seq}`, (seq) => app.reached(seq), seq)

export const details = (page, name) => page.evaluate((name) => app.details(name), name)

// stats are the library's counters, and how often the page was told to discard.
export const stats = (page) => page.evaluate(() => ({ ...app.client.stats, resets: app.count("reset") }))

// assertWhole holds the page to what was published: each frame rendered once, and in order (P-3).
export async function assertWhole(page, publisher) {
  await reached(page, publisher.last)
  const list = await rendered(page)
  const same = list.length === publisher.published.length && list.every(({ seq, n }, i) => seq === publisher.published[i].seq && n === publisher.published[i].n)
  if (!same) assert.deepEqual(list, publisher.published, "the page renders what was published, each frame once and in order")
}

// assertLater holds the page to its being live: one more frame arrives, once, behind the others.
export async function assertLater(page, publisher) {
  await publisher.publish(1, { later: true })
  await assertWhole(page, publisher)
}
