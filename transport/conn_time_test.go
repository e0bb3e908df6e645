package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// These tests run on a clock of their own, over net.Pipe: what takes a minute takes no time, and nothing is left to chance.

// piped attaches a connection over a pipe, whose writes wait until the other end reads.
func piped(t testing.TB, h *Handler, f *wsFake, g Grant) (*wsClient, *fakeLink) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	c := newConn(h, server, nil, "conn-1", h.cfg.PingInterval, g)
	require.True(t, h.conns.add(c))
	c.Tell(c, evStart)
	h.reg.Attach("a", Attach{}, c)
	return &wsClient{t: t, nc: client, br: bufio.NewReader(client)}, f.link(t)
}

// since returns how long ago start was, in whole seconds.
func since(start time.Time) int { return int(time.Since(start) / time.Second) }

// tick is how late a deadline may be kept.
const tick = actors.DefaultTick

// within checks that the time from start is that of a deadline at d.
func within(t testing.TB, d time.Duration, start time.Time) {
	t.Helper()
	require.GreaterOrEqual(t, time.Since(start), d)
	require.LessOrEqual(t, time.Since(start), d+tick)
}

func TestP16_PingsComeAtTheirIntervalAndSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, ProtocolPings: true}, tick)
		c, l := piped(t, h, f, Grant{})
		start := time.Now()
		l.nextButPings(t, "ping")
		op, payload := c.frame()
		require.Equal(t, opPing, op)
		require.Empty(t, payload)
		require.LessOrEqual(t, time.Since(start), 25*time.Second+tick)
		first := time.Now()
		for i := range 5 {
			c.raw(masked(true, opPong, nil))
			l.nextButPings(t, "ping")
			c.frame()
			require.InDelta(t, float64(i+1)*25, time.Since(first).Seconds(), 1, "the interval does not drift")
		}
		require.Zero(t, closedBy(h, protocol.CloseHeartbeatTimeout))
	})
}

func TestP16_FirstPingsAreSpreadOverTheInterval(t *testing.T) {
	const n, interval = 10000, 25 * time.Second
	var perSecond [25]int
	for range n {
		d := firstPing(interval)
		require.Positive(t, d)
		require.LessOrEqual(t, d, interval)
		perSecond[(d-1)/time.Second]++
	}
	for _, k := range perSecond {
		require.InDelta(t, n/25, k, n/25/2)
	}
}

func TestP16_OnlyOneRFCPingIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 2 * time.Second, ProtocolPings: true, WriteTimeout: -1}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Write(pieces(1, 1, 100)) // nobody reads it, so that nothing else is written
		for range 6 {
			c.raw(masked(true, opPong, nil))
			l.nextButPings(t, "ping")
		}
		c.frame()
		l.next(t, "written")
		op, _ := c.frame()
		require.Equal(t, opPing, op)
		synctest.Wait()
		require.EqualValues(t, 5, dropped(h, actors.DropPing))
	})
}

func TestP17_SilenceEndsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, PongTimeout: 35 * time.Second}, tick)
		c, l := piped(t, h, f, Grant{})
		time.Sleep(50 * time.Second)
		c.raw(masked(true, opPong, []byte("x"))[:1]) // any byte shows life
		start := time.Now()
		c.raw(masked(true, opPong, []byte("x"))[1:])
		c.expectClose(protocol.CloseHeartbeatTimeout)
		within(t, 60*time.Second, start)
		c.raw(maskedClose(4000, ""))
		l.end(t, GoneLost)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseHeartbeatTimeout))
	})
}

func TestP17_SilenceDoesNotCountWhileTheServerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, PongTimeout: 35 * time.Second}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Pause(true)
		go func() { _, _ = c.nc.Write(masked(true, opText, []byte(`{"type":"pong"}`))) }()
		time.Sleep(10 * time.Minute)
		l.peer.Pause(false)
		start := time.Now()
		c.expectClose(protocol.CloseHeartbeatTimeout)
		within(t, 60*time.Second, start)
	})
}

func TestP17_WithoutPingsThereIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: -1}, tick)
		c, l := piped(t, h, f, Grant{})
		time.Sleep(24 * time.Hour)
		c.text(`{"type":"pong"}`)
		l.next(t, "message")
		l.none(t)
	})
}

