package transport

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// FuzzFeed holds the parser to three things on any bytes: where they are cut changes nothing; nothing makes it fail otherwise than by a
// fault; and where another implementation reads the stream as a valid one, both read the same.
func FuzzFeed(f *testing.F) {
	for i, c := range hostile {
		f.Add(c.stream[:min(len(c.stream), 2000)], uint64(i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		const limit = 1000
		whole := parse(limit, stream, false, max(len(stream), 1))
		random := rand.New(rand.NewPCG(seed, 1))
		sizes := make([]int, 8)
		for i := range sizes {
			sizes[i] = 1 + random.IntN(20)
		}
		require.Equal(t, whole, parse(limit, stream, seed%2 == 0, sizes...))
		require.Equal(t, whole, parse(limit, stream, true, 1))
		if want, valid := byAnother(stream, limit); valid {
			require.Equal(t, want, whole)
		}
	})
}

// byAnother reads stream with gobwas/ws; valid: it is a whole number of frames that break no rule, and idle at its end.
func byAnother(stream []byte, limit int) (log []string, valid bool) {
	r := bytes.NewReader(stream)
	state := ws.StateServerSide
	var msg []byte
	for {
		if r.Len() == 0 {
			return append(log, "idle"), !state.Fragmented()
		}
		h, err := ws.ReadHeader(r)
		if err != nil || ws.CheckHeader(h, state) != nil || h.Length > int64(r.Len()) || !shortest(h, stream[:len(stream)-r.Len()]) {
			return nil, false
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			return nil, false
		}
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpPing:
			log = append(log, "ping "+string(payload))
		case ws.OpPong:
		case ws.OpText, ws.OpContinuation:
			if state = state.Clear(ws.StateFragmented); !h.Fin {
				state = state.Set(ws.StateFragmented)
			}
			if msg = append(msg, payload...); len(msg) > limit {
				return nil, false
			}
			if h.Fin {
				if !utf8.Valid(msg) {
					return nil, false
				}
				log = append(log, "text "+string(msg))
				msg = nil
			}
		default:
			return nil, false // binary and close are for the table
		}
	}
}

// shortest reports whether the header that read ends with has its length written in the shortest way, which gobwas/ws does not ask for.
func shortest(h ws.Header, read []byte) bool { return bytes.HasSuffix(read, headerOf(h)) }

func headerOf(h ws.Header) []byte {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// FuzzUTF8 holds the check of text in parts to the standard library's check of the whole.
func FuzzUTF8(f *testing.F) {
	for _, s := range []string{"", "a", "é", "\U0001f600", "\xff", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\xc3"} {
		f.Add([]byte(s), uint(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint) {
		for _, size := range []int{1, 2, 3, int(cut%7) + 1} {
			var u utf8Check
			ok := true
			for i := 0; i < len(b) && ok; i += size {
				ok = u.part(b[i:min(i+size, len(b))])
			}
			require.Equal(t, utf8.Valid(b), ok && u.end(), "%q in parts of %d", b, size)
		}
	})
}
