package transport

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// What happens to a connection whose peer does not move, on the tests' own clock; see conn_time_test.go.

func TestP22_AnAnswerToTheCloseIsAwaitedForItsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		l.peer.Close(protocol.CloseReplaced)
		c.expectClose(protocol.CloseReplaced)
		start := time.Now()
		sent := 0
		for { // a peer that goes on talking, also in one message without end
			if _, err := c.nc.Write(masked(sent == 0, ws.OpText, make([]byte, 60000))); err != nil {
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
			require.Equal(t, ws.OpText, op)
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

func TestCloseAllWaitsForNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		start := time.Now()
		h.CloseAll()
		c.expectClose(protocol.CloseGoingAway)
		l.end(t, GoneLost)
		require.NoError(t, h.WaitConns(t.Context()))
		require.Zero(t, time.Since(start))
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
			"it has left":     {join(masked(true, ws.OpText, []byte(`{"type":"ack","seq":3}`)), maskedClose(1000, "")), GoneLeft, 0},
			"it says no more": {masked(true, ws.OpText, []byte(`{"type":"ack","seq":3}`)), GoneLost, closeStall},
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

// TestABatchWaitsForWhatIsWrittenBeforeIt: on a socket that cannot be asked without waiting, a pong or the answer to the handshake is written by a goroutine, and
// the client's batch comes meanwhile.
func TestABatchWaitsForWhatIsWrittenBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{}, tick)
		c, l := piped(t, h, f, Grant{})
		c.raw(masked(true, ws.OpPing, []byte("hear me")))
		synctest.Wait() // the pong is being written, to a peer that does not read yet
		l.peer.Write([]protocol.Piece{{Seq: 1, Body: protocol.Body(`{"type":"a"}`)}})
		synctest.Wait()
		l.none(t)
		op, payload := c.frame()
		require.Equal(t, ws.OpPong, op)
		require.Equal(t, "hear me", string(payload))
		c.expectText(`{"seq":1,"type":"a"}`)
		l.next(t, "written")
		l.peer.Write([]protocol.Piece{{Seq: 2, Body: protocol.Body(`{"type":"b"}`)}})
		c.expectText(`{"seq":2,"type":"b"}`)
		require.Zero(t, h.sys.Counters().Dropped[actors.DropUnsent].Load())
		c.leave(1000)
	})
}
