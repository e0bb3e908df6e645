package protocol_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// bodyOf returns a compact body of n bytes.
func bodyOf(n int) []byte {
	const frame = `{"type":"t","s":""}`
	return []byte(`{"type":"t","s":"` + strings.Repeat("x", n-len(frame)) + `"}`)
}

func TestP02_TheDefaultAndNoBound(t *testing.T) {
	_, err := protocol.ParseBody(bodyOf(protocol.DefaultMaxFrameBytes), 0)
	require.NoError(t, err)
	_, err = protocol.ParseBody(bodyOf(protocol.DefaultMaxFrameBytes+1), 0)
	require.Equal(t, protocol.CodeTooLarge, code(t, err))
	for _, none := range []int{-1, math.MinInt, math.MaxInt} {
		_, err = protocol.ParseBody(bodyOf(1<<20), none)
		require.NoError(t, err)
	}
}

func TestP20_AMessageMayBeFourKiBLonger(t *testing.T) {
	message := func(n int) []byte {
		return []byte(`{"type":"pong","a":"` + strings.Repeat("x", n-len(`{"type":"pong","a":""}`)) + `"}`)
	}
	_, err := protocol.ParseMessage(message(1000+protocol.MessageSlack), 1000)
	require.NoError(t, err)
	_, err = protocol.ParseMessage(message(1000+protocol.MessageSlack+1), 1000)
	require.Equal(t, protocol.CodeTooLarge, code(t, err))
	for _, none := range []int{-1, math.MaxInt} {
		_, err = protocol.ParseMessage(message(1<<20), none)
		require.NoError(t, err)
	}
}

// TestP02_DepthCostsNoStack nests two hundred thousand levels: told as too deep, at a bit a level.
func TestP02_DepthCostsNoStack(t *testing.T) {
	const n = 200_000
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		inner := strings.Repeat(pair[0], n) + "1" + strings.Repeat(pair[1], n)
		_, err := protocol.ParseBody([]byte(`{"type":"t","v":`+inner+`}`), -1)
		require.Equal(t, protocol.CodeBadFrame, code(t, err))
		_, err = protocol.ParseBody([]byte(`{"type":"t","v":`+inner), -1)
		require.Equal(t, protocol.CodeBadJSON, code(t, err))
		_, err = protocol.ParseMessage([]byte(`{"type":"send","to":"a","frame":{"type":"t","v":`+inner+`},"id":"u1"}`), -1)
		require.Equal(t, protocol.CodeBadFrame, code(t, err))
		require.Equal(t, "u1", protocol.AsError(err).ID, "the id behind it is still given back")
	}
	mixed := strings.Repeat(`[{"a":`, 100) + "1" + strings.Repeat("}]", 100)
	_, err := protocol.ParseSnapshotData([]byte(mixed))
	require.Equal(t, protocol.CodeBadFrame, code(t, err))
	_, err = protocol.ParseSnapshotData([]byte(strings.Replace(mixed, "}]", "]}", 1)))
	require.Equal(t, protocol.CodeBadJSON, code(t, err))
}

// TestP02_EveryByteAtEveryPlace puts each byte at each place of a string: the scanner reads eight at a time where it can.
func TestP02_EveryByteAtEveryPlace(t *testing.T) {
	accepted := 0
	for c := range 256 {
		for at := range 18 {
			src := []byte(`{"type":"aaaaaaaaaaaaaaaaaa","b":[]}`)
			src[len(`{"type":"`)+at] = byte(c)
			_, err := protocol.ParseBody(src, 0)
			require.Equal(t, naiveBody(src, len(src)), code(t, err), "%q", src)
			if err == nil {
				accepted++
			}
		}
	}
	require.Equal(t, 18*(0x80-0x20-2), accepted, "all of ASCII that is printable, or DEL, but for the quote and the backslash")
}

func TestP19_HistoryBeyondAnInt(t *testing.T) {
	m, err := protocol.ParseMessage([]byte(`{"type":"subscribe","topic":"a","history":9007199254740991}`), 0)
	require.NoError(t, err)
	require.Equal(t, math.MaxInt32, m.History)
	_, err = protocol.ParseMessage([]byte(`{"type":"subscribe","topic":"a","history":1.5}`), 0)
	require.Equal(t, protocol.CodeBadFrame, code(t, err))
}

// TestP18_AMessageKeepsNothingOfItsSource reads into a buffer that is used again, as a connection does.
func TestP18_AMessageKeepsNothingOfItsSource(t *testing.T) {
	src := []byte(`{"type":"send","id":"u1","to":"agent-1","frame":{"type":"say"}}`)
	m, err := protocol.ParseMessage(src, 0)
	require.NoError(t, err)
	for i := range src {
		src[i] = 'x'
	}
	require.Equal(t, protocol.Message{Type: "send", ID: "u1", To: "agent-1", Frame: protocol.Body(`{"type":"say"}`), History: -1}, m)
}

func TestP05_CursorString(t *testing.T) {
	require.Equal(t, "7", protocol.Cursor{Seq: 7}.String())
	require.Equal(t, "k3:0", protocol.Cursor{Epoch: "k3"}.String())
}

// TestP22_TheRangeIsTheVerdict holds the judgement of codes that are in no table.
func TestP22_TheRangeIsTheVerdict(t *testing.T) {
	for c, stops := range map[protocol.CloseCode]bool{0: false, 1005: false, 1006: false, 1011: false, 3000: false, 4005: false, 4499: false, 4599: true, 4999: true} {
		require.Equal(t, stops, c.Stops(), "%d", c)
		require.Equal(t, "unknown", c.Name(), "%d", c)
	}
}

// TestP20_Codes holds what the table itself cannot say.
func TestP20_Codes(t *testing.T) {
	counted := map[protocol.Code]bool{"bad_json": true, "bad_frame": true, "bad_cursor": true, "unknown_type": true, "ack_ahead": true}
	retried := map[protocol.Code]bool{"overloaded": true, "rate_limited": true, "draining": true, "internal": true}
	for _, c := range protocol.Codes() {
		i := c.Info()
		require.Equal(t, counted[c], i.Counts, c)
		require.Equal(t, retried[c], i.Retry, c)
		if i.Close != 0 {
			require.NotEqual(t, "unknown", i.Close.Name(), c)
		}
	}
	require.Len(t, protocol.Codes(), 20)
	require.Equal(t, protocol.CodeInternal.Info(), protocol.Code("later").Info())
}
