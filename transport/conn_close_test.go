package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// requireEnd waits until l has been told the end, and that it was how, and that nothing follows it.
func requireEnd(t testing.TB, h *Handler, l *fakeLink, how Gone) {
	t.Helper()
	require.Equal(t, how, l.next(t, "gone").how)
	eventually(t, "the connection is gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
	l.none(t)
	require.Empty(t, l.late)
}

func TestP11_TheClientsOwnCloseGivesUpItsPlace(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		for _, x := range []struct {
			name    string
			say     []byte
			answer  protocol.CloseCode
			counted protocol.CloseCode
			how     Gone
		}{
			{"1000", maskedClose(1000, "bye"), 1000, protocol.CloseNormal, GoneLeft},
			{"1001", maskedClose(1001, ""), 1001, protocol.CloseNormal, GoneLeft},
			{"no status", masked(true, ws.OpClose, nil), 1000, protocol.CloseNormal, GoneLost},
			{"3000", maskedClose(3000, ""), 3000, 3000, GoneLost},
			{"4000", maskedClose(4000, "silence"), 4000, protocol.CloseHeartbeatTimeout, GoneLost},
			{"1011", maskedClose(1011, ""), 1011, 1011, GoneLost},
		} {
			t.Run(x.name, func(t *testing.T) {
				h, f := newWS(t, Config{})
				c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
				l := f.link(t)
				c.raw(join(masked(true, ws.OpText, []byte(`{"type":"ack","seq":9}`)), x.say, masked(true, ws.OpText, []byte(`{"type":"ack","seq":10}`))))
				require.EqualValues(t, 9, l.next(t, "message").m.Seq, "what was said before the close counts")
				c.expectClose(x.answer)
				requireEnd(t, h, l, x.how)
				require.EqualValues(t, 1, closedBy(h, x.counted))
			})
		}
	})
}

func TestP11_EveryOtherEndIsALoss(t *testing.T) {
	for _, x := range []struct {
		name string
		end  func(t *testing.T, c *wsClient)
	}{
		{"the end of the stream", func(t *testing.T, c *wsClient) { require.NoError(t, c.nc.Close()) }},
		{"a half-closed stream", func(t *testing.T, c *wsClient) {
			require.NoError(t, c.nc.(*net.TCPConn).CloseWrite())
			c.expectEOF()
		}},
		{"a reset", func(t *testing.T, c *wsClient) {
			require.NoError(t, c.nc.(*net.TCPConn).SetLinger(0))
			require.NoError(t, c.nc.Close())
		}},
		{"the end inside a header", func(t *testing.T, c *wsClient) {
			c.raw(masked(true, ws.OpText, []byte("hello"))[:4])
			require.NoError(t, c.nc.Close())
		}},
		{"the end inside a frame", func(t *testing.T, c *wsClient) {
			c.raw(masked(true, ws.OpText, []byte("hello"))[:8])
			require.NoError(t, c.nc.Close())
		}},
		{"the end inside a message", func(t *testing.T, c *wsClient) {
			c.raw(masked(false, ws.OpText, []byte("hello")))
			require.NoError(t, c.nc.Close())
		}},
		{"the end inside a close frame", func(t *testing.T, c *wsClient) {
			c.raw(maskedClose(1000, "")[:7])
			require.NoError(t, c.nc.Close())
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			h, f, s := wsServer(t, Config{})
			c := dial(t, s, "?client_id=a")
			l := f.link(t)
			x.end(t, c)
			requireEnd(t, h, l, GoneLost)
			require.EqualValues(t, 1, closedBy(h, 0))
		})
	}
}

func TestP22_OneCloseFrameAfterTheBatchUnderWay(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{})
		c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
		l := f.link(t)
		l.peer.Write(pieces(1, 40, 60000)) // more than the kernel takes at once
		l.peer.Close(protocol.CloseReplaced)
		l.peer.Close(protocol.CloseClientDeleted) // the first counts
		l.peer.Write(pieces(41, 3, 100))          // after the close nothing is written
		for range 40 {
			op, _ := c.frame()
			require.Equal(t, ws.OpText, op)
		}
		l.next(t, "written")
		c.expectClose(protocol.CloseReplaced)
		c.raw(masked(true, ws.OpText, []byte(`{"type":"ack","seq":40}`))) // too late
		c.answer(protocol.CloseReplaced)
		requireEnd(t, h, l, GoneLost)
		require.EqualValues(t, 40, h.sys.Counters().Delivered.Load())
		require.EqualValues(t, 3, dropped(h, actors.DropUnsent))
		require.EqualValues(t, 1, dropped(h, actors.DropInput))
		require.EqualValues(t, 1, closedBy(h, protocol.CloseReplaced))
	})
}

