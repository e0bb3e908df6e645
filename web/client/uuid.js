/**
 * A new random name: a UUID, or as many random bits in hexadecimal digits where a page is no secure context and has no randomUUID.
 * @param {Crypto} [crypto]
 * @returns {string}
 */
export function uuid(crypto = globalThis.crypto) {
  if (crypto.randomUUID) return crypto.randomUUID()
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("")
}
