// The library as one file for each entry: bundled and minified by esbuild, with its internal members renamed. Run by itself it writes them where the npm package has them.

import { build } from "esbuild"
import { mkdir, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

// Members that no page, no message and no platform object has; and all that begin with _.
const internal = `abandon after answered anew applied asked asking awaited began closedAt dead deadline drained dry due expected expire failed gap goOn heard held hello hold judge keep kind leavers leaving link
  live named over passed position probing quiet rebased received refused restore room seen sent settled silence subscribed told tries unsubscribed waiting`

export const entries = { "core.js": "core.min.js", "index.js": "index.min.js" }

const client = new URL("../../web/client/", import.meta.url)

// bundle returns the bytes of one entry.
export const bundle = async (entry) => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, client))],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    mangleProps: new RegExp(`^(_.*|${internal.split(/\s+/).join("|")})$`),
    write: false,
  })
  return outputFiles[0].contents
}

if (process.argv[1] == fileURLToPath(import.meta.url)) {
  const dist = new URL("dist/", client)
  await mkdir(dist, { recursive: true })
  for (const [entry, name] of Object.entries(entries)) await writeFile(new URL(name, dist), await bundle(entry))
}
