// Makes the pictures of the README from the real page of the real demo: docs/images/demo.png and demo-dark.png. `make screenshot` runs it.
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Demo, patient, project } from "./harness/demo.js"
import { root, useBrowser } from "./harness/index.js"

const most = 300 << 10 // bytes of one picture

const files = {
  "go.mod": "module tides\n\ngo 1.24\n",
  "README.md": "# Tides\n\nWhen the water is where.\n",
  "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"time"\n\n\t"tides/table"\n)\n\n// TODO: take the harbour from the command line.\nfunc main() { fmt.Println(table.Next(time.Now())) }\n',
  "table/table.go": '// Package table knows when the tide is high.\npackage table\n\nimport "time"\n\nconst period = 12*time.Hour + 25*time.Minute\n\n// TODO: the moon is not always as far away.\nfunc Next(t time.Time) time.Time { return t.Truncate(period).Add(period) }\n',
  "table/table_test.go": 'package table\n\nimport (\n\t"testing"\n\t"time"\n)\n\n// TODO: a year with a leap second.\nfunc TestNext(t *testing.T) {\n\tnow := time.Now()\n\tif !Next(now).After(now) {\n\t\tt.Fatal("the next tide is not past")\n\t}\n}\n',
  "harbours/harbours.go": '// Package harbours has the places.\npackage harbours\n\n// TODO: more than two.\nvar All = []string{"Brest", "Husum"}\n',
}

useBrowser()
mkdirSync(join(root, "docs/images"), { recursive: true })

for (const [colorScheme, name] of [["light", "demo"], ["dark", "demo-dark"]]) {
  test(`a picture of the demo, ${colorScheme}`, async (t) => {
    const demo = await Demo.start(t, { dir: project("tides", files), window: { viewport: { width: 1320, height: 840 }, deviceScaleFactor: 1.6, colorScheme, reducedMotion: "reduce" } })
    const page = await demo.open()
    await page.locator("#pane-laptop .chip", { hasText: "review" }).click()
    await page.locator("#pane-phone .prose").first().waitFor()
    // The phone loses its network, and is back when the agent has got to its question.
    await demo.network(page, "phone", "stall")
    await demo.network(page, "phone", "cut")
    await patient(page, "the question on the laptop", () => document.querySelector("#pane-laptop .question"))
    await patient(page, "the laptop to have acked", () => panes[0].client.stats.acked > 0)
    await demo.network(page, "phone", "resume")
    await patient(page, "the question on the phone", () => document.querySelector("#pane-phone .question") && [...document.querySelectorAll("#pane-phone .notice")].some((notice) => notice.textContent.startsWith("Caught up")))
    await patient(page, "the phone to have acked", () => panes[1].client.stats.acked > 0)
    await page.mouse.move(0, 0)
    const path = join(root, "docs/images", `${name}.png`)
    await page.screenshot({ path })
    const { size } = statSync(path)
    if (size > most) throw new Error(`${path} has ${size} bytes, and should have at most ${most}`)
  })
}
