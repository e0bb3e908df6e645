import assert from "node:assert/strict"
import { test } from "node:test"
import { tabClientId } from "../identity.js"
import { uuid } from "../uuid.js"
import { Origin, Page } from "./pages.js"

// found are the ids that pages come to, once all waiting is over.
const found = async (origin, ...pages) => {
  const ids = pages.map((page) => tabClientId("", page))
  await origin.pass(1000)
  return Promise.all(ids)
}

const key = "restante.client_id"

for (const means of [["locks", "channel"], ["locks"], ["channel"]]) {
  test(`held by ${means.join(" and ")}`, async (t) => {
    await t.test("a new tab has a new id, and says it again", async () => {
      const origin = new Origin()
      const page = new Page(origin, { means })
      const ids = await found(origin, page, page)
      assert.match(ids[0], /^[0-9a-f-]{36}$/)
      assert.equal(ids[1], ids[0])
      assert.equal(page.storage.get(key), ids[0])
      const [other] = await found(origin, new Page(origin, { means }))
      assert.notEqual(other, ids[0])
    })

    await t.test("it clears no timer but its own", async () => {
      const origin = new Origin()
      await found(origin, new Page(origin, { means }))
      assert.deepEqual(origin.strange, [])
    })

    await t.test("each prefix has its own", async () => {
      const origin = new Origin()
      const page = new Page(origin, { means })
      const ids = [tabClientId("", page), tabClientId("laptop.", page), tabClientId("phone.", page)]
      await origin.pass(1000)
      const [plain, laptop, phone] = await Promise.all(ids)
      assert.match(laptop, /^laptop\.[0-9a-f-]{36}$/)
      assert.match(phone, /^phone\.[0-9a-f-]{36}$/)
      assert.deepEqual(Object.fromEntries(page.storage), { [key]: plain, [key + "laptop."]: laptop, [key + "phone."]: phone })
      assert.equal(new Set([plain, laptop.slice(7), phone.slice(6)]).size, 3)
    })

    await t.test("it survives refreshes", async () => {
      const origin = new Origin()
      let page = new Page(origin, { means })
      const [first] = await found(origin, page)
      for (let i = 0; i < 3; i++) {
        page = page.reload()
        assert.deepEqual(await found(origin, page), [first])
      }
      const link = new Page(origin, { means, storage: page.storage })
      page.unload()
      assert.deepEqual(await found(origin, link), [first], "a link to another page of the site")
    })

    await t.test("also where the page before lets go late", async () => {
      const origin = new Origin()
      const page = new Page(origin, { means })
      const [first] = await found(origin, page)
      const next = page.reload(120)
      assert.deepEqual(await found(origin, next), [first])
      const copy = next.duplicate()
      assert.notEqual((await found(origin, copy))[0], first, "and it holds it from then on")
    })

    await t.test("a duplicate waits no longer than 300 ms", async () => {
      const origin = new Origin()
      const page = new Page(origin, { means })
      const [first] = await found(origin, page)
      let id
      tabClientId("", page.duplicate()).then((got) => (id = got))
      await origin.pass(300)
      assert.ok(id)
      assert.notEqual(id, first)
    })

    await t.test("a duplicate has its own, and keeps it", async () => {
      const origin = new Origin()
      const page = new Page(origin, { means })
      const [first] = await found(origin, page)
      const copies = [page.duplicate(), page.duplicate()]
      const ids = [first]
      for (const copy of copies) ids.push(...(await found(origin, copy)))
      assert.equal(new Set(ids).size, 3)
      assert.equal(copies[0].storage.get(key), ids[1])
      assert.deepEqual(await found(origin, page.reload()), [first])
      assert.deepEqual(await found(origin, copies[0].reload()), [ids[1]])
    })

    await t.test("of several that come at one moment one has it", async () => {
      for (let round = 0; round < 50; round++) {
        const origin = new Origin()
        const page = new Page(origin, { means })
        const [first] = await found(origin, page)
        const copies = [page.duplicate(), page.duplicate(), page.duplicate(), page.duplicate()]
        page.unload()
        const ids = await found(origin, ...copies.slice(0, 2 + (round % 3)))
        assert.equal(new Set(ids).size, ids.length, `${ids}`)
        assert.equal(ids.filter((id) => id == first).length, 1, `${ids}`)
      }
    })

    await t.test("and of two that come one a little behind the other", async () => {
      for (let gap = 0; gap <= 200; gap += 10) {
        const origin = new Origin()
        const page = new Page(origin, { means })
        const [first] = await found(origin, page)
        const [a, b] = [page.duplicate(), page.duplicate()]
        page.unload()
        const one = tabClientId("", a)
        await origin.pass(gap)
        const two = tabClientId("", b)
        await origin.pass(1000)
        const ids = [await one, await two]
        assert.equal(ids.filter((id) => id == first).length, 1, `${gap} ms: ${ids}`)
        assert.notEqual(ids[0], ids[1])
      }
    })

    await t.test("back and forward: the page that is shown has it", async () => {
      const origin = new Origin()
      const back = new Page(origin, { means })
      const [first] = await found(origin, back)
      back.hide()
      const forth = new Page(origin, { means, storage: back.storage })
      assert.deepEqual(await found(origin, forth), [first])
      forth.hide()
      back.show()
      await origin.pass(0)
      const copy = back.duplicate()
      assert.notEqual((await found(origin, copy))[0], first, "a duplicate of the page that came back")
      back.hide()
      forth.show()
      await origin.pass(0)
      assert.notEqual((await found(origin, back.duplicate()))[0], first)
      assert.deepEqual(await found(origin, forth.reload()), [first])
    })

    await t.test("two that have it are two connections of it, and the last one keeps it", async () => {
      const origin = new Origin()
      const hidden = new Page(origin, { means })
      const [first] = await found(origin, hidden)
      hidden.hide()
      const taker = hidden.duplicate()
      assert.deepEqual(await found(origin, taker), [first], "nobody answers from the cache")
      hidden.show()
      await origin.pass(1000)
      taker.unload()
      await origin.pass(0)
      assert.notEqual((await found(origin, hidden.duplicate()))[0], first)
    })
  })
}