func TestACloseThatCrossesTheClientsOwn(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	l.peer.Close(protocol.CloseReplaced)
	require.Equal(t, GoneLost, l.next(t, "gone").how) // ours is with the kernel
	c.raw(maskedClose(1000, ""))
	c.expectClose(protocol.CloseReplaced)
	c.expectEOF()
	l.none(t)
	eventually(t, "the connection is gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
}

func TestP22_APeerThatHangsUpInsteadOfAnswering(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	l.peer.Close(protocol.CloseReplaced)
	c.expectClose(protocol.CloseReplaced)
	require.NoError(t, c.nc.Close())
	requireEnd(t, h, l, GoneLost)
	require.EqualValues(t, 1, closedBy(h, protocol.CloseReplaced))
}

func TestLateCallsOfThePeerChangeNothing(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	c.leave(1000)
	requireEnd(t, h, l, GoneLeft)
	l.peer.Write(pieces(1, 2, 100))
	l.peer.Close(protocol.CloseReplaced)
	l.peer.Refused(protocol.Piece{}, protocol.CloseDraining)
	l.peer.Pause(true)
	l.peer.Pause(false)
	l.peer.Handled(1000)
	l.peer.(toldPeer).Peer.(actors.Timed).Due(h.sys.Now())
	endWS(t, h)
	l.none(t)
	require.Empty(t, l.late)
	require.EqualValues(t, 1, closedBy(h, protocol.CloseNormal))
}

func TestAnAttachThatIsAnsweredTooLateIsToldItsEnd(t *testing.T) {
	h, f := newWS(t, Config{})
	f.onAttach = func(*fakeLink) {}
	c := dial(t, serveWSOver(t, h, false), "?client_id=a")
	l := f.link(t)
	h.CloseAll()
	c.expectClose(protocol.CloseGoingAway)
	require.NoError(t, h.WaitConns(context.Background()))
	l.none(t)
	l.peer.Attached(l)
	require.Equal(t, GoneLost, l.next(t, "gone").how)
}

func TestASocketThatDiesBeforeItsAttachIsToldWhenThatComes(t *testing.T) {
	h, f := newWS(t, Config{})
	f.onAttach = func(*fakeLink) {}
	c := dial(t, serveWSOver(t, h, false), "?client_id=a")
	l := f.link(t)
	require.NoError(t, c.nc.Close())
	l.peer.Attached(l)
	l.peer.Write(pieces(1, 2, 100))
	for e := l.any(t); e.call != "gone"; e = l.any(t) {
		require.Equal(t, "written", e.call)
	}
	eventually(t, "the connection is gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
}

func TestCloseAllEndsEveryConnectionAtOnce(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{WriteTimeout: -1})
		s := serveWSOver(t, h, tls)
		idle, idleLink := dial(t, s, "?client_id=idle"), f.link(t)
		_, stuckLink := dial(t, s, "?client_id=stuck"), f.link(t)
		_, closingLink := dial(t, s, "?client_id=closing"), f.link(t)
		stuckLink.peer.Write(pieces(1, 200, 60000)) // 12 MB to a client that reads nothing
		closingLink.peer.Close(protocol.CloseReplaced)
		require.Equal(t, GoneLost, closingLink.next(t, "gone").how)

		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, h.WaitConns(cancelled), context.Canceled)
		h.CloseAll()
		require.NoError(t, h.WaitConns(context.Background()))
		idle.expectClose(protocol.CloseGoingAway)
		require.Equal(t, GoneLost, idleLink.next(t, "gone").how)
		require.Equal(t, GoneLost, stuckLink.next(t, "gone").how)
		n := h.sys.Counters()
		require.Positive(t, dropped(h, actors.DropUnsent))
		require.EqualValues(t, 200, n.Delivered.Load()+dropped(h, actors.DropUnsent))
		require.Zero(t, n.Batches.Load())
		require.NoError(t, h.WaitConns(context.Background()))
	})
}

func TestP20_AfterAViolationTheCloseFrameArrivesWhateverElseWasSent(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	c.raw(masked(true, 3, nil))
	c.expectClose(protocol.CloseProtocolError)
	c.expectEOF()
	require.EqualValues(t, 1, h.sys.Counters().Connections.Load(), "only the server's half is closed: it goes on reading, so that nothing is reset")
	c.raw(make([]byte, 1<<20))
	require.NoError(t, c.nc.Close())
	requireEnd(t, h, l, GoneLost)
	require.EqualValues(t, 1, closedBy(h, protocol.CloseProtocolError))
}

