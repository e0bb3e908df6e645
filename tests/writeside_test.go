package tests

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// flood fills up the way to a stuck peer, so that replies have to wait, and writes pings until the server does not take
// them any more; the last one goes on in the background of the reading that follows. It returns how many were begun.
func (s *socket) flood(t *testing.T, id string) (begun int) {
	t.Helper()
	s.e.publishN(id, 60, 10, 30_000)
	require.NoError(t, s.conn.SetWriteBuffer(16<<10))
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"type":"ping","pad":"` + strings.Repeat("x", 30_000) + `"}`))))
	for {
		require.Less(t, begun, 3000, "90 MB of pings taken, and not one answer read: reading never stops")
		require.NoError(t, s.conn.SetWriteDeadline(time.Now().Add(2*time.Second)))
		n, err := s.conn.Write(frame)
		begun++
		if err == nil {
			continue
		}
		require.True(t, errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
		rest := frame[n:]
		go func() { _ = s.raw(rest) }()
		return begun
	}
}

// drainPongs reads until n pongs have come.
func (s *socket) drainPongs(t *testing.T, n int) {
	t.Helper()
	for got := 0; got < n; {
		m := s.next()
		if m.Type == "pong" && m.Seq == 0 {
			got++
		}
	}
}

func TestP27_WhileRepliesWaitTheServerStopsReading(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "60s")
	c, other := s.stuck("a"), s.attach("b")
	n := c.flood(t, "a")
	other.liveOnce("b")
	c.drainPongs(t, n) // every one is answered, none twice
	c.liveOnce("a")
}

func TestP27_RepliesGoBeforeTheNextBatch(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "60s")
	c := s.stuck("a")
	s.publishN("a", 200, 10, 16<<10) // 3.2 MB, of which its kernel takes less than 1
	for range 10 {
		c.send(`{"type":"ping"}`)
	}
	c.send(`{"type":"send","id":"1","to":"witness","frame":{"type":"x"}}`)
	s.eventually("witness", "told", func(st protocol.State) bool { return st.Head == 1 })
	pongs, at := 0, uint64(0)
	for c.last < 200 {
		m := c.next()
		if m.Seq == 0 && m.Type == "pong" {
			pongs++
			at = c.last
		}
	}
	require.Equal(t, 10, pongs)
	require.Less(t, at, uint64(120), "the pongs waited for the whole backlog")
	c.liveOnce("a")
}

func TestP27_ThreeHundredFramesToAPeerThatIsNotReadingYet(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.stuck("a")
	for n := range 300 {
		s.publish("a", numbered(n+1, 2000))
	}
	frames := c.upTo(300)
	require.Len(t, frames, 300)
	for i, f := range frames {
		require.Equal(t, i+1, f.N)
	}
	c.liveOnce("a")
}

func TestP27_APeerThatNeverReadsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	never, brother, other := s.stuck("a"), s.attach("a"), s.attach("b")
	s.publishN("a", 1000, 100, 3000)
	require.Len(t, brother.upTo(1000), 1000, "the same client's other connection")
	s.publishN("b", 100, 100, 100)
	require.Len(t, other.upTo(100), 100, "another client")
	at := s.state("a").Attachments[0]
	require.Equal(t, never.hello.ConnectionID, at.ConnectionID)
	require.Less(t, at.Cursor, uint64(1000), "both have everything while the first is still stuck")
	require.Len(t, never.upTo(1000), 1000, "and it loses nothing by it")
	never.liveOnce("a")
	brother.upTo(never.last)
	other.liveOnce("b")
}

func TestP27_AWriteWithoutProgressEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "1s")
	c, other := s.stuck("a"), s.attach("a")
	s.publishN("a", 600, 60, 5000)
	require.Len(t, other.upTo(600), 600)
	st := s.eventually("a", "rid of the stuck peer", func(st protocol.State) bool { return st.Connections == 1 })
	require.Equal(t, 1, lost(st), "it comes back: its place is held")
	// It may read the rest of what the kernel held, then 4001, or a reset where no close frame could be written.
	for {
		ev, err := c.read()
		if err != nil {
			require.True(t, isEnd(err), "%v", err)
			break
		}
		if ev.op == ws.OpClose {
			require.EqualValues(t, protocol.CloseSlowConsumer, ev.code)
		}
	}
	require.Less(t, c.last, uint64(600))
	back := s.attach("a", "since", c.cursor())
	require.Equal(t, protocol.ResumeReplay, back.hello.Resume)
	require.Len(t, back.upTo(600), 600-int(c.last))
	back.liveOnce("a")
	other.upTo(back.last)
	require.NotZero(t, s.metric("restante_closed_total", `"slow_consumer"`)+s.metric("restante_closed_total", `"unknown"`))
}

func TestP27_AWriteWithProgressIsNotCut(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "2s")
	c := s.attachWith(dialing{query: query("a"), receive: 64 << 10})
	s.publishN("a", 250, 10, 16<<10)
	// A frame every 30 ms: it takes several times the write timeout in all.
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for c.last < 250 {
		<-tick.C
		m := c.next()
		require.True(t, m.Seq > 0 || m.Type == "replay_end", m.Raw)
	}
	c.liveOnce("a")
}

func TestP27_ABigFrameGoesInOnePiece(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.stuck("a")
	for n := range 5 {
		s.publish("a", numbered(n+1, protocol.DefaultMaxFrameBytes))
	}
	for n, f := range c.upTo(5) {
		require.Equal(t, fmt.Sprintf(`{"seq":%d,`, n+1)+numbered(n+1, protocol.DefaultMaxFrameBytes)[1:], f.Raw)
	}
	c.liveOnce("a")
}
