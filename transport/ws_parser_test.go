package transport

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// heard is a sink that writes down what it is told.
type heard struct {
	log   []string
	pause bool // every message makes Feed return
}

func (s *heard) onText(b []byte) bool {
	s.log = append(s.log, "text "+string(b))
	return !s.pause
}
func (s *heard) onPing(b []byte) { s.log = append(s.log, "ping "+string(b)) }
func (s *heard) onDropped()      { s.log = append(s.log, "dropped") }

// parse feeds stream in parts of the given sizes, over and over, and returns everything that happened.
func parse(limit int64, stream []byte, pause bool, sizes ...int) []string {
	s := &heard{pause: pause}
	p := parser{limit: int32(limit)}
	for i := 0; len(stream) > 0; i++ {
		part := bytes.Clone(stream[:min(len(stream), sizes[i%len(sizes)])])
		stream = stream[len(part):]
		for len(part) > 0 {
			n, f := p.Feed(part, s)
			part = part[n:]
			if f != nil {
				s.log = append(s.log, fmt.Sprintf("fault %d %s", f.code, f.why))
			}
		}
	}
	if p.peerCode != 0 {
		s.log = append(s.log, fmt.Sprintf("close %d", p.peerCode))
	}
	if p.idle() {
		s.log = append(s.log, "idle")
	}
	return s.log
}

func fault1002(f *fault) string { return fmt.Sprintf("fault %d %s", f.code, f.why) }

const parserLimit = 70000

