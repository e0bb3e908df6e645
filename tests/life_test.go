package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP28_AnIdleClientIsReapedAndTheNextLifeHasANewEpoch(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "500ms", "--client-ttl", "500ms", "--janitor-interval", "500ms")
	kept := s.attach("kept")
	kept.until("replay_end")
	first := s.publishN("gone", 5, 5, 0)
	require.Eventually(t, func() bool { return s.do("GET", "/v1/clients/gone", nil).status == 404 }, patience, 100*time.Millisecond)
	require.Equal(t, 1, s.state("kept").Connections, "one with a connection is never reaped")
	require.NotZero(t, s.metric("restante_clients_reaped_total"))
	c := s.attach("gone", "since", fmt.Sprintf("%s:%d", first.Epoch, first.Seq))
	require.Equal(t, protocol.ReasonEpoch, c.hello.Reason)
	require.NotEqual(t, first.Epoch, c.hello.Epoch)
	require.Zero(t, c.hello.Head)
	c.liveOnce("gone")
	kept.liveOnce("kept")
}

func TestP28_TheTTLIsNeverBelowTheAgeBound(t *testing.T) {
	t.Parallel()
	s := serve(t, "--client-ttl", "100ms") // max-age stays 24 h
	s.publish("a", `{"type":"x"}`)
	wait := time.NewTimer(500 * time.Millisecond)
	<-wait.C
	require.Equal(t, 200, s.do("POST", "/v1/janitor/sweep", nil).status)
	require.EqualValues(t, 1, s.state("a").Frames)
}

func TestP28_DeleteForgetsEverything(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a, b := s.attach("x"), s.attach("x")
	s.publishN("x", 10, 10, 0)
	a.upTo(10)
	b.upTo(10)
	b.cut()
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/x", nil).status)
	a.closed(protocol.CloseClientDeleted)
	require.Equal(t, 404, s.do("GET", "/v1/clients/x", nil).status)
	require.Equal(t, 404, s.do("DELETE", "/v1/clients/x", nil).status)
	back := s.attach("x", "since", a.cursor())
	require.Equal(t, protocol.ReasonEpoch, back.hello.Reason)
	require.Zero(t, lost(s.state("x")))
	back.liveOnce("x")
}

// lives follows the receipts of one publisher that waits for each answer: within an epoch its seqs are dense from 1, and
// no epoch comes twice.
type lives struct {
	epoch string
	seq   uint64
	seen  map[string]bool
}

func (l *lives) receipt(p protocol.Published) error {
	if p.Epoch != l.epoch {
		if l.seen[p.Epoch] {
			return fmt.Errorf("the epoch %s came twice", p.Epoch)
		}
		l.seen[p.Epoch] = true
		l.epoch, l.seq = p.Epoch, 0
	}
	if p.FirstSeq != l.seq+1 {
		return fmt.Errorf("after %s:%d came a receipt for %d", l.epoch, l.seq, p.FirstSeq)
	}
	l.seq = p.Seq
	return nil
}

// race ends lives of 8 clients as fast as it can by end, while each has a publisher; attaches come and go meanwhile.
func raceEnds(t *testing.T, s *server, end func(ctx context.Context, id string) error) (epochs int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	var wg sync.WaitGroup
	failures := make(chan error, 64)
	var count atomic.Int64
	run := func(f func() error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil && ctx.Err() == nil {
					failures <- err
					return
				}
			}
		})
	}
	for n := range 8 {
		id := fmt.Sprintf("c%d", n)
		l := &lives{seen: map[string]bool{}}
		run(func() error {
			p, err := s.tryPublish(ctx, id, `{"type":"a"}`, `{"type":"b"}`)
			if err == nil {
				err = l.receipt(p)
				count.Store(max(count.Load(), int64(len(l.seen))))
			}
			return err
		})
		if n%2 == 0 {
			run(func() error { return attachOnce(ctx, s.endpoint, id) })
		}
	}
	run(func() error {
		for n := range 8 {
			if err := end(ctx, fmt.Sprintf("c%d", n)); err != nil {
				return err
			}
		}
		return nil
	})
	wg.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	return int(count.Load())
}

