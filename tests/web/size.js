// What the library weighs on its way to a browser: bundled and minified by esbuild, and gzipped. It fails beyond the limits.

import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"

const limits = { "core.js": 6144, "index.js": 12_288 }

for (const [entry, limit] of Object.entries(limits)) {
  const path = fileURLToPath(new URL(`../../web/client/${entry}`, import.meta.url))
  const { outputFiles } = await build({ entryPoints: [path], bundle: true, minify: true, format: "esm", target: "es2022", write: false })
  const { length } = gzipSync(outputFiles[0].contents, { level: 9 })
  console.log(`web/client/${entry}: ${outputFiles[0].contents.length} bytes minified, ${length} gzipped, of ${limit}`)
  if (length > limit) {
    console.error(`web/client/${entry} is ${length - limit} bytes over its limit`)
    process.exitCode = 1
  }
}
