package transport

import (
	"bufio"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

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
		require.Equal(t, ws.OpPing, op)
		require.Empty(t, payload)
		require.LessOrEqual(t, time.Since(start), 25*time.Second+tick)
		first := time.Now()
		for i := range 5 {
			c.raw(masked(true, ws.OpPong, nil))
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
			c.raw(masked(true, ws.OpPong, nil))
			l.nextButPings(t, "ping")
		}
		c.frame()
		l.next(t, "written")
		op, _ := c.frame()
		require.Equal(t, ws.OpPing, op)
		synctest.Wait()
		require.EqualValues(t, 5, dropped(h, actors.DropPing))
	})
}

func TestP17_SilenceEndsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second, PongTimeout: 35 * time.Second}, tick)
		c, l := piped(t, h, f, Grant{})
		time.Sleep(50 * time.Second)
		c.raw(masked(true, ws.OpPong, []byte("x"))[:1]) // any byte shows life
		start := time.Now()
		c.raw(masked(true, ws.OpPong, []byte("x"))[1:])
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
		go func() { _, _ = c.nc.Write(masked(true, ws.OpText, []byte(`{"type":"pong"}`))) }()
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
	whole := masked(true, ws.OpText, []byte(`{"type":"pong"}`))
	for name, begun := range map[string][]byte{
		"a header": whole[:1], "a payload": whole[:9], "a fragment": masked(false, ws.OpText, []byte("{")), "a control frame": masked(true, ws.OpPing, []byte("x"))[:2],
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
			for _, b := range masked(true, ws.OpText, []byte(`{"type":"pong"}`)) {
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
		whole := masked(true, ws.OpText, []byte(`{"type":"pong"}`))
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
		whole := masked(true, ws.OpText, []byte(`{"type":"pong"}`))
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
