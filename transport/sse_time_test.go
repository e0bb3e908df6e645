package transport

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// begun is a stream over a pipe, with hello read.
func begun(t testing.TB, h *Handler, f *wsFake) (*sseClient, *fakeLink) {
	t.Helper()
	f.onAttach = func(l *fakeLink) {
		l.peer.Attached(l)
		l.peer.Write([]protocol.Piece{hello})
	}
	c := getEvents(t, servePipes(t, h)(), "a/events")
	l := f.link(t)
	require.Equal(t, "hello", c.next().name)
	l.next(t, "written")
	return c, l
}

func TestSSE_ASilentStreamHasComments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{PingInterval: 25 * time.Second}, tick)
		start := time.Now()
		c, l := begun(t, h, f)
		require.Equal(t, sseEvent{comment: ":"}, c.next())
		require.LessOrEqual(t, time.Since(start), 25*time.Second, "the first comes within the interval")
		start = time.Now()
		for i := range 200 {
			require.Equal(t, sseEvent{comment: ":"}, c.next())
			require.Equal(t, 25*(i+1), since(start))
		}
		l.none(t) // the comment asks for no ping
		l.peer.Write(pieces(1, 1, 10))
		require.Equal(t, "e1:1", c.next().id)
	})
}

func TestSSE_AReaderThatReadsNothingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{WriteTimeout: 10 * time.Second}, tick)
		_, l := begun(t, h, f)
		start := time.Now()
		l.peer.Write(pieces(1, 3, 10))
		require.Equal(t, GoneLost, l.next(t, "gone").how)
		require.Equal(t, 10*time.Second, time.Since(start))
		require.EqualValues(t, 1, closedBy(h, protocol.CloseSlowConsumer))
		require.EqualValues(t, 3, dropped(h, actors.DropUnsent))
		require.Zero(t, h.sys.Counters().Delivered.Load())
		l.none(t)
	})
}

func TestSSE_ASlowReaderThatMovesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{WriteTimeout: 10 * time.Second}, tick)
		c, l := begun(t, h, f)
		l.peer.Write(pieces(1, 6, 16<<10))
		for seq := range 6 {
			time.Sleep(9 * time.Second)
			require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: uint64(seq) + 1}.String(), c.next().id)
		}
		l.next(t, "written")
	})
}

func TestSSE_TheEndOfAGrantEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h, f := newWSTick(t, Config{Authorize: func(*http.Request) (Grant, error) {
			return Grant{Expires: start.Add(time.Minute)}, nil
		}}, tick)
		c, l := begun(t, h, f)
		c.closed(protocol.CloseTokenExpired, soon)
		require.Equal(t, 60, since(start))
		require.Equal(t, GoneLost, l.next(t, "gone").how)
	})
}

func TestSSE_AnAttachThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{HandshakeTimeout: 10 * time.Second}, tick)
		f.onAttach = func(*fakeLink) {}
		start := time.Now()
		c := getEvents(t, servePipes(t, h)(), "a/events")
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, http.StatusOK, c.res.StatusCode)
		require.Equal(t, "error", c.next().name)
		c.closed(protocol.CloseOverloaded, soon)
		require.NoError(t, waitNone(t, h))
		l := f.link(t)
		l.peer.Attached(l)
		require.Equal(t, GoneLost, l.next(t, "gone").how)
	})
}

// A write that is stuck may not hold up the end, whatever the write timeout is.
func TestSSE_TheEndDoesNotWaitForAStuckReader(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*Handler, *fakeLink)
		within time.Duration
	}{
		"close all": {func(h *Handler, _ *fakeLink) { h.CloseAll() }, closeStall},
		"close":     {func(_ *Handler, l *fakeLink) { l.peer.Close(protocol.CloseReplaced) }, closeWrite + closeStall},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := newWSTick(t, Config{WriteTimeout: -1}, tick)
				_, l := begun(t, h, f)
				l.peer.Write(pieces(1, 3, 10))
				time.Sleep(time.Hour)
				l.none(t)
				start := time.Now()
				c.end(h, l)
				l.next(t, "gone")
				require.Equal(t, c.within, time.Since(start))
				require.Zero(t, closedBy(h, protocol.CloseSlowConsumer))
				require.NoError(t, waitNone(t, h))
			})
		})
	}
}

func TestSSE_ClosingAllTellsAReaderThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newWSTick(t, Config{WriteTimeout: -1}, tick)
		c, _ := begun(t, h, f)
		start := time.Now()
		h.CloseAll()
		require.Equal(t, "close", c.next().name)
		_, err := c.read()
		require.ErrorIs(t, err, io.EOF)
		require.Zero(t, time.Since(start))
	})
}
