package protocol_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// body256 is a compact body of 256 bytes, as an agent's progress event looks.
var body256 = []byte(`{"type":"tool_result","id":"call_01A09q90qw90lq917835lq9x","name":"go_test","ok":true,"ms":1834,"pct":40.5,"path":"registry/session/session.go","text":"ok github.com/example/project 0.031s............ coverage: 91.2","tags":["a","b"],"n":null,"m":[1,2,34]}`)

func BenchmarkParseBody(b *testing.B) {
	require.Len(b, body256, 256)
	spaced := []byte(strings.NewReplacer(`,"`, `, "`, `":`, `": `).Replace(string(body256)))
	text := []byte(`{"type":"text","text":"` + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 360) + `"}`)
	wide := []byte(`{"type":"text","text":"` + strings.Repeat("Größe 世界 ", 1000) + `"}`)
	var names strings.Builder
	for i := range 8000 {
		names.WriteString(`,"` + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + `":1`)
	}
	for _, c := range []struct {
		name string
		body []byte
	}{{"256", body256}, {"256_spaced", spaced}, {"16K_text", text}, {"16K_unicode", wide}, {"8000_names", []byte(`{"type":""` + names.String() + `}`)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.ParseBody(c.body, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseMessage(b *testing.B) {
	for _, c := range []struct{ name, message string }{
		{"ack", `{"type":"ack","seq":123456}`},
		{"pong", `{"type":"pong"}`},
		{"send", `{"type":"send","id":"550e8400-e29b-41d4-a716-446655440000","to":"agent-1","frame":` + string(body256) + `}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := []byte(c.message)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.ParseMessage(src, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseIncoming(b *testing.B) {
	frame := protocol.AppendFrame(nil, 123456, body256)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := protocol.ParseIncoming(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	dst := make([]byte, 0, 512)
	b.SetBytes(int64(len(body256)))
	b.ReportAllocs()
	for b.Loop() {
		dst = protocol.AppendFrame(dst[:0], 123456, body256)
	}
}

// TestP02_OneAllocation holds what the benchmark shows: a compact body costs the copy that is kept, and no more.
func TestP02_OneAllocation(t *testing.T) {
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() {
		if _, err := protocol.ParseBody(body256, 0); err != nil {
			panic(err)
		}
	}))
}
