package tests

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP16_PingsWithTheHead(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "5s")
	c := s.attach("a")
	require.EqualValues(t, 1000, c.hello.PingIntervalMS)
	require.EqualValues(t, 5000, c.hello.PongTimeoutMS)
	s.publishN("a", 7, 7, 0)
	for pings := 0; pings < 2; {
		ev, err := c.read()
		require.NoError(t, err)
		if ev.msg != nil && ev.msg.Seq == 0 && ev.msg.Type == "ping" {
			require.Equal(t, `{"type":"ping","head":7}`, ev.msg.Raw)
			pings++
			c.send(`{"type":"pong"}`)
		}
	}
	// Any side may ask.
	c.send(`{"type":"ping"}`)
	require.Equal(t, `{"type":"pong"}`, c.nextOf("pong").Raw)
	require.NoError(t, c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame([]byte("are you there"))))))
	for {
		ev, err := c.read()
		require.NoError(t, err)
		if ev.op == ws.OpPong {
			require.Equal(t, "are you there", string(ev.data))
			break
		}
	}
	c.liveOnce("a")
}

func TestP16_ProtocolPings(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--protocol-pings")
	c := s.attach("a")
	for kinds := map[string]bool{}; len(kinds) < 2; {
		ev, err := c.read()
		require.NoError(t, err)
		if ev.op == ws.OpPing {
			kinds["rfc"] = true
			require.NoError(t, c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(ev.data)))))
		} else if ev.msg != nil && ev.msg.Type == "ping" {
			kinds["json"] = true
		}
	}
	c.liveOnce("a")
}

func TestP16_AnotherIntervalIsMovedIntoItsBounds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for asked, want := range map[string]int64{"1": 25000, "25": 25000, "40": 40000, "300": 300000, "9999": 300000} {
		require.Equal(t, want, s.attach("a", "ping", asked).hello.PingIntervalMS, asked)
	}
	for _, bad := range []string{"x", "-30", "30s", "1e2"} {
		s.refused(query("a", "ping", bad), protocol.CodeBadRequest, protocol.CloseBadRequest)
	}
}

func TestP16_PingsAreSpreadAndAtMostOneIsPending(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "5s", "--pong-timeout", "60s")
	const peers = 60
	at := make(chan time.Duration, peers)
	begin := time.Now()
	for n := range peers {
		c := s.attach(fmt.Sprintf("c%d", n))
		go func() {
			for {
				ev, err := c.read()
				if err != nil || ev.msg != nil && ev.msg.Type == "ping" {
					at <- time.Since(begin)
					return
				}
			}
		}()
	}
	seconds := map[int]int{}
	for range peers {
		seconds[int((<-at).Seconds())]++
	}
	require.GreaterOrEqual(t, len(seconds), 3, "the first pings of %d connections came in these seconds: %v", peers, seconds)
	for sec, n := range seconds {
		require.Less(t, n, peers*3/4, "second %d of %v", sec, seconds)
	}
}

func TestP16_AtMostOnePingIsPending(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "60s", "--write-timeout", "60s")
	c := s.stuck("a")
	s.publishN("a", 60, 10, 30_000) // more than its kernel takes, so that a batch is under way from now on
	wait := time.NewTimer(5 * time.Second)
	<-wait.C
	pings := 0
	for c.last < 60 {
		ev, err := c.read()
		require.NoError(t, err)
		if ev.msg.Type == "ping" {
			pings++
		}
	}
	require.LessOrEqual(t, pings, 2, "four or five were due; one may have been on its way")
	c.liveOnce("a")
}

func TestP17_APeerThatNeverPongs(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "1s")
	silent, lively := s.attach("a"), s.attach("a")
	gone := make(chan error, 1)
	go func() {
		for {
			ev, err := silent.read()
			if err != nil {
				gone <- fmt.Errorf("no close frame: %w", err)
				return
			}
			if ev.op == ws.OpClose {
				if ev.code != ws.StatusCode(protocol.CloseHeartbeatTimeout) {
					err = fmt.Errorf("closed with %d", ev.code)
				}
				gone <- err
				return
			}
		}
	}()
	for closed := false; !closed; {
		select {
		case err := <-gone:
			require.NoError(t, err)
			closed = true
		default:
			ev, err := lively.read()
			require.NoError(t, err)
			if ev.msg != nil && ev.msg.Type == "ping" {
				lively.send(`{"type":"pong"}`)
			}
		}
	}
	st := s.eventually("a", "down to the lively one", func(st protocol.State) bool { return st.Connections == 1 })
	require.Equal(t, 1, lost(st), "a silent one comes back: its place is held")
	require.Equal(t, lively.hello.ConnectionID, st.Attachments[0].ConnectionID)
	lively.liveOnce("a")
	back := s.attach("a", "since", lively.hello.Epoch+":0")
	back.upTo(2)
	back.liveOnce("a")
}

func TestP17_AnyByteIsALife(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "1s")
	c := s.attach("a")
	// One message takes five seconds, a byte every 100 ms: slow, but not silent, and within the message's time.
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"type":"send","id":"1","to":"b","frame":{"type":"x"}}`))))
	tick := time.NewTicker(5 * time.Second / time.Duration(len(frame)))
	defer tick.Stop()
	for _, b := range frame {
		<-tick.C
		require.NoError(t, c.raw([]byte{b}))
	}
	require.Equal(t, "stored", c.mustReceipt().Status)
}

func TestP17_AMessageThatNeverEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, "--message-timeout", "2s")
	text := []byte(`{"type":"ping"}`)
	for _, c := range []struct {
		name  string
		begin []byte
	}{
		{"in the header", []byte{0x81}},
		{"in the body", []byte{0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4}},
		{"between fragments", ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpText, false, text[:4])))},
	} {
		k := s.attach("a")
		k.until("replay_end")
		require.NoError(t, k.raw(c.begin))
		if c.name == "in the body" {
			stop := make(chan struct{})
			ended := make(chan struct{})
			go func() { // "a byte a minute": it is not silence that ends it
				defer close(ended)
				tick := time.NewTicker(300 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						_ = k.raw([]byte{0x20})
					}
				}
			}()
			k.closed(protocol.CloseHeartbeatTimeout)
			close(stop)
			<-ended
			continue
		}
		k.closed(protocol.CloseHeartbeatTimeout)
	}
	c := s.attach("a")
	// Fragments with control frames between them are one message, if they come in time.
	for i, part := range [][]byte{text[:3], text[3:9], text[9:]} {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		require.NoError(t, c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, i == 2, part)))))
		require.NoError(t, c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil)))))
	}
	for m := c.next(); m.Type != "pong"; m = c.next() {
		require.Equal(t, "replay_end", m.Type, m.Raw)
	}
	c.liveOnce("a")
}

func TestP17_AHandshakeThatNeverEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, "--handshake-timeout", "1s")
	c, err := net.Dial("tcp", s.host())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("GET /v1/ws?client_id=a HTTP/1.1\r\nHost: localhost\r\nUpgr"))
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 4096)
	for err == nil {
		_, err = c.Read(buf)
	}
	require.True(t, isEnd(err), "the server gives up on it: %v", err)
	s.attach("a").liveOnce("a")
}

func TestP17_SilenceDoesNotCountWhileTheServerHasStoppedReading(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "1s", "--write-timeout", "60s", "--message-timeout", "60s")
	c := s.stuck("a")
	written := c.flood(t, "a")
	wait := time.NewTimer(5 * time.Second)
	<-wait.C
	c.drainPongs(t, written)
	c.liveOnce("a")
}
