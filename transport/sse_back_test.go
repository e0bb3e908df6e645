package transport

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestSSE_EachHelloSaysAnewWhenToComeBack(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	seen := map[string]bool{}
	for range 20 {
		c, _ := opened(t, f, s, "a/events") // it looks at the time
		c.t.Cleanup(func() { _ = c.nc.Close() })
	}
	f.onAttach = func(l *fakeLink) {
		l.peer.Attached(l)
		l.peer.Close(protocol.CloseSlowConsumer)
	}
	for range 20 {
		e := openStream(t, s, "a/events").next()
		require.Equal(t, "close", e.name)
		requireAbout(t, comeBack, e.retry)
		seen[e.retry] = true
	}
	require.Greater(t, len(seen), 3, "those that go together do not come together")
}

func TestP16_TheFirstCommentsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seconds := map[int]bool{}
		for range 50 {
			start := time.Now()
			<-newBeat(25 * time.Second).C
			require.LessOrEqual(t, time.Since(start), 25*time.Second)
			seconds[since(start)] = true
		}
		require.Greater(t, len(seconds), 10)
	})
}

func TestSSE_BehindSomethingThatCannotFlush(t *testing.T) {
	h, f := newWS(t, Config{})
	h.ServeHTTP(discardWriter{http.Header{}}, httpCall{method: "GET", path: "/v1/clients/a/events"}.request())
	require.Empty(t, f.links, "a stream of which nothing arrives is not begun")
	require.EqualValues(t, 1, h.sys.Counters().Refused.Snapshot()["internal"])
}

func TestP11_AnAckByMessageNamesItsConnection(t *testing.T) {
	h, f := newHTTP(t, Config{})
	require.Equal(t, 204, messageCall(`{"type":"ack","seq":7,"connection_id":"c-1"}`).do(h).Code)
	require.Equal(t, []string{"ack a"}, f.calls())
	require.Equal(t, Ack{Cursor: protocol.Cursor{Seq: 7}, ConnectionID: "c-1"}, f.acked)
	for _, id := range []string{`""`, `7`, `null`, `"` + strings.Repeat("c", 65) + `"`} {
		h, f := newHTTP(t, Config{})
		requireProblem(t, messageCall(`{"type":"ack","seq":7,"connection_id":`+id+`}`).do(h), 400, protocol.CodeBadRequest)
		require.Empty(t, f.calls())
	}
	f.err = protocol.Errorf(protocol.CodeNotFound, "no connection")
	requireProblem(t, messageCall(`{"type":"ack","seq":7,"connection_id":"c-1"}`).do(h), 404, protocol.CodeNotFound)
	_ = messageCall(sendToB[:len(sendToB)-1] + `,"connection_id":7}`).do(h)
	require.Contains(t, f.calls(), "message a", "only an ack has that member (P-20)")
}

// FuzzEvents holds every body that is taken in to being one line of one event.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{`{"type":"x"}`, "{ \"type\":\n\"x\",\r\n\"data\":\"a\\nb\u2028\"}", `{"type":"x","a":[1, 2]}`} {
		f.Add([]byte(body), uint64(7))
	}
	f.Fuzz(func(t *testing.T, src []byte, seq uint64) {
		body, err := protocol.ParseBody(src, 1<<20)
		if err != nil {
			return
		}
		seq = max(seq&protocol.MaxSeq, 1)
		text := string(appendEvent(nil, protocol.Piece{Seq: seq, Body: body}, "e1"))
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
		require.Len(t, lines, 2, "%q", text)
		require.Equal(t, "id: "+protocol.Cursor{Epoch: "e1", Seq: seq}.String(), lines[0])
		require.Equal(t, "data: "+string(protocol.AppendFrame(nil, seq, body)), lines[1])
		require.True(t, strings.HasSuffix(text, "\n\n"))
	})
}
