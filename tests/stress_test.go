package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// clients and publishers of the stress.
const clients, publishers = 50, 2

// tally counts the confirmed frames, per client and publisher.
type tally [clients][publishers]atomic.Int64

// of is how many frames client n has been sent; it is final once the publishers have ended.
func (s *tally) of(n int) (sum int) {
	for p := range publishers {
		sum += int(s[n][p].Load())
	}
	return sum
}

// publish runs the publishers until ctx ends; the channel is closed when the last has its last answer.
func (s *tally) publish(ctx context.Context, t *testing.T, e *endpoint, seed uint64, fail func(error)) <-chan struct{} {
	var writing sync.WaitGroup
	for p := range publishers {
		writing.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(1000+p)))
			for ctx.Err() == nil {
				c := rnd.IntN(clients)
				n := int(s[c][p].Load())
				batch := make([]string, 1+rnd.IntN(12))
				for i := range batch {
					batch[i] = work(p+1, n+i+1)
				}
				if _, err := e.tryPublish(t.Context(), fmt.Sprintf("c%d", c), batch...); err != nil {
					fail(err)
					return
				}
				s[c][p].Add(int64(len(batch)))
			}
		})
	}
	published := make(chan struct{})
	go func() { writing.Wait(); close(published) }()
	return published
}

// TestP3_FiftyClientsRandomCutsTwoPublishers is a small stress: two publishers write to fifty clients as fast as they are
// answered, and each client's socket is cut, left, half-closed or abandoned in the middle of anything, for ten seconds.
func TestP3_FiftyClientsRandomCutsTwoPublishers(t *testing.T) {
	s := serve(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	failures := make(chan error, clients+publishers)

	sent := new(tally)
	published := sent.publish(ctx, t, s.endpoint, seed, func(err error) { failures <- err; stop() })

	readers := make([]*cutReader, clients)
	var reading sync.WaitGroup
	for n := range readers {
		readers[n] = &cutReader{e: s.endpoint, id: fmt.Sprintf("c%d", n), rnd: rand.New(rand.NewPCG(seed, uint64(n)))}
		reading.Go(func() {
			if err := readers[n].run(ctx, published, func() int { return sent.of(n) }); err != nil {
				failures <- fmt.Errorf("client %s: %w", readers[n].id, err)
				stop()
			}
		})
	}
	reading.Wait()
	<-published
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	frames, cuts, duplicates := 0, 0, 0
	for n, r := range readers {
		for p := range publishers {
			require.EqualValues(t, sent[n][p].Load(), r.check.last[p+1], "client %d, publisher %d", n, p+1)
		}
		frames, cuts, duplicates = frames+r.check.frames, cuts+r.cuts, duplicates+r.check.duplicates
	}
	t.Logf("%d frames, each once and in order, over %d cuts; %d duplicates dropped", frames, cuts, duplicates)
	require.Greater(t, cuts, clients*5)
	require.Greater(t, frames, clients*10)
	require.Eventually(t, func() bool {
		return s.metric("restante_connections ") == 0 && s.metric("go_goroutines ") < 40
	}, patience, 10*pollEvery, "no connection and no goroutine is left behind: %v", s.metric("go_goroutines "))
	for n := range 5 {
		last := s.attach(readers[n].id, "since", fmt.Sprintf("%s:%d", readers[n].check.epoch, readers[n].check.cursor))
		last.liveOnce(readers[n].id)
	}
}

// cutReader reads one client through one short-lived connection after the other.
type cutReader struct {
	e     *endpoint
	id    string
	rnd   *rand.Rand
	check checker
	cuts  int
}

// run reads until everything that was published has come, and cuts itself off at random until ctx ends.
func (r *cutReader) run(ctx context.Context, published <-chan struct{}, want func() int) error {
	for {
		done := false
		select {
		case <-published:
			done = true
		default:
		}
		if done && r.check.frames >= want() && r.check.epoch != "" {
			return nil
		}
		if err := r.once(ctx.Err() != nil && done, want); err != nil {
			return err
		}
	}
}

// once is one connection. The last of them (final) stays until everything is there.
func (r *cutReader) once(final bool, want func() int) error {
	d := dialing{query: query(r.id)}
	if r.check.epoch != "" {
		// Now and then from further back than it could: what it has comes again, and is dropped.
		back := uint64(0)
		if r.rnd.IntN(4) == 0 {
			back = uint64(r.rnd.IntN(5))
		}
		d.query.Set("since", fmt.Sprintf("%s:%d", r.check.epoch, r.check.cursor-min(back, r.check.cursor-r.acked())))
	}
	if r.rnd.IntN(3) == 0 {
		d.receive = 4 << 10
	}
	c, err := r.e.upgrade(d)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	life := time.AfterFunc(time.Duration(r.rnd.IntN(400))*time.Millisecond, func() {
		if !final {
			_ = c.conn.SetLinger(0)
			_ = c.conn.Close()
		}
	})
	defer life.Stop()
	frames := r.rnd.IntN(300)
	for n := 0; final || n < frames; n++ {
		if final && r.check.epoch != "" && r.check.frames >= want() {
			break
		}
		ev, err := c.read()
		if err != nil {
			r.cuts++
			if errors.Is(err, errHole) || !isEnd(err) || final {
				return err
			}
			return nil
		}
		if ev.op == ws.OpClose {
			return fmt.Errorf("closed with %d %s", ev.code, ev.reason)
		}
		if err := r.take(c, ev.msg); err != nil {
			return err
		}
	}
	r.cuts++
	return r.leave(c)
}

// acked is the lowest cursor that is safe to come back with: what this client has acked may be gone.
func (r *cutReader) acked() uint64 { return r.check.cursor - r.check.cursor%50 }

func (r *cutReader) take(c *socket, m *message) error {
	switch {
	case m.Seq > 0:
		if err := r.check.frame(m); err != nil {
			return err
		}
		if r.check.cursor%50 == 0 {
			_ = c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, r.check.cursor)) // an error shows at the next read
		}
	case m.Type == "hello":
		return r.check.hello(m)
	case m.Type == "error":
		return fmt.Errorf("the server says %s", m.Raw)
	}
	return nil
}

// leave ends a connection in one of the ways in which connections end.
func (r *cutReader) leave(c *socket) error {
	switch r.rnd.IntN(5) {
	case 0: // by the book, as a closing page does
		_ = c.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "")))))
	case 1:
		c.cut()
	case 2: // in the middle of a frame of its own
		_ = c.raw([]byte{0x81, 0xfe, 0x01})
	case 3: // it stops speaking, and stops reading in the middle of a frame
		_ = c.conn.CloseWrite()
		_, _ = io.CopyN(io.Discard, c.br, 3)
	}
	return nil
}
