package tests

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP15_TakeoverOfAStuckPeer(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "60s")
	old := s.stuck("a")
	s.publishN("a", 200, 10, 16<<10)
	n := s.attach("a", "attach", "takeover")
	require.Len(t, n.upTo(200), 200)
	n.liveOnce("a")
	s.eventually("a", "down to the newcomer", func(st protocol.State) bool { return st.Connections == 1 && lost(st) == 0 })
	require.Eventually(t, func() bool { return s.metric("restante_connections ") == 1 }, patience, 5*pollEvery,
		"what does not move is reset long before its write timeout")
	s.endsWith(old, protocol.CloseReplaced)
	n.ack(202)
	require.EqualValues(t, 202, s.state("a").Floor)
	n.liveOnce("a")
}

// endsWith reads a connection to its end: frames without a hole, then a close with the code, or a reset.
func (e *endpoint) endsWith(c *socket, code protocol.CloseCode) {
	e.t.Helper()
	for {
		ev, err := c.read()
		if err != nil {
			require.True(e.t, isEnd(err), "%v", err)
			return
		}
		if ev.op == ws.OpClose {
			require.EqualValues(e.t, code, ev.code)
		}
	}
}

func TestP22_DeleteOfAStuckPeer(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "60s")
	old := s.stuck("a")
	s.publishN("a", 200, 10, 16<<10)
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	s.endsWith(old, protocol.CloseClientDeleted)
	c := s.attach("a", "since", old.cursor())
	require.Equal(t, protocol.ReasonEpoch, c.hello.Reason)
	c.liveOnce("a")
}

func TestP27_ReceiptsOfASenderThatDoesNotReadYet(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attachWith(dialing{query: query("a"), receive: 4 << 10})
	const total = 3000
	sent := make(chan error, 1)
	go func() {
		for n := range total {
			if err := c.text(fmt.Sprintf(`{"type":"send","id":"%0100d","to":"b","frame":{"type":"n","n":%d}}`, n, n+1)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	c.until("replay_end")
	for n := range total {
		r := c.nextOf("receipt")
		require.EqualValues(t, n+1, r.At)
		require.Equal(t, "stored", r.Status)
		require.Equal(t, fmt.Sprintf("%0100d", n), r.ID)
	}
	require.NoError(t, <-sent)
	b := s.attach("b")
	for n, f := range b.upTo(total) {
		require.Equal(t, n+1, f.N)
	}
	c.liveOnce("a")
}

func TestP16_AFloodOfProtocolPings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.attach("a"), s.attach("b")
	c.until("replay_end")
	var burst []byte
	for n := range 5000 {
		burst = append(burst, frameOf(ws.OpPing, true, fmt.Appendf(nil, "%06d", n))...)
	}
	require.NoError(t, c.raw(burst))
	last := ""
	for last != "004999" { // some may be passed over, the last one may not, and none comes late
		ev, err := c.read()
		require.NoError(t, err)
		require.Equal(t, ws.OpPong, ev.op)
		require.Greater(t, string(ev.data), last)
		last = string(ev.data)
	}
	other.liveOnce("b")
	c.liveOnce("a")
}

func TestP21_Handshakes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	shake := func(method, more string) *http.Response {
		t.Helper()
		c, err := net.Dial("tcp", s.host())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = fmt.Fprintf(c, "%s /v1/ws?client_id=a HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, s.host(), more)
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	const up, key, version = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Version: 13\r\n"
	ok := shake("GET", up+key+version+"Sec-WebSocket-Extensions: permessage-deflate\r\n")
	require.Equal(t, 101, ok.StatusCode)
	require.Empty(t, ok.Header.Get("Sec-WebSocket-Extensions"), "nothing is agreed that was not asked for")
	for name, more := range map[string]string{
		"no key":        up + version,
		"short key":     up + version + "Sec-WebSocket-Key: abc\r\n",
		"no version":    up + key,
		"version 8":     up + key + "Sec-WebSocket-Version: 8\r\n",
		"no upgrade":    key + version,
		"other upgrade": "Connection: Upgrade\r\nUpgrade: h2c\r\n" + key + version,
	} {
		require.Contains(t, []int{400, 426}, shake("GET", more).StatusCode, name)
	}
	require.Equal(t, 405, shake("POST", up+key+version+"Content-Length: 0\r\n").StatusCode)
	s.eventually("a", "left by the one that was let in", func(st protocol.State) bool { return st.Connections == 0 })
	s.attach("a").liveOnce("a")
}

func TestP29_ABodyThatBreaksOffStoresNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, "--message-timeout", "2s")
	line := `{"type":"half"}` + "\n"
	post := func(head, body string, hangUp bool) {
		t.Helper()
		c, err := net.Dial("tcp", s.host())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = fmt.Fprintf(c, "POST /v1/clients/a/frames HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-ndjson\r\n%s\r\n%s", s.host(), head, body)
		require.NoError(t, err)
		if hangUp {
			reset(c)
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil) // it stays, and sends no more: the server gives up on it
		if err != nil {
			require.True(t, isEnd(err), "%v", err)
			return
		}
		require.NoError(t, res.Body.Close())
		require.GreaterOrEqual(t, res.StatusCode, 400)
	}
	for _, hangUp := range []bool{true, false} {
		post("Content-Length: 1000\r\n", line+line, hangUp)
		post("Transfer-Encoding: chunked\r\n", "20\r\n"+line+line+"\r\n", hangUp)
	}
	s.publish("b", `{"type":"x"}`)
	require.Equal(t, 404, s.do("GET", "/v1/clients/a", nil).status, "nothing was stored, nobody created")
}

func TestP29_APublisherThatGoesAwayLosesNothingThatWasStored(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for n := range 20 {
		c, err := net.Dial("tcp", s.host())
		require.NoError(t, err)
		body := fmt.Sprintf(`{"type":"n","n":%d}`, n+1)
		_, err = fmt.Fprintf(c, "POST /v1/clients/a/frames?wait=acked HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.host(), len(body), body)
		require.NoError(t, err)
		s.eventually("a", "told", func(st protocol.State) bool { return st.Head == uint64(n+1) })
		reset(c)
	}
	c := s.attach("a")
	require.Len(t, c.upTo(20), 20)
	c.liveOnce("a")
	require.Eventually(t, func() bool { return s.metric("restante_in_flight_bytes") == 0 }, patience, pollEvery)
}

func TestP11_PeersThatVanishDuringTheHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t)
	keep := s.attach("keep")
	keep.until("replay_end")
	for n := range 150 {
		c, err := net.Dial("tcp", s.host())
		require.NoError(t, err)
		req := fmt.Sprintf("GET /v1/ws?client_id=v%d HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", n%7, s.host())
		_, err = c.Write([]byte(req[:len(req)-(n%4)]))
		require.NoError(t, err)
		if n%2 == 0 {
			reset(c)
		} else {
			_ = c.Close()
		}
	}
	require.Eventually(t, func() bool { return s.metric("restante_connections ") == 1 && s.metric("go_goroutines ") < 40 },
		patience, 5*pollEvery, "nothing is left of them")
	keep.liveOnce("keep")
	for n := range 7 {
		c := s.attach(fmt.Sprintf("v%d", n))
		c.liveOnce(fmt.Sprintf("v%d", n))
	}
}