// attachOnce attaches, reads a little, and leaves: it is served, whatever happens to the client meanwhile.
func attachOnce(ctx context.Context, e *endpoint, id string) error {
	c, err := e.upgrade(dialing{query: query(id)})
	if err != nil {
		return err
	}
	defer c.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close() })()
	for n := range 5 {
		ev, err := c.read()
		switch {
		case err != nil:
			return fmt.Errorf("an attach during a reap or delete: %w", err)
		case n == 0 && (ev.msg == nil || ev.msg.Type != "hello"):
			return fmt.Errorf("the first frame is no hello: %s", ev.data)
		case ev.op == ws.OpClose && ev.code == ws.StatusCode(protocol.CloseClientDeleted):
			return nil
		case ev.op == ws.OpClose:
			return fmt.Errorf("closed with %d %s", ev.code, ev.reason)
		}
	}
	return nil
}

func TestP28_TheJanitorAgainstAConcurrentPublishAndAttach(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "1ms", "--client-ttl", "1ms", "--resume-window", "1ms")
	epochs := raceEnds(t, s, func(ctx context.Context, _ string) error {
		r, err := s.try(ctx, "POST", "/v1/janitor/sweep", nil)
		if err == nil && r.status != 200 {
			err = fmt.Errorf("sweep: %s", r)
		}
		return err
	})
	require.Greater(t, epochs, 1, "no client was ever reaped: this test has tested nothing")
	c := s.attach("c1")
	c.liveOnce("c1")
}

func TestP28_DeleteAgainstAConcurrentPublishAndAttach(t *testing.T) {
	t.Parallel()
	s := serve(t)
	epochs := raceEnds(t, s, func(ctx context.Context, id string) error {
		r, err := s.try(ctx, "DELETE", "/v1/clients/"+id, nil)
		if err == nil && r.status != 204 && r.status != 404 {
			err = fmt.Errorf("delete: %s", r)
		}
		return err
	})
	require.Greater(t, epochs, 5)
	c := s.attach("c1")
	c.liveOnce("c1")
}

func TestP28_ASendMeetsTheNextLife(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("sender")
	c.until("replay_end")
	epochs := map[string]bool{}
	for n := range 60 {
		gone := make(chan error, 1)
		go func() {
			_, err := s.try(t.Context(), "DELETE", "/v1/clients/target", nil)
			gone <- err
		}()
		c.send(`{"type":"send","id":"s%d","to":"target","frame":{"type":"x"}}`, n)
		r := c.mustReceipt()
		require.Equal(t, "stored", r.Status)
		epochs[r.Epoch] = true
		require.NoError(t, <-gone)
	}
	require.Greater(t, len(epochs), 10)
	c.liveOnce("sender")
}

func TestP28_TheSweepReportsWhatItDid(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "50ms", "--client-ttl", "50ms", "--janitor-interval", "1h")
	for n := range 20 {
		s.publish(fmt.Sprintf("idle%d", n), `{"type":"x"}`)
	}
	for n := range 5 {
		s.attach(fmt.Sprintf("busy%d", n))
	}
	wait := time.NewTimer(300 * time.Millisecond)
	<-wait.C
	var report protocol.Sweep
	r := s.do("POST", "/v1/janitor/sweep", nil)
	require.NoError(t, json.Unmarshal(r.body, &report), r)
	require.Equal(t, 20, report.Reaped)
	require.Equal(t, 5, report.Kept)
	require.Equal(t, 25, report.Clients)
	require.Len(t, get[protocol.List](s.endpoint, "/v1/clients").Clients, 5)
}

func TestP28_LateMailOfTheOldLifeBeginsNoNewOne(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for n := range 100 {
		id := fmt.Sprintf("c%d", n)
		a, b := s.attach(id), s.attach(id)
		s.publishN(id, 5, 5, 0)
		if n%2 == 0 {
			_ = b.text(`{"type":"ack","seq":1}`)
		}
		b.cut() // its last word, and its messages, are on their way
		require.Equal(t, 204, s.do("DELETE", "/v1/clients/"+id, nil).status)
		require.Equal(t, 404, s.do("GET", "/v1/clients/"+id, nil).status, "deleted, and nobody has used it since: round %d", n)
		_ = a.conn.Close()
	}
	require.Empty(t, get[protocol.List](s.endpoint, "/v1/clients").Clients)
	require.Equal(t, 100., s.metric("restante_clients_created_total"))
}