func TestP27_AWriteThatHadToWaitLeavesNoDeadlineBehind(t *testing.T) {
	const timeout = 200 * time.Millisecond
	_, f, s := wsServer(t, Config{WriteTimeout: timeout})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	l.peer.Write(pieces(1, 150, 60000)) // 9 MB, more than the kernel takes at once
	for range 150 {
		c.frame()
	}
	l.next(t, "written")
	for start := time.Now(); time.Since(start) < timeout; {
		l.peer.Write(pieces(200, 1, 1000))
		c.frame()
		l.next(t, "written")
	}
	c.leave(1000)
}

func TestP27_APeerThatTakesNothingIsReset(t *testing.T) {
	h, f := newWS(t, Config{WriteTimeout: 1}) // the shortest there is
	s := serveWSOver(t, h, false)
	c := dial(t, s, "?client_id=stuck")
	l := f.link(t)
	reader := dial(t, s, "?client_id=reader")
	other := f.link(t)
	l.peer.Write(pieces(1, 200, 60000))
	for i := range 20 { // another one is not held up
		other.peer.Write(pieces(uint64(i+1), 1, 1000))
		reader.frame()
		other.next(t, "written")
	}
	require.Equal(t, GoneLost, l.next(t, "gone").how)
	require.EqualValues(t, 1, closedBy(h, protocol.CloseSlowConsumer))
	require.Positive(t, dropped(h, actors.DropUnsent))
	require.EqualValues(t, 220, h.sys.Counters().Delivered.Load()+dropped(h, actors.DropUnsent))
	_, err := io.Copy(io.Discard, c.br)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	reader.leave(1000)
}

func TestAWriteThatFailsLeavesTheLastWordToThePeer(t *testing.T) {
	// The client says 1000 and hangs up without reading on: whether the write or the read fails first, it has left.
	h, f, s := wsServer(t, Config{})
	for range 50 {
		c := dial(t, s, "?client_id=a")
		l := f.link(t)
		l.peer.Write(pieces(1, 3, 1000))
		l.next(t, "written")
		l.peer.Pause(true)
		c.raw(maskedClose(1000, ""))
		require.NoError(t, c.nc.Close()) // with bytes unread, so that the server's next write is answered by a reset
		l.peer.Write(pieces(4, 3, 1000))
		l.peer.Write(pieces(7, 3, 1000))
		l.peer.Pause(false)
		e := l.any(t)
		for ; e.call != "gone"; e = l.any(t) {
			require.Equal(t, "written", e.call)
		}
		require.Equal(t, GoneLeft, e.how)
	}
	eventually(t, "the connections are gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
}

func TestAPanicEndsItsConnectionOnly(t *testing.T) {
	for _, where := range []string{"message", "written", "ping"} {
		t.Run(where, func(t *testing.T) {
			h, f := newWS(t, Config{PingInterval: 1})
			f.on = func(e linkEvent) {
				if e.call == where {
					panic("on purpose")
				}
			}
			s := serveWSOver(t, h, false)
			c := dial(t, s, "?client_id=a")
			l := f.link(t)
			switch where {
			case "message":
				c.text(`{"type":"pong"}`)
			case "written":
				l.peer.Write(pieces(1, 150, 60000)) // more than the kernel takes at once: else the client hears of it by the call's result
			}
			read := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, c.br)
				read <- err
			}()
			for e := l.any(t); e.call != "gone"; e = l.any(t) {
				require.NotEqual(t, where, e.call)
			}
			eventually(t, "the connection is gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
			require.EqualValues(t, 1, h.sys.Counters().Panics.Load())
			err := <-read
			require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%v", err)
		})
	}
}

func TestStopAndRestartRequestsAreCloses(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	for request, code := range map[any]protocol.CloseCode{
		actors.StopRequest{}:    protocol.CloseGoingAway,
		actors.RestartRequest{}: protocol.CloseClientRestarted,
	} {
		c := dial(t, s, "?client_id=a")
		l := f.link(t)
		peer := l.peer.(toldPeer).Peer.(*conn)
		peer.Tell(peer, request)
		c.expectClose(code)
		c.answer(code)
		require.Equal(t, GoneLost, l.next(t, "gone").how)
	}
}