var hostile = []struct {
	name       string
	stream     []byte
	want       []string
	code       protocol.CloseCode // that a connection ends with; 0: it stays open
	unfinished bool               // the stream ends inside a frame
}{
	{"one message", masked(true, ws.OpText, []byte("hello")), []string{"text hello", "idle"}, 0, false},
	{"an empty message", masked(true, ws.OpText, nil), []string{"text ", "idle"}, 0, false},
	{"two messages", join(masked(true, ws.OpText, []byte("a")), masked(true, ws.OpText, []byte("b"))), []string{"text a", "text b", "idle"}, 0, false},
	{"125 bytes", masked(true, ws.OpText, bytes.Repeat([]byte("x"), 125)), []string{"text " + strings.Repeat("x", 125), "idle"}, 0, false},
	{"126 bytes", masked(true, ws.OpText, bytes.Repeat([]byte("x"), 126)), []string{"text " + strings.Repeat("x", 126), "idle"}, 0, false},
	{"65536 bytes", masked(true, ws.OpText, bytes.Repeat([]byte("x"), 65536)), []string{"text " + strings.Repeat("x", 65536), "idle"}, 0, false},
	{"the longest message", masked(true, ws.OpText, bytes.Repeat([]byte("x"), parserLimit)), []string{"text " + strings.Repeat("x", parserLimit), "idle"}, 0, false},
	{"fragments", join(masked(false, ws.OpText, []byte("ab")), masked(false, ws.OpContinuation, nil), masked(true, ws.OpContinuation, []byte("c"))),
		[]string{"text abc", "idle"}, 0, false},
	{"an empty first fragment", join(masked(false, ws.OpText, nil), masked(true, ws.OpContinuation, []byte("c"))), []string{"text c", "idle"}, 0, false},
	{"an empty last fragment", join(masked(false, ws.OpText, []byte("c")), masked(true, ws.OpContinuation, nil)), []string{"text c", "idle"}, 0, false},
	{"nothing but empty fragments", join(masked(false, ws.OpText, nil), masked(true, ws.OpContinuation, nil)), []string{"text ", "idle"}, 0, false},
	{"a ping among fragments", join(masked(false, ws.OpText, []byte("ab")), masked(true, ws.OpPing, []byte("p")), masked(true, ws.OpContinuation, []byte("c"))),
		[]string{"ping p", "text abc", "idle"}, 0, false},
	{"pings and pongs", join(masked(true, ws.OpPing, nil), masked(true, ws.OpPong, []byte("unasked")), masked(true, ws.OpPing, bytes.Repeat([]byte("x"), 125))),
		[]string{"ping ", "ping " + strings.Repeat("x", 125), "idle"}, 0, false},
	{"a rune across fragments", join(masked(false, ws.OpText, []byte("\xf0\x9f")), masked(false, ws.OpContinuation, []byte("\x98")), masked(true, ws.OpContinuation, []byte("\x80"))),
		[]string{"text \U0001f600", "idle"}, 0, false},
	{"begun and not ended", masked(false, ws.OpText, []byte("ab")), nil, 0, true},

	{"a close", maskedClose(1000, "bye"), []string{"close 1000", "idle"}, 1000, false},
	{"a close without a status", masked(true, ws.OpClose, nil), []string{"close 1005", "idle"}, 1000, false},
	{"a close among fragments", join(masked(false, ws.OpText, []byte("ab")), maskedClose(1001, "")), []string{"close 1001"}, 1001, false},
	{"nothing counts after a close", join(maskedClose(4999, ""), []byte("garbage"), masked(true, ws.OpText, []byte("x"))), []string{"close 4999", "idle"}, 4999, false},

	{"unmasked", []byte{0x81, 0x01, 'x'}, []string{fault1002(faultUnmasked)}, 1002, false},
	{"RSV1", []byte{0xc1, 0x80, 0, 0, 0, 0}, []string{fault1002(faultRSV)}, 1002, false},
	{"RSV2", []byte{0xa1, 0x80, 0, 0, 0, 0}, []string{fault1002(faultRSV)}, 1002, false},
	{"RSV3", []byte{0x91, 0x80, 0, 0, 0, 0}, []string{fault1002(faultRSV)}, 1002, false},
	{"RSV1 on a ping", []byte{0xc9, 0x80, 0, 0, 0, 0}, []string{fault1002(faultRSV)}, 1002, false},
	{"opcode 3", masked(true, 3, nil), []string{fault1002(faultOpcode)}, 1002, false},
	{"opcode 7", masked(true, 7, []byte("x")), []string{fault1002(faultOpcode)}, 1002, false},
	{"opcode 11", masked(true, 11, nil), []string{fault1002(faultOpcode)}, 1002, false},
	{"opcode 15", masked(true, 15, nil), []string{fault1002(faultOpcode)}, 1002, false},
	{"a ping of 126 bytes", masked(true, ws.OpPing, make([]byte, 126)), []string{fault1002(faultControlLength)}, 1002, false},
	{"a fragmented ping", masked(false, ws.OpPing, nil), []string{fault1002(faultControlSplit)}, 1002, false},
	{"a fragmented close", masked(false, ws.OpClose, nil), []string{fault1002(faultControlSplit)}, 1002, false},
	{"16 bits for 125", []byte{0x81, 0xfe, 0, 125, 0, 0, 0, 0}, []string{fault1002(faultLength)}, 1002, false},
	{"64 bits for 65535", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, []string{fault1002(faultLength)}, 1002, false},
	{"the highest bit", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, []string{fault1002(faultLengthBit)}, 1002, false},
	{"a continuation of nothing", masked(true, ws.OpContinuation, []byte("x")), []string{fault1002(faultContinuation)}, 1002, false},
	{"a continuation after the end", join(masked(true, ws.OpText, []byte("a")), masked(true, ws.OpContinuation, []byte("x"))),
		[]string{"text a", fault1002(faultContinuation)}, 1002, false},
	{"a message inside a message", join(masked(false, ws.OpText, []byte("a")), masked(true, ws.OpText, []byte("b"))), []string{fault1002(faultInterleaved)}, 1002, false},
	{"binary inside a message", join(masked(false, ws.OpText, []byte("a")), masked(true, ws.OpBinary, []byte("b"))), []string{fault1002(faultInterleaved)}, 1002, false},
	{"nothing is read after a violation", join(masked(true, 3, nil), maskedClose(1000, "")), []string{fault1002(faultOpcode)}, 1002, false},

	{"a close of one byte", masked(true, ws.OpClose, []byte{3}), []string{fault1002(faultCloseLength)}, 1002, false},
	{"close 999", maskedClose(999, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 1004", maskedClose(1004, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 1005", maskedClose(1005, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 1006", maskedClose(1006, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 1015", maskedClose(1015, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 2999", maskedClose(2999, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 5000", maskedClose(5000, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"close 0", maskedClose(0, ""), []string{fault1002(faultCloseCode)}, 1002, false},
	{"a close reason that is no UTF-8", maskedClose(1000, "\xff"), []string{fault1002(faultCloseReason), "idle"}, 1007, false},

	{"binary", join(masked(true, ws.OpBinary, []byte("abc")), masked(true, ws.OpText, []byte("x")), maskedClose(1003, "")),
		[]string{fault1002(faultBinary), "dropped", "close 1003", "idle"}, 1003, false},
	{"empty binary", join(masked(true, ws.OpBinary, nil), maskedClose(1003, "")), []string{fault1002(faultBinary), "close 1003", "idle"}, 1003, false},
	{"bad UTF-8", join(masked(true, ws.OpText, []byte("a\xc3\x28")), maskedClose(1007, "")), []string{fault1002(faultUTF8), "close 1007", "idle"}, 1007, false},
	{"a cut rune", join(masked(true, ws.OpText, []byte("a\xe2\x82")), maskedClose(1007, "")), []string{fault1002(faultUTF8), "close 1007", "idle"}, 1007, false},
	{"a surrogate", masked(true, ws.OpText, []byte("\xed\xa0\x80")), []string{fault1002(faultUTF8), "idle"}, 1007, false},
	{"an overlong rune across fragments", join(masked(false, ws.OpText, []byte("\xc0")), masked(true, ws.OpContinuation, []byte("\x80"))),
		[]string{fault1002(faultUTF8), "dropped", "idle"}, 1007, false},
	{"a rune cut by the end", join(masked(false, ws.OpText, []byte("\xe2")), masked(true, ws.OpContinuation, []byte("\x82"))), []string{fault1002(faultUTF8), "idle"}, 1007, false},
	{"bad UTF-8 fails at once", join(masked(false, ws.OpText, []byte("\xc3")), masked(false, ws.OpContinuation, []byte("\x28"))), []string{fault1002(faultUTF8), "idle"}, 1007, false},
	{"too large", join(masked(true, ws.OpText, make([]byte, parserLimit+1)), maskedClose(1009, "")), []string{fault1002(faultTooLarge), "close 1009", "idle"}, 1009, false},
	{"too large in fragments", join(masked(false, ws.OpText, make([]byte, parserLimit)), masked(true, ws.OpContinuation, []byte("x")), maskedClose(1000, "")),
		[]string{fault1002(faultTooLarge), "close 1000", "idle"}, 1009, false},
	{"far too large, by its header alone", []byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, []string{fault1002(faultTooLarge)}, 1009, true},
}

// afterFault drops what a parse says about its rest: whether it is idle then depends on nothing that counts.
func afterFault(log []string) []string {
	for i, s := range log {
		if strings.HasPrefix(s, "fault 1002") {
			return log[:i+1]
		}
	}
	return log
}

func TestP20_ParserByTheBook(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			for _, sizes := range [][]int{{1 << 20}, {1}, {2}, {3}, {5, 1, 7}, {125}, {4096}} {
				for _, pause := range []bool{false, true} {
					got := afterFault(parse(parserLimit, c.stream, pause, sizes...))
					require.Equal(t, afterFault(c.want), got, "in parts of %v", sizes)
				}
			}
		})
	}
}

func TestP20_TooLargeIsRefusedBeforeItIsBuffered(t *testing.T) {
	p := parser{limit: 1000}
	s := &heard{}
	_, f := p.Feed(masked(false, ws.OpText, make([]byte, 900)), s)
	require.Nil(t, f)
	_, f = p.Feed(masked(true, ws.OpContinuation, make([]byte, 101))[:6], s)
	require.Equal(t, faultTooLarge, f)
	require.Nil(t, p.msg)
	require.Empty(t, s.log)
}

func TestParserCopiesNothingThatComesWhole(t *testing.T) {
	p := parser{limit: 1000}
	stream := join(masked(true, ws.OpText, []byte("one")), masked(true, ws.OpPing, []byte("p")), masked(true, ws.OpText, []byte("two")))
	buf := make([]byte, len(stream))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		copy(buf, stream)
		_, f := p.Feed(buf, nothing{})
		if f != nil {
			panic(f)
		}
	}))
}

type nothing struct{}

func (nothing) onText([]byte) bool { return true }
func (nothing) onPing([]byte)      {}
func (nothing) onDropped()         {}

func TestParserCountsWhatItBegins(t *testing.T) {
	p := parser{limit: 1000}
	feed := func(b []byte) {
		_, f := p.Feed(bytes.Clone(b), nothing{})
		require.Nil(t, f)
	}
	feed(masked(true, ws.OpText, []byte("one"))[:3])
	require.False(t, p.idle())
	one := p.begun
	feed(masked(true, ws.OpText, []byte("one"))[3:8])
	require.Equal(t, one, p.begun)
	feed(join(masked(true, ws.OpText, []byte("one"))[8:], masked(false, ws.OpText, []byte("t"))))
	require.False(t, p.idle())
	require.Equal(t, one+1, p.begun, "a second message has begun")
	feed(masked(true, ws.OpPing, nil))
	require.Equal(t, one+1, p.begun, "a ping inside a message begins nothing")
	feed(masked(true, ws.OpContinuation, nil))
	require.True(t, p.idle())
}
