package plot

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds tables and plots to the byte. What a change makes of them is to be looked at: go test ./bench/plot -update, and a browser.
func TestGolden(t *testing.T) {
	table, ranges := worked(), worked()
	ranges.Ranges = true
	for name, text := range map[string]string{
		"table.md":    table.Markdown(),
		"ranges.md":   ranges.Markdown(),
		"unicast.svg": table.Bars("unicast", "Server CPU of a delivery, saturated", "CPU seconds per million deliveries", table.Rows[1:3]...).SVG(),
		"storm.svg":   table.Bars("storm", "Server CPU of a storm", "CPU seconds", table.Rows[4]).SVG(),
		"idle.svg":    table.Bars("idle", "Memory of an idle connection", "RSS bytes", table.Rows[0]).SVG(),
		"grown.svg":   grown().SVG(),
		"offline.svg": grownFar().SVG(),
	} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(golden) {
			t.Errorf("%s is no longer what it was; it is now:\n%s", name, text)
		}
	}
}
