package tests

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP8_PublishedWhileNobodyIsAttached(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for n := range 50 {
		s.publish("a", numbered(n+1, 100))
	}
	c := s.attach("a")
	require.Equal(t, protocol.ResumeFresh, c.hello.Resume)
	frames, end := c.until("replay_end")
	require.Len(t, frames, 50)
	require.EqualValues(t, 50, end.At)
	for i, f := range frames {
		require.Equal(t, i+1, f.N)
	}
	c.liveOnce("a")
	c.cut()
	s.publishN("a", 50, 10, 100)
	back := s.attach("a", "since", c.cursor())
	require.Equal(t, protocol.ResumeReplay, back.hello.Resume)
	frames, _ = back.until("replay_end")
	require.Len(t, frames, 50)
	back.liveOnce("a")
}

func TestP8_CutInTheMiddleOfAReplay(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const total = 1500
	s.publishN("a", total, 100, 1000)
	cursor, n, cuts := "", 0, 0
	for done := false; !done; cuts++ {
		d := dialing{query: query("a"), receive: 4 << 10}
		if cursor != "" {
			d.query.Set("since", cursor)
		}
		c := s.attachWith(d)
		for range 200 + 37*cuts {
			m := c.next()
			if m.Type == "replay_end" && m.Seq == 0 {
				require.EqualValues(t, total, c.last)
				c.liveOnce("a")
				done = true
				break
			}
			n++
			require.Equal(t, n, m.N)
		}
		if cursor = c.cursor(); !done {
			// In mid-frame: a part of the next header or body has been read, or none.
			_, err := io.CopyN(io.Discard, c.br, int64(cuts*211))
			require.NoError(t, err)
			c.cut()
		}
	}
	require.Equal(t, total, n)
	require.Greater(t, cuts, 3)
}

func TestP8_FullSpeedAcrossTheAttachBoundary(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var stop atomic.Bool
	done := make(chan error, 1)
	var sent atomic.Uint64
	go func() {
		for n := 0; !stop.Load(); n += 5 {
			batch := make([]string, 5)
			for i := range batch {
				batch[i] = numbered(n+i+1, 120)
			}
			p, err := s.tryPublish(t.Context(), "a", batch...)
			if err != nil {
				done <- err
				return
			}
			sent.Store(p.Seq)
		}
		done <- nil
	}()
	cursor, got := "", uint64(0)
	for i := range 25 {
		var q []string
		if cursor != "" {
			q = []string{"since", cursor}
		}
		c := s.attach("a", q...)
		head := c.hello.Head
		end := false
		for live := 0; live < 20+i; {
			m := c.next()
			if m.Seq == 0 {
				require.Equal(t, "replay_end", m.Type, m.Raw)
				require.Equal(t, head, m.At, "replay_end names the boundary of hello")
				require.Equal(t, head, c.last, "the gap is complete before replay_end")
				end = true
				continue
			}
			require.EqualValues(t, m.Seq, m.N, "the n-th frame is the n-th published")
			require.Equal(t, got+1, m.Seq, "across reconnects too")
			got = m.Seq
			if m.Seq > head {
				require.True(t, end || c.hello.Resume == protocol.ResumeUpToDate, "a live frame before replay_end: %s", m.Raw)
				live++
			}
		}
		cursor = c.cursor()
		c.cut()
	}
	stop.Store(true)
	require.NoError(t, <-done)
	c := s.attach("a", "since", cursor)
	c.upTo(sent.Load())
	c.liveOnce("a")
}

func TestP8_PrunedUnderASlowReplay(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "200", "--max-outbox-bytes", "64MiB")
	s.publishN("a", 200, 5, 16<<10)
	c := s.stuck("a")
	s.publishN("a", 200, 5, 16<<10) // every frame of the first round is pruned
	require.EqualValues(t, 200, s.state("a").Floor)
	before := c.closed(protocol.CloseSlowConsumer) // read has held what came to P-3: no hole
	require.Less(t, c.last, uint64(200))
	for _, m := range before {
		require.NotZero(t, m.Seq, "only frames before the close, and no replay_end: %.100s", m.Raw)
	}
	require.NotZero(t, s.metric("pruned", `reason="count"`))

	back := s.attach("a", "since", c.cursor())
	require.Equal(t, protocol.ResumeTooOld, back.hello.Resume)
	require.Equal(t, protocol.ReasonPruned, back.hello.Reason)
	require.Equal(t, 200-c.last, *back.hello.Lost)
	frames, _ := back.until("replay_end")
	require.Len(t, frames, 200)
	back.liveOnce("a")
}

func TestP8_AReplayIsWrittenInBatches(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 3000, 200, 900) // 2.7 MB
	c := s.attach("a")
	frames, end := c.until("replay_end")
	require.Len(t, frames, 3000)
	require.EqualValues(t, 3000, end.At)
	batches := s.metric("restante_batches_total")
	require.GreaterOrEqual(t, batches, 40., "2.7 MB in batches of 64 KiB")
	require.Less(t, batches, 400., "and not a write for each frame")
}

func TestP8_HTTPPagesChain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	last := s.publishN("a", 2500, 500, 600)
	cursor, n := last.Epoch+":0", 0
	for pages := 1; ; pages++ {
		p := s.page("a", "since="+cursor)
		require.LessOrEqual(t, len(p.Frames), 1000)
		for _, f := range p.Frames {
			n++
			require.Equal(t, fmt.Sprintf(`{"seq":%d,%s`, n, numbered(n, 600)[1:]), string(f))
		}
		cursor = p.Cursor
		if !p.More {
			require.Equal(t, 3, pages)
			break
		}
	}
	require.Equal(t, 2500, n)
	require.Equal(t, last.Epoch+":2500", cursor)
	require.Len(t, s.page("a", "since="+last.Epoch+":10&limit=7").Frames, 7)
	big := s.publishN("big", 40, 5, 60_000)
	p := s.page("big", "since="+big.Epoch+":0")
	require.True(t, p.More, "a page holds up to 1 MiB")
	require.Greater(t, len(p.Frames), 10)
	require.Less(t, len(p.Frames), 20)
}

func TestP8_EveryPongAndFrameSurvivesInterleaving(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	c.until("replay_end")
	for i := range 40 {
		s.publish("a", numbered(i+1, 10))
		require.NoError(t, c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(fmt.Appendf(nil, "p%d", i))))))
		c.send(`{"type":"ping"}`)
		frame, pong, reply := false, false, false
		for !frame || !pong || !reply {
			ev, err := c.read()
			require.NoError(t, err)
			switch {
			case ev.op == ws.OpPong:
				require.Equal(t, fmt.Sprintf("p%d", i), string(ev.data))
				pong = true
			case ev.msg.Seq > 0:
				require.Equal(t, i+1, ev.msg.N)
				frame = true
			default:
				require.Equal(t, "pong", ev.msg.Type)
				reply = true
			}
		}
	}
}
