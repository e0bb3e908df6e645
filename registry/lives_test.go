package registry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// sweep judges every client once, shard by shard, and returns the report. A sleeper that is woken to be judged is in its shard by then:
// with all shards at once it might be counted there as well.
func sweep(r *Registry) protocol.Sweep {
	part := make(chan protocol.Sweep)
	var sum protocol.Sweep
	for i := range r.Shards() {
		r.SweepShard(i, func(p protocol.Sweep) { part <- p })
		p := <-part
		sum.Reaped += p.Reaped
		sum.Kept += p.Kept
		sum.Pruned += p.Pruned
		sum.Clients += p.Clients
	}
	return sum
}

// TestP28_PublishRacesTheReaper publishes to clients that are being reaped all the time, and looks for every receipt's frame
// in the life that the receipt names: what is in the life of now must be readable there, what is in an earlier one went with it.
func TestP28_PublishRacesTheReaper(t *testing.T) {
	cfg := testConfig()
	cfg.Session.ClientTTL = time.Nanosecond // every client without a connection is due at once
	r := start(t, cfg, nil)
	const clients, each = 8, 400
	ctx := context.Background()

	var stop atomic.Bool
	var reaper sync.WaitGroup
	var reaped atomic.Int64
	reaper.Go(func() {
		for !stop.Load() {
			reaped.Add(int64(sweep(r).Reaped))
		}
	})
	type receipt struct {
		epoch string
		seq   uint64
	}
	receipts := make([]map[receipt]int, clients)
	var wg sync.WaitGroup
	for c := range clients {
		receipts[c] = map[receipt]int{}
		wg.Go(func() {
			id := fmt.Sprintf("client-%d", c)
			for n := range each {
				p, err := r.Publish(ctx, id, Publish{Bodies: []protocol.Body{body(t, fmt.Sprintf(`{"type":"n","n":%d}`, n))}})
				if !assert.NoError(t, err, "a publish never fails for a reaping") {
					return
				}
				receipts[c][receipt{p.Epoch, p.Seq}] = n
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	reaper.Wait()
	require.Positive(t, reaped.Load(), "the race never happened")

	for c := range clients {
		require.Len(t, receipts[c], each, "two receipts named the same frame")
		page, err := r.Read(ctx, fmt.Sprintf("client-%d", c), Read{Limit: protocol.MaxPageFrames})
		require.NoError(t, err)
		for i, raw := range page.Frames {
			seq := page.Floor + uint64(i) + 1
			n, ok := receipts[c][receipt{page.Epoch, seq}]
			require.True(t, ok, "a frame that no receipt names")
			require.JSONEq(t, fmt.Sprintf(`{"seq":%d,"type":"n","n":%d}`, seq, n), string(raw))
		}
		inThisLife := 0
		for rc := range receipts[c] {
			if rc.epoch == page.Epoch {
				inThisLife++
			}
		}
		require.Equal(t, inThisLife, len(page.Frames), "a confirmed frame of this life is not there")
	}
}

func TestP28_ReapsTheIdleAndKeepsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		one := func(id string) {
			_, err := r.Publish(ctx, id, Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
			require.NoError(t, err)
		}
		p := newFakePeer()
		r.Attach("attached", Attach{ConnectionID: "c1", Transport: "test"}, p)
		one("idle")
		time.Sleep(23 * time.Hour)
		one("busy")
		time.Sleep(time.Hour)
		synctest.Wait()

		got := sweep(r)
		require.Equal(t, protocol.Sweep{Reaped: 1, Kept: 2, Clients: 3}, got)
		_, err := r.State(ctx, "idle")
		require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
		for _, id := range []string{"attached", "busy"} {
			_, err := r.State(ctx, id)
			require.NoError(t, err, id)
		}
		require.EqualValues(t, 2, r.counters.Clients.Load())
		require.EqualValues(t, 1, r.counters.OutboxFrames.Load(), "what the reaped one held counts no more")

		// The next life: another epoch, and frames flow.
		st, err := r.Publish(ctx, "idle", Publish{Bodies: []protocol.Body{body(t, `{"type":"again"}`)}})
		require.NoError(t, err)
		require.EqualValues(t, 1, st.Seq)
	})
}

func TestP22_DeleteClosesWith4504AndANewLifeBegins(t *testing.T) {
	r := start(t, testConfig(), nil)
	ctx := context.Background()
	p := newFakePeer()
	r.Attach("c", Attach{ConnectionID: "c1", Transport: "test"}, p)
	first, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
	require.NoError(t, err)
	require.NoError(t, r.Delete(ctx, "c"))
	require.Equal(t, protocol.CloseClientDeleted, <-p.closed)
	require.Equal(t, protocol.CodeNotFound, protocol.AsError(r.Delete(ctx, "c")).Code)

	p.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 1}, nil) // late words of the old life touch nothing
	p.link.Gone(false)
	second, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
	require.NoError(t, err)
	require.NotEqual(t, first.Epoch, second.Epoch)
	require.EqualValues(t, 1, second.Seq)
}

// slowToClose is a connection in whose Close the client's turn is held, so that mail gathers behind a deletion.
type slowToClose struct {
	*fakePeer
	held, release chan struct{}
}

func (p slowToClose) Close(protocol.CloseCode) {
	close(p.held)
	<-p.release
}

func TestP28_LateMailIsAnsweredAndBeginsNoLife(t *testing.T) {
	for _, c := range []struct {
		name      string
		publishes bool
	}{{"only late mail", false}, {"a publish among it", true}} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, testConfig(), nil)
			ctx := context.Background()
			p := slowToClose{newFakePeer(), make(chan struct{}), make(chan struct{})}
			r.Attach("c", Attach{ConnectionID: "c1", Transport: "test"}, p)
			first, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
			require.NoError(t, err)
			deleted := make(chan error, 1)
			go func() { deleted <- r.Delete(ctx, "c") }()
			<-p.held
			old := r.look("c")
			asked := [3]*waiter{new(waiter), new(waiter), new(waiter)}
			for _, m := range []any{
				goneMail{1, false}, writtenMail(1), &messageMail{gen: 1}, tickMail{},
				&stateMail{to: asked[0], one: true}, &ackMail{to: asked[1]}, &deleteMail{to: asked[2]},
			} {
				require.True(t, old.tell(m))
			}
			published := new(waiter)
			if c.publishes {
				require.True(t, old.tell(&publishMail{session.Publish{To: published, Bodies: []protocol.Body{body(t, `{"type":"y"}`)}}}))
			}
			close(p.release)
			require.NoError(t, <-deleted)
			if c.publishes {
				rep, err := published.wait(ctx, old, 0)
				require.NoError(t, err)
				require.NotEqual(t, first.Epoch, rep.Stored.Epoch.String())
				return
			}
			for _, w := range asked {
				_, err := w.wait(ctx, old, 0)
				require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
			}
			require.Nil(t, r.look("c"))
			require.EqualValues(t, 1, r.counters.ClientsCreated.Load())
			require.Zero(t, r.counters.Clients.Load())
			require.Zero(t, r.counters.OutboxBytes.Load())
		})
	}
}
