// What the library weighs on its way to a browser: bundled, minified, and gzipped. It fails beyond the limits.

import { gzipSync } from "node:zlib"
import { bundle } from "./bundle.js"

const limits = { "core.js": 6144, "index.js": 12_288 }

for (const [entry, limit] of Object.entries(limits)) {
  const minified = await bundle(entry)
  const { length } = gzipSync(minified, { level: 9 })
  console.log(`web/client/${entry}: ${minified.length} bytes minified, ${length} gzipped, of ${limit}`)
  if (length > limit) {
    console.error(`web/client/${entry} is ${length - limit} bytes over its limit`)
    process.exitCode = 1
  }
}