test("a lock is let go of in the cache, and not held by a timer that runs out", async () => {
  const origin = new Origin()
  const page = new Page(origin)
  const [id] = await found(origin, page)
  const next = page.reload(100)
  await found(origin, next)
  await origin.pass(10_000)
  assert.equal(origin.holder("restante.client:" + id), next)
  next.hide()
  await origin.pass(0)
  assert.equal(origin.holder("restante.client:" + id), undefined)
})

test("a page that goes into the cache again does not ask any more for what another has", async () => {
  const origin = new Origin()
  const page = new Page(origin)
  const [id] = await found(origin, page)
  page.hide()
  const taker = page.duplicate()
  assert.deepEqual(await found(origin, taker), [id])
  page.show()
  await origin.pass(0)
  page.hide()
  await origin.pass(0)
  taker.unload()
  await origin.pass(0)
  assert.equal(origin.holder("restante.client:" + id), undefined)
})

test("without locks and channels it is the tab's", async () => {
  const origin = new Origin()
  const page = new Page(origin, { means: [] })
  const [first] = await found(origin, page)
  assert.deepEqual(await found(origin, page.reload()), [first])
})

test("without storage it is the page's", async () => {
  for (const broken of [
    (page) => Object.defineProperty(page, "sessionStorage", { get: () => { throw new DOMException("denied", "SecurityError") } }),
    (page) => (page.sessionStorage = undefined),
    (page) => (page.sessionStorage = null),
    (page) => (page.sessionStorage.setItem = () => { throw new DOMException("full", "QuotaExceededError") }),
  ]) {
    const origin = new Origin()
    const page = new Page(origin)
    broken(page)
    const [id, again] = await found(origin, page, page)
    assert.match(id, /^[0-9a-f-]{36}$/)
    assert.equal(again, id)
    assert.notEqual((await found(origin, page.reload()))[0], id)
  }
})

test("locks and channels that fail do not keep a page from its id", async () => {
  const deny = () => { throw new DOMException("denied", "SecurityError") }
  for (const broken of [
    (page) => (page.navigator.locks.request = () => Promise.reject(new DOMException("denied", "SecurityError"))),
    (page) => (page.navigator.locks.request = deny),
    (page) => Object.assign(page, { navigator: {}, BroadcastChannel: class { constructor() { deny() } } }),
  ]) {
    const origin = new Origin()
    const page = new Page(origin, { storage: new Map([[key, "kept"]]) })
    broken(page)
    assert.match((await found(origin, page))[0], /^kept$|^[0-9a-f-]{36}$/)
    const fresh = new Page(origin)
    broken(fresh)
    assert.match((await found(origin, fresh))[0], /^[0-9a-f-]{36}$/)
  }
})

test("ids are random UUIDs without randomUUID as well", async () => {
  const origin = new Origin()
  const { crypto } = new Page(origin, { secure: false })
  const ids = Array.from({ length: 1000 }, () => uuid(crypto))
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(ids).size, 1000)
  assert.match((await found(origin, new Page(origin, { secure: false, means: ["channel"] })))[0], /^[0-9a-f-]{36}$/)
})
