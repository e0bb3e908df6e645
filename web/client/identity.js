import { uuid } from "./uuid.js"

// How long a page waits that seems to find its own id with another page: the one that it replaces may not have let go yet.
const patience = 300
// How long a page that asks for an id over a channel waits for somebody who has it.
const silence = 150

/**
 * A client_id for this tab. It survives a refresh, and a tab that is duplicated gets its own: a copy of sessionStorage finds the id held by the page that it was copied
 * from. It begins with the prefix, which is held to P-4 and to 92 characters, and is the same each time that a page asks with one prefix. A frame shares
 * sessionStorage with the page around it, and needs a prefix of its own to keep its id.
 *
 * A page that goes into the back-forward cache lets go of its id, and takes it again when it comes back. Should another page have it by then, both keep it: they are
 * two connections of one client (P-15), and each sees all. The same holds where a page was frozen, and could not answer over the channel.
 * @param {string} [prefix]
 * @param {typeof globalThis} [env] the page, for tests
 * @returns {Promise<string>}
 */
export function tabClientId(prefix = "", env = globalThis) {
  const ids = (env[Symbol.for("restante.client_id")] ??= new Map()) // this file may have been loaded twice
  if (!ids.has(prefix)) ids.set(prefix, find(prefix, env))
  return ids.get(prefix)
}

async function find(prefix, env) {
  const key = "restante.client_id" + prefix
  let store, id
  try {
    store = env.sessionStorage
    id = store.getItem(key)
  } catch {} // there is none, or the page may not use it: the id lives as long as the page
  if (id && (await claim(id, env))) return id
  id = prefix + uuid(env.crypto)
  try {
    store.setItem(key, id)
  } catch {}
  await claim(id, env, true)
  return id
}

// claim resolves with whether this page has the id from now on. accept says that it has it whatever others say: nobody else can have one that is fresh.
async function claim(id, env, accept) {
  const hold = env.navigator?.locks ? lock : env.BroadcastChannel ? listen : undefined
  const name = "restante.client:" + id
  let release
  try {
    release = await hold(name, env, accept)
    if (!release && /^(reload|back_forward)$/.test(env.performance?.getEntriesByType?.("navigation")[0]?.type)) release = await hold(name, env, accept, patience)
  } catch {
    return true // there is no way to ask
  }
  if (!release) return false
  // What a page holds keeps it out of some browsers' back-forward cache, or is taken from it there.
  env.addEventListener?.("pagehide", () => release())
  env.addEventListener?.("pageshow", async ({ persisted }) => persisted && (release = await hold(name, env, true)))
  return true
}

// lock holds an id by a Web Lock, and resolves with what lets go of it; with nothing where another page has it, and still has it after wait ms. With accept it queues for
// what another has, and does not wait.
function lock(name, { navigator, setTimeout, clearTimeout }, accept, wait) {
  const stop = new AbortController(), { signal } = stop
  const release = () => stop.abort() // also of what is still asked for
  return new Promise((resolve) => {
    const late = wait && setTimeout(release, wait)
    const got = (granted) => {
      clearTimeout(late)
      resolve(granted && release)
      return granted && new Promise((done) => signal.addEventListener("abort", done))
    }
    navigator.locks.request(name, accept || wait ? { signal } : { ifAvailable: true }, got).catch(() => resolve())
    if (accept) resolve(release)
  })
}

// listen is the same over a channel. Who has the id answers whoever asks for it; of two that ask at one moment the one with the lower name has it.
async function listen(name, { BroadcastChannel, crypto, setTimeout }, accept, wait) {
  if (wait) await new Promise((done) => setTimeout(done, wait - silence))
  const channel = new BroadcastChannel(name), me = uuid(crypto)
  const release = () => channel.close()
  let has = accept
  return new Promise((resolve) => {
    const take = () => {
      has = true
      resolve(release)
    }
    channel.onmessage = ({ data: { from, to } }) => {
      if (from && (has || me < from)) channel.postMessage({ to: from })
      else if (!has && (from || to === me)) {
        release()
        resolve()
      }
    }
    if (accept) return take()
    channel.postMessage({ from: me })
    setTimeout(take, silence)
  })
}
