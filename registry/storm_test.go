package registry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// TestEverythingAtOnce lets publishers, readers, acks, snapshots, deletions, sleep and the janitor meet at a few clients: every call is answered, no
// reader sees a hole, and when all is quiet the gauges, the store, and the next process agree.
func TestEverythingAtOnce(t *testing.T) {
	cfg := keptConfig()
	cfg.Session.ClientTTL, cfg.Session.SpillAbove, cfg.Session.ResumeWindow = 3*time.Millisecond, 100, time.Millisecond
	cfg.Session.Bounds = outbox.Bounds{Frames: 60, Bytes: 5000, Age: time.Second}
	cfg.Session.MaxRecords = 5
	cfg.MemoryLimit = 1000
	t.Chdir(t.TempDir())
	fs := vfs.Default
	r, end := keep(t, cfg, fs)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const workers, each, clients = 8, 800, 5
	expected := map[protocol.Code]bool{
		protocol.CodeInternal: true, // an actor's failure
		protocol.CodeNotFound: true, protocol.CodeConflict: true, protocol.CodeEpochMismatch: true, protocol.CodeAckAhead: true, protocol.CodeIDReused: true,
	}
	var did [12]atomic.Int64
	one := func(rnd *rand.Rand, worker int) error {
		id := fmt.Sprintf("c-%d", rnd.IntN(clients))
		what := rnd.IntN(len(did))
		var err error
		switch what {
		case 0, 1, 2:
			p := Publish{Bodies: []protocol.Body{body(t, fmt.Sprintf(`{"type":"n","n":%d}`, rnd.IntN(1000)))}}
			if rnd.IntN(2) == 0 {
				p.Key = fmt.Sprint(rnd.IntN(8))
			}
			if rnd.IntN(3) == 0 {
				p.Wait, p.Timeout = []string{"sent", "acked"}[rnd.IntN(2)], time.Duration(rnd.IntN(3))*time.Millisecond+1
			}
			_, err = r.Publish(ctx, id, p)
		case 3:
			p := &readingPeer{t: t, panics: rnd.IntN(20) == 0}
			r.Attach(id, Attach{ConnectionID: fmt.Sprint(worker), Transport: "test"}, p)
			for range rnd.IntN(20) { // it stays for a while
				if _, err = r.State(ctx, id); err != nil {
					break
				}
			}
			p.leave(rnd.IntN(2) == 0)
		case 4:
			in := Read{Limit: rnd.IntN(50) + 1}
			if rnd.IntN(2) == 0 {
				in.Since, in.Wait = &protocol.Cursor{Seq: uint64(rnd.IntN(20))}, 2*time.Millisecond
			}
			_, err = r.Read(ctx, id, in)
		case 5:
			_, err = r.Ack(ctx, id, protocol.Cursor{Seq: uint64(rnd.IntN(40))}, "")
		case 6:
			var st protocol.State
			if st, err = r.State(ctx, id); err == nil {
				_, err = r.PutSnapshot(ctx, id, protocol.Cursor{Epoch: st.Epoch, Seq: st.Head}, []byte(`{"sum":1}`))
			}
		case 7:
			_, err = r.Snapshot(ctx, id)
		case 8:
			if rnd.IntN(3) == 0 {
				err = r.DeleteSnapshot(ctx, id)
			}
		case 9:
			if rnd.IntN(4) == 0 {
				err = r.Delete(ctx, id)
			}
		case 10:
			_, err = r.Send(ctx, id, fmt.Sprintf("c-%d", rnd.IntN(clients)), fmt.Sprint(rnd.IntN(50)), body(t, `{"type":"s"}`))
		case 11:
			_, err = r.List(ctx, "", 10)
			for i := range r.shards {
				for _, c := range r.shards[i].all() {
					c.do(squeezeMail{})
				}
			}
		}
		did[what].Add(1)
		if err != nil && !expected[protocol.AsError(err).Code] {
			return fmt.Errorf("%d of %s: %w", what, id, err)
		}
		return nil
	}
	var wg, janitor sync.WaitGroup
	var stop atomic.Bool
	janitor.Go(func() {
		for !stop.Load() {
			sweep(r)
		}
	})
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), uint64(time.Now().UnixNano())))
			for range each {
				if !assert.NoError(t, one(rnd, w)) {
					return
				}
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	janitor.Wait()
	require.Eventually(t, func() bool {
		for i := range r.shards {
			for _, c := range r.shards[i].all() {
				c.do(tickMail{})
				c.do(squeezeMail{})
			}
		}
		return r.counters.Awake.Load() == 0
	}, 20*time.Second, time.Millisecond, "somebody stays awake for ever")
	n := r.counters
	t.Logf("%d sleeps, %d wakes, %d reaped, %d deleted, %d fetched", n.Sleeps.Load(), n.Wakes.Load(), n.ClientsReaped.Load(), n.ClientsDeleted.Load(), n.Fetched.Load())
	var sum store.Totals
	require.NoError(t, r.disk.Scan("", func(_ string, st store.State) bool {
		sum.Clients++
		sum.Frames += int64(st.Frames())
		sum.Bytes += st.Bytes
		return true
	}))
	gauges := func() store.Totals {
		return store.Totals{Clients: n.Clients.Load(), Frames: n.OutboxFrames.Load(), Bytes: n.OutboxBytes.Load()}
	}
	require.Equal(t, sum, gauges())
	require.Equal(t, sum, r.disk.Totals())
	require.Zero(t, [...]int64{n.HotBytes.Load(), n.InFlightBytes.Load(), n.Places.Load()})
	require.Positive(t, n.Panics.Load())
	require.NoError(t, r.Err())
	end()
	report, err := pebble.Check("data")
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	r, _ = keep(t, cfg, fs)
	require.Equal(t, sum, r.disk.Totals())
}

// readingPeer is a connection that acks what it reads, and sees to P-3.
type readingPeer struct {
	t    *testing.T
	mu   sync.Mutex
	link *Link
	last uint64
	gone bool

	panics bool // at the first batch
}

func (p *readingPeer) Attached(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link = l; p.gone {
		go l.Gone(true)
	}
}

func (p *readingPeer) Refused(protocol.Piece, protocol.CloseCode) {}

func (p *readingPeer) Write(batch []protocol.Piece) (written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panics {
		p.panics = false
		panic("a connection's fault")
	}
	for _, x := range batch {
		if x.Seq > 0 && p.last > 0 {
			assert.Equal(p.t, p.last+1, x.Seq, "P-3")
		}
		if x.Seq > 0 {
			p.last = x.Seq
		}
	}
	p.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: p.last}, nil)
	return true
}

func (p *readingPeer) leave(left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil && !p.gone {
		p.link.Gone(left)
	}
	p.gone = true
}

func (p *readingPeer) Close(protocol.CloseCode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}
func (p *readingPeer) Pause(bool)  {}
func (p *readingPeer) Handled(int) {}