func TestP20_RandomBytesHurtNobodyElse(t *testing.T) {
	t.Parallel()
	s := serve(t)
	good := s.attach("good")
	good.until("replay_end")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	valid := [][]byte{
		frameOf(ws.OpText, true, []byte(`{"type":"send","id":"1","to":"x","frame":{"type":"x"}}`)),
		frameOf(ws.OpText, true, []byte(`{"type":"ack","seq":1}`)),
		frameOf(ws.OpText, false, []byte(`{"type":`)), frameOf(ws.OpContinuation, true, []byte(`"ping"}`)),
		frameOf(ws.OpPing, true, []byte("p")), frameOf(ws.OpPong, true, nil), frameOf(ws.OpClose, true, []byte{3, 232}),
	}
	for n := range 300 {
		c, err := s.upgrade(dialing{query: query(fmt.Sprintf("bad%d", n%5))})
		require.NoError(t, err)
		var junk []byte
		for range 1 + rnd.IntN(8) {
			junk = append(junk, valid[rnd.IntN(len(valid))]...)
		}
		for range rnd.IntN(6) {
			junk[rnd.IntN(len(junk))] ^= 1 << rnd.IntN(8)
		}
		require.NoError(t, c.raw(junk))
		_ = c.conn.CloseWrite()
		for err == nil {
			_, err = c.read() // whatever comes, it is frames by the book, and it ends
		}
		require.True(t, isEnd(err), "%v", err)
		_ = c.conn.Close()
		if n%30 == 0 {
			good.liveOnce("good")
		}
	}
	require.Eventually(t, func() bool { return s.metric("restante_connections ") == 1 }, patience, pollEvery)
	good.liveOnce("good")
}
