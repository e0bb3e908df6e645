package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// TestAnyOrderOfEventsEndsOnce lets the client's side and the socket's do at random what each of them may, and holds every connection
// to the Link's promises: messages in order, Written only for a batch, Gone exactly once and last, nothing left over.
func TestAnyOrderOfEventsEndsOnce(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{PingInterval: 5e6, ProtocolPings: true})
		f.keep = true
		s := serveWSOver(t, h, tls)
		const conns = 60
		var all sync.WaitGroup
		for i := range conns {
			all.Go(func() { client(t, dial(t, s, fmt.Sprintf("?client_id=c%d", i)), rand.New(rand.NewPCG(1, uint64(i)))) })
		}
		ends := make(chan string, conns)
		for i := range conns {
			l := f.link(t)
			go func() { ends <- drive(l, rand.New(rand.NewPCG(2, uint64(i)))) }()
		}
		all.Wait()
		for range conns {
			require.Empty(t, <-ends)
		}
		require.NoError(t, h.WaitConns(context.Background()))
		require.Zero(t, h.sys.Counters().Panics.Load())
	})
}

// client talks and listens for a while, then ends in some way.
func client(t testing.TB, c *wsClient, random *rand.Rand) {
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		for buf := make([]byte, 4096); ; {
			if _, err := c.br.Read(buf); err != nil {
				return
			}
		}
	}()
	say := func(b []byte) bool { _, err := c.nc.Write(b); return err == nil }
	ok := true
	for n := 0; n < 200 && ok; n++ {
		switch random.IntN(10) {
		case 0:
			ok = say(masked(true, ws.OpPing, []byte("x")))
		case 1: // in two parts
			b := masked(true, ws.OpText, fmt.Appendf(nil, `{"type":"ack","seq":%d}`, n))
			cut := 1 + random.IntN(len(b)-1)
			ok = say(b[:cut]) && say(b[cut:])
		default:
			ok = say(masked(true, ws.OpText, fmt.Appendf(nil, `{"type":"ack","seq":%d}`, n)))
		}
	}
	switch random.IntN(4) {
	case 0:
		say(maskedClose(1000, ""))
		<-listening
	case 1:
		say(masked(true, 3, nil))
	case 2:
		if tcp, bare := c.nc.(*net.TCPConn); bare {
			_ = tcp.SetLinger(0)
		}
	}
	if err := c.nc.Close(); err != nil {
		t.Log(err) // over TLS, where the other end was first
	}
	<-listening
}

// drive plays the client actor of one connection to its end, and says what was wrong.
func drive(l *fakeLink, random *rand.Rand) (wrong string) {
	writing, next, seq := false, uint64(0), uint64(1)
	paused := false
	for e := range l.events {
		switch e.call {
		case "gone":
			l.peer.Write(pieces(seq, 1, 10))
			l.peer.Close(protocol.CloseReplaced)
			if len(l.events) > 0 || len(l.late) > 0 {
				return "something came after Gone"
			}
			return ""
		case "written":
			if !writing {
				return "Written without a batch"
			}
			writing = false
		case "message":
			if e.err != nil || e.m.Seq < next {
				return fmt.Sprintf("%+v after %d", e, next)
			}
			next = e.m.Seq + 1
			l.peer.Handled(1)
		}
		switch random.IntN(12) {
		case 0:
			l.peer.Pause(true)
			paused = true
		case 1:
			l.peer.Close(protocol.CloseReplaced)
		case 2, 3, 4, 5:
			if !writing {
				n := 1 + random.IntN(30)
				l.peer.Write(pieces(seq, n, 4000))
				seq += uint64(n)
				writing = true
			}
		}
		if paused {
			l.peer.Pause(false)
			paused = random.IntN(2) == 0
		}
	}
	return "the events ended"
}
