import { uuid } from "./uuid.js"

// A page that finds its own id with another page waits for it, in milliseconds: the one that it replaces may not have let go yet, and with the id it would lose what waits to be
// sent. What is asked for over a channel is taken when nobody has answered for silence.
const patience = 300
const silence = 150

// tabClientId begins with the prefix, which is held to P-4 and to 92 characters, and is the same each time that a page asks with one prefix. A frame shares
// sessionStorage with the page around it: it keeps its id by a prefix of its own. env is the page, for tests.
//
// A page that goes into the back-forward cache lets go of its id, and takes it again when it comes back. If another page has it by then, both keep it: they are
// two connections of one client (P-15), and each sees all. The same holds of a page that was frozen, and could not answer over the channel.
export const tabClientId = (prefix = "", env = globalThis) => {
  const ids = (env[Symbol.for("restante.client_id")] ??= new Map()) // this file may be there twice
  if (!ids.has(prefix)) ids.set(prefix, find(prefix, env))
  return ids.get(prefix)
}

const find = async (prefix, env) => {
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
const claim = async (id, env, accept) => {
  const hold = env.navigator?.locks ? lock : listen
  const name = "restante.client:" + id
  let release
  try {
    release = await hold(name, env, accept)
  } catch {
    return true // there is no way to ask
  }
  if (!release) return false
  // What a page holds keeps it out of some browsers' back-forward cache, or is taken from it there.
  env.addEventListener?.("pagehide", () => release())
  env.addEventListener?.("pageshow", async ({ persisted }) => persisted && (release = await hold(name, env, true)))
  return true
}

// lock holds an id by a Web Lock, and resolves with what lets go of it; with nothing where another page has it and keeps it. With accept it queues for what another has.
const lock = (name, { navigator, setTimeout, clearTimeout }, accept) =>
  new Promise((resolve, reject) => {
    const stop = new AbortController()
    const { signal } = stop
    const release = () => stop.abort() // also of what is only asked for
    const late = accept ? undefined : setTimeout(release, patience)
    const got = () => {
      clearTimeout(late)
      resolve(release)
      return new Promise((done) => signal.addEventListener("abort", done))
    }
    navigator.locks.request(name, { signal }, got).catch((error) => (signal.aborted ? resolve() : reject(error)))
    if (accept) resolve(release)
  })

// listen is the same over a channel. Who has the id answers whoever asks for it; of two that ask at one moment the one with the lower name has it.
const listen = (name, { BroadcastChannel, crypto, setTimeout }, has) =>
  new Promise((resolve) => {
    const channel = new BroadcastChannel(name)
    const me = uuid(crypto)
    const release = () => channel.close()
    let lost
    const ask = (last) => {
      lost = false
      channel.postMessage({ from: me })
      setTimeout(() => {
        if (lost && last) return resolve(release())
        if (lost) return ask(true)
        has = true
        resolve(release)
      }, silence)
    }
    channel.onmessage = ({ data: { from, to } }) => {
      if (from && (has || me < from)) channel.postMessage({ to: from })
      else if (from || to == me) lost = true
    }
    if (has) resolve(release)
    else ask()
  })