func TestP17_AMessageHasItsTime(t *testing.T) {
	whole := masked(true, opText, []byte(`{"type":"pong"}`))
	for name, begun := range map[string][]byte{
		"a header": whole[:1], "a payload": whole[:9], "a fragment": masked(false, opText, []byte("{")), "a control frame": masked(true, opPing, []byte("x"))[:2],
		"a second message": join(whole, whole[:1]),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := newWSTick(t, Config{PingInterval: 300 * time.Second}, tick)
				c, _ := piped(t, h, f, Grant{})
				time.Sleep(7 * time.Second)
				start := time.Now()
				c.raw(begun)
				c.expectClose(protocol.CloseHeartbeatTimeout)
				within(t, 30*time.Second, start)
			})
		})
	}
}

func TestP17_AByteAMinuteInsideAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, PongTimeout: 120 * time.Second}, tick)
		c, l := piped(t, h, f, Grant{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, b := range masked(true, opText, []byte(`{"type":"pong"}`)) {
				if _, err := c.nc.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Minute)
			}
		}()
		start := time.Now()
		c.expectClose(protocol.CloseHeartbeatTimeout)
		within(t, 30*time.Second, start)
		_ = c.nc.Close()
		<-done
		l.end(t, GoneLost)
	})
}

func TestP17_MessagesThatOverlapEachHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, PongTimeout: 120 * time.Second}, tick)
		c, l := piped(t, h, f, Grant{})
		// The end of each message comes with the beginning of the next, 20 s apart: never idle, and never late.
		whole := masked(true, opText, []byte(`{"type":"pong"}`))
		c.raw(whole[:5])
		for range 20 {
			time.Sleep(20 * time.Second)
			c.raw(join(whole[5:], whole[:5]))
		}
		synctest.Wait()
		require.Zero(t, closedBy(h, protocol.CloseHeartbeatTimeout))
		for range 20 {
			l.nextButPings(t, "message")
		}
	})
}

func TestP17_AMessageIsNotTimedWhileTheServerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: -1}, tick)
		c, l := piped(t, h, f, Grant{})
		whole := masked(true, opText, []byte(`{"type":"pong"}`))
		c.raw(whole[:5])
		synctest.Wait()
		l.peer.Pause(true)
		go func() { _, _ = c.nc.Write(whole[5:7]) }() // the reader takes it, and stops
		time.Sleep(10 * time.Minute)
		l.peer.Pause(false)
		start := time.Now()
		c.expectClose(protocol.CloseHeartbeatTimeout)
		within(t, 30*time.Second, start)
		l.end(t, GoneLost)
	})
}

func TestP17_AHandshakeHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		f.onAttach = func(*fakeLink) {}
		c, l := piped(t, h, f, Grant{})
		start := time.Now()
		c.expectClose(protocol.CloseHeartbeatTimeout)
		within(t, 10*time.Second, start)
		synctest.Wait()
		l.none(t)
		l.peer.Attached(l)
		l.end(t, GoneLost)
		l.peer.Refused(protocol.Piece{}, protocol.CloseDraining)
	})
}

func TestP25_AConnectionEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		start := time.Now()
		c, l := piped(t, h, f, Grant{Expires: start.Add(90 * time.Second)})
		c.expectClose(protocol.CloseTokenExpired)
		within(t, 90*time.Second, start)
		c.raw(maskedClose(1000, ""))
		l.end(t, GoneLost)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseTokenExpired))
	})
}

func TestP22_AnAnswerToTheCloseIsAwaitedForItsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Close(protocol.CloseReplaced)
		c.expectClose(protocol.CloseReplaced)
		start := time.Now()
		sent := 0
		for { // a peer that goes on talking, also in one message without end
			if _, err := c.nc.Write(masked(sent == 0, opText, make([]byte, 60000))); err != nil {
				break
			}
			sent++
			time.Sleep(100 * time.Millisecond)
		}
		within(t, closeTimeout, start)
		require.Greater(t, sent, 40)
		l.end(t, GoneLost)
		synctest.Wait()
		require.InDelta(t, sent, dropped(h, actors.DropInput), 1, "the last one may have been cut")
		require.Zero(t, h.sys.Counters().Connections.Load())
		require.EqualValues(t, 1, closedBy(h, protocol.CloseReplaced))
	})
}

func TestP27_AWriteWithoutProgressEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Write(pieces(1, 3, 30000))
		c.frame() // one frame is taken, then nothing more
		start := time.Now()
		l.end(t, GoneLost)
		within(t, 10*time.Second, start)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseSlowConsumer))
		require.EqualValues(t, 3, h.sys.Counters().Delivered.Load()+dropped(h, actors.DropUnsent))
		require.Positive(t, dropped(h, actors.DropUnsent))
	})
}

func TestP27_ASlowReaderWithProgressStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		batch := pieces(1, 4, 30000)
		l.peer.Write(batch)
		start := time.Now()
		for range 4 * 30000 / 8200 {
			time.Sleep(4 * time.Second) // two parts of a write within its patience
			_, err := io.ReadFull(c.br, make([]byte, 8200))
			require.NoError(t, err)
		}
		go func() { _, _ = io.Copy(io.Discard, c.br) }()
		l.nextButPings(t, "written")
		require.Greater(t, since(start), 50)
		require.EqualValues(t, 4, h.sys.Counters().Delivered.Load())
	})
}

func TestP15_ACloseDoesNotWaitForAWriteThatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		_, l := piped(t, h, f, Grant{})
		l.peer.Write(pieces(1, 2, 100))
		time.Sleep(5 * time.Second)
		start := time.Now()
		l.peer.Close(protocol.CloseReplaced)
		l.end(t, GoneLost)
		within(t, closeStall, start)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseReplaced))
		require.EqualValues(t, 2, dropped(h, actors.DropUnsent))
	})
}

func TestACloseWaitsForAWriteThatDoesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Write(pieces(1, 4, 20000))
		l.peer.Close(protocol.CloseReplaced)
		for range 4 {
			time.Sleep(1500 * time.Millisecond)
			op, _ := c.frame()
			require.Equal(t, opText, op)
		}
		l.next(t, "written")
		c.expectClose(protocol.CloseReplaced)
		c.raw(maskedClose(4500, ""))
		l.end(t, GoneLost)
	})
}

func TestTheClientsCloseIsNotHeldUpByAWriteThatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Write(pieces(1, 2, 100))
		c.raw(maskedClose(1000, ""))
		start := time.Now()
		l.end(t, GoneLeft)
		within(t, closeStall, start)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseNormal))
	})
}

func TestCloseAllGivesAConnectionThatIsNoBareSocketAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		_, l := piped(t, h, f, Grant{})
		synctest.Wait()
		start := time.Now()
		h.CloseAll()
		l.end(t, GoneLost)
		within(t, closeStall, start)
		require.EqualValues(t, 1, closedBy(h, protocol.CloseGoingAway))
	})
}

// spoilt is a socket whose write fails while its reads go on.
type spoilt struct{ net.Conn }

func (spoilt) Write([]byte) (int, error) { return 0, errors.New("spoilt") }

func TestAfterAFailedWriteWhatWasReceivedIsStillRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		for name, end := range map[string]struct {
			say   []byte
			how   Gone
			after time.Duration
		}{
			"it has left":     {join(masked(true, opText, []byte(`{"type":"ack","seq":3}`)), maskedClose(1000, "")), GoneLeft, 0},
			"it says no more": {masked(true, opText, []byte(`{"type":"ack","seq":3}`)), GoneLost, closeStall},
		} {
			client, server := net.Pipe()
			c := newConn(h, spoilt{server}, nil, name, -1, Grant{})
			require.True(t, h.conns.add(c))
			c.Tell(c, evStart)
			h.reg.Attach("a", Attach{}, c)
			l := f.link(t)
			start := time.Now()
			l.peer.Write(pieces(1, 2, 100))
			synctest.Wait()
			_, err := client.Write(end.say)
			require.NoError(t, err)
			require.EqualValues(t, 3, l.nextButPings(t, "message").m.Seq)
			l.end(t, end.how)
			within(t, end.after, start)
			_ = client.Close()
		}
		require.EqualValues(t, 4, dropped(h, actors.DropUnsent))
	})
}

// nextButPings is next among the pings, which come when they come.
func (l *fakeLink) nextButPings(t testing.TB, call string) linkEvent {
	t.Helper()
	e := <-l.events
	for e.call == "ping" && call != "ping" {
		e = <-l.events
	}
	require.Equal(t, call, e.call, "%+v", e)
	return e
}

// end waits for the end, past pings, and checks that nothing follows it.
func (l *fakeLink) end(t testing.TB, how Gone) {
	t.Helper()
	require.Equal(t, how, l.nextButPings(t, "gone").how)
	synctest.Wait()
	l.none(t)
	require.Empty(t, l.late)
}
