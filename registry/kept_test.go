package registry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store/pebble"
)

// keptConfig is a registry whose clients sleep.
func keptConfig() Config {
	cfg := testConfig()
	cfg.Session.SleepAfter, cfg.Session.SpillAbove = 10*time.Minute, 64<<10
	cfg.Topic.SleepAfter, cfg.Topic.SpillAbove = 10*time.Minute, 64<<10
	return cfg
}

// keep makes a registry with a store on fs; end closes both in order, as the broker does.
func keep(tb testing.TB, cfg Config, fs vfs.FS) (r *Registry, end func()) {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: fs, Logger: log})
	require.NoError(tb, err)
	sys := actors.Start(actors.Options{Logger: log})
	r = New(sys, st, cfg)
	end = sync.OnceFunc(func() {
		ctx := context.Background()
		r.Drain(0, nil)
		require.NoError(tb, r.Settle(ctx))
		r.Flush()
		r.Close()
		require.NoError(tb, sys.Stop(ctx))
		require.NoError(tb, st.Close())
	})
	tb.Cleanup(end)
	return r, end
}

func publish(tb testing.TB, r *Registry, id string, n int) (last protocol.Published) {
	tb.Helper()
	for i := range n {
		p, err := r.Publish(context.Background(), id, Publish{Bodies: []protocol.Body{body(tb, fmt.Sprintf(`{"type":"n","n":%d}`, i))}})
		require.NoError(tb, err)
		last = p
	}
	return last
}

// asleep waits until nobody is in memory.
func asleep(t *testing.T, r *Registry) {
	t.Helper()
	time.Sleep(11 * time.Minute)
	synctest.Wait()
	require.Zero(t, r.counters.Awake.Load(), "everybody sleeps after ten minutes")
	require.Zero(t, r.counters.HotBytes.Load())
}

func TestAClientSleepsAndWakesWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
		last := publish(t, r, "c", 5)
		sent := func() (protocol.Receipt, error) { return r.Send(ctx, "someone", "c", "id-1", body(t, `{"type":"s"}`)) }
		first, err := sent()
		require.NoError(t, err)
		synctest.Wait()
		p.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 3}, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, r.counters.Awake.Load(), "one that is attached does not sleep")
		p.link.Gone(true)
		before, err := r.State(ctx, "c")
		require.NoError(t, err)
		held, frames := r.counters.OutboxBytes.Load(), r.counters.OutboxFrames.Load()
		asleep(t, r)

		require.EqualValues(t, 1, r.counters.Clients.Load(), "a sleeper is a client")
		require.Equal(t, held, r.counters.OutboxBytes.Load())
		require.Equal(t, frames, r.counters.OutboxFrames.Load())
		list, err := r.List(ctx, "", 10)
		require.NoError(t, err)
		require.Len(t, list.Clients, 1)
		require.Zero(t, r.counters.Wakes.Load(), "a list wakes nobody")
		for _, st := range []*protocol.State{&before, &list.Clients[0]} {
			st.LastSeen, st.Attachments = "", nil
		}
		require.Equal(t, before, list.Clients[0])

		again, err := sent() // wakes it
		require.NoError(t, err)
		require.Equal(t, protocol.Receipt{Type: "receipt", ID: "id-1", Status: protocol.StatusDuplicate, Epoch: first.Epoch, Seq: first.Seq}, again)
		require.EqualValues(t, 1, r.counters.Wakes.Load())
		require.Equal(t, held, r.counters.OutboxBytes.Load(), "waking changes no gauge")
		back := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "2", Transport: "test", Since: &protocol.Cursor{Epoch: last.Epoch, Seq: 3}}, back)
		synctest.Wait()
		require.Equal(t, []uint64{4, 5, 6}, back.seqs())
		publish(t, r, "c", 1)
		synctest.Wait()
		require.Equal(t, []uint64{4, 5, 6, 7}, back.seqs(), "a later live frame arrives exactly once")
	})
}

func TestTheNextProcessBeginsWhereTheLastOneEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		r, end := keep(t, keptConfig(), fs)
		ctx := context.Background()
		last := publish(t, r, "c", 5)
		publish(t, r, "d", 2)
		_, err := r.Ack(ctx, "c", protocol.Cursor{Epoch: last.Epoch, Seq: 2}, "")
		require.NoError(t, err)
		held := r.counters.OutboxBytes.Load()
		end()

		r, _ = keep(t, keptConfig(), fs)
		require.EqualValues(t, 2, r.counters.Clients.Load(), "the gauges are right before anybody wakes")
		require.Equal(t, held, r.counters.OutboxBytes.Load())
		require.EqualValues(t, 5, r.counters.OutboxFrames.Load())
		require.Zero(t, r.counters.Awake.Load())
		st, err := r.State(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, [...]any{last.Epoch, uint64(2), uint64(5), uint64(2)}, [...]any{st.Epoch, st.Floor, st.Head, st.Acked}, "an ack is not lost in an orderly end")
		require.EqualValues(t, 6, publish(t, r, "c", 1).Seq)
	})
}

func TestBodiesAboveTheBoundLiveInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.SpillAbove = 100
		r, _ := keep(t, cfg, vfs.NewMem())
		ctx := context.Background()
		live := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, live)
		publish(t, r, "c", 700)
		synctest.Wait()
		require.LessOrEqual(t, r.counters.HotBytes.Load(), int64(100))
		require.Positive(t, r.counters.HotBytes.Load())
		require.Zero(t, r.counters.Fetched.Load(), "a reader that keeps up is served from memory")
		require.Len(t, live.seqs(), 700)

		late := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "2", Transport: "test"}, late)
		publish(t, r, "c", 3)
		synctest.Wait()
		seqs := late.seqs()
		require.Len(t, seqs, 703)
		for i, seq := range seqs {
			require.EqualValues(t, i+1, seq, "P-3")
		}
		require.Positive(t, r.counters.Fetched.Load())
		for since, n := uint64(0), 0; since < 703; n++ {
			page, err := r.Read(ctx, "c", Read{Since: &protocol.Cursor{Seq: since}, Limit: 100})
			require.NoError(t, err)
			require.NotEmpty(t, page.Frames)
			for i, raw := range page.Frames {
				seq := since + uint64(i) + 1
				require.JSONEq(t, fmt.Sprintf(`{"seq":%d,"type":"n","n":%d}`, seq, (seq-1)%700), string(raw))
			}
			since += uint64(len(page.Frames))
			require.Less(t, n, 20)
		}
	})
}

func TestMemoryIsGivenBackBeforeAnybodyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.MemoryLimit = 5_000
		r, _ := keep(t, cfg, vfs.NewMem())
		const clients, each = 40, 30
		reader := newFakePeer()
		r.Attach("c-0", Attach{ConnectionID: "1", Transport: "test"}, reader)
		for c := range clients {
			publish(t, r, fmt.Sprintf("c-%d", c), each)
			synctest.Wait()
			require.LessOrEqual(t, r.counters.HotBytes.Load(), cfg.MemoryLimit)
		}
		require.Positive(t, r.counters.Spilled.Load())
		require.Positive(t, r.counters.Sleeps.Load(), "who does nothing sleeps before its time")
		require.Zero(t, r.counters.Refused.Snapshot()["overloaded"])
		require.Len(t, reader.seqs(), each)
		for c := range clients {
			page, err := r.Read(context.Background(), fmt.Sprintf("c-%d", c), Read{Limit: 100})
			require.NoError(t, err)
			require.Len(t, page.Frames, each)
		}
	})
}

func TestP28_SleepersAreReapedInTheirSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		const idle = 500
		for i := range idle {
			publish(t, r, fmt.Sprintf("idle-%d", i), 2)
		}
		first := publish(t, r, "again", 1)
		time.Sleep(23 * time.Hour)
		publish(t, r, "busy", 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		wakes := r.counters.Wakes.Load()
		require.Equal(t, protocol.Sweep{Reaped: idle + 1, Kept: 1, Clients: idle + 2}, sweep(r))
		require.Equal(t, wakes, r.counters.Wakes.Load(), "nobody was woken for it")
		require.EqualValues(t, 1, r.counters.Clients.Load())
		require.EqualValues(t, 1, r.counters.OutboxFrames.Load())
		require.EqualValues(t, 2*idle+1, r.counters.Pruned[actors.PrunedReaped].Load())
		_, err := r.State(ctx, "idle-7")
		require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
		next := publish(t, r, "again", 1)
		require.EqualValues(t, 1, next.Seq)
		require.NotEqual(t, first.Epoch, next.Epoch)
	})
}

func TestP13_ASleeperLetsGoOfWhatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL = 0 // for ever
		r, _ := keep(t, cfg, vfs.NewMem())
		publish(t, r, "c", 5)
		asleep(t, r)
		time.Sleep(24 * time.Hour)
		got := sweep(r)
		require.Equal(t, protocol.Sweep{Kept: 1, Pruned: 4, Clients: 1}, got, "the newest stays")
		asleep(t, r)
		require.EqualValues(t, 1, r.counters.OutboxFrames.Load())
		require.Equal(t, protocol.Sweep{Kept: 1, Clients: 1}, sweep(r))
	})
}

func TestP29_SleepersCountAndLooksMakeNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.MaxClients = 2
		r, _ := keep(t, cfg, vfs.NewMem())
		ctx := context.Background()
		publish(t, r, "a", 1)
		publish(t, r, "b", 1)
		asleep(t, r)
		_, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
		require.Equal(t, protocol.CodeOverloaded, protocol.AsError(err).Code)
		p := newFakePeer()
		r.Attach("d", Attach{ConnectionID: "1", Transport: "test"}, p)
		require.Equal(t, protocol.CloseOverloaded, <-p.closed)
		for _, look := range []func() error{
			func() error { _, err := r.State(ctx, "e"); return err },
			func() error { _, err := r.Ack(ctx, "e", protocol.Cursor{}, ""); return err },
			func() error { return r.Delete(ctx, "e") },
			func() error { _, err := r.Snapshot(ctx, "e"); return err },
			func() error { return r.DeleteSnapshot(ctx, "e") },
		} {
			require.Equal(t, protocol.CodeNotFound, protocol.AsError(look()).Code)
		}
		synctest.Wait()
		require.EqualValues(t, 2, r.counters.Clients.Load())
		require.Zero(t, r.counters.Awake.Load(), "no actor is left of them")
		require.Zero(t, r.counters.InFlightBytes.Load())
		require.EqualValues(t, 2, publish(t, r, "a", 1).Seq, "who is there is served")
		pid := actor.NewPID(Address, "b")
		state, err := r.sys.Root().RequestFuture(pid, GetState{}, time.Second).Result()
		require.NoError(t, err, "a sleeper is reached by its PID, too")
		require.EqualValues(t, 1, state.(protocol.State).Head)
	})
}

func TestP9_AStoredSnapshotSleepsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		last := publish(t, r, "c", 5)
		at3 := protocol.Cursor{Epoch: last.Epoch, Seq: 3}
		_, err := r.PutSnapshot(ctx, "c", at3, []byte(`{"sum":3}`))
		require.NoError(t, err)
		asleep(t, r)
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
		synctest.Wait()
		require.Equal(t, []uint64{4, 5}, p.seqs())
		require.Contains(t, p.texts(), `{"type":"snapshot","as_of":3,"data":{"sum":3}}`)
		got, err := r.Snapshot(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, protocol.StoredSnapshot{ClientID: "c", AsOf: at3.String(), Data: []byte(`{"sum":3}`)}, got)
		require.NoError(t, r.DeleteSnapshot(ctx, "c"))
		p.link.Gone(true)
		asleep(t, r)
		_, err = r.Snapshot(ctx, "c")
		require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
		require.EqualValues(t, 6, publish(t, r, "c", 1).Seq)
	})
}

// TestP28_PublishRacesSleepAndTheReaper publishes to clients that are put to sleep and reaped all the time: no publish fails, and what a
// receipt of the life of now names is there.
func TestP28_PublishRacesSleepAndTheReaper(t *testing.T) {
	cfg := keptConfig()
	cfg.Session.ClientTTL = 2 * time.Millisecond
	cfg.MemoryLimit = 1          // whoever is seen is asked to sleep
	cfg.Session.ResumeWindow = 0 // nobody is kept awake for who was there before
	r, _ := keep(t, cfg, vfs.NewMem())
	const clients, each = 8, 300
	ctx := context.Background()
	var stop atomic.Bool
	var reaper sync.WaitGroup
	reaper.Go(func() {
		for !stop.Load() {
			sweep(r)
			for i := range r.shards {
				for _, c := range r.shards[i].all() {
					c.do(squeezeMail{})
				}
			}
		}
	})
	receipts := make([]map[string][]int, clients) // by epoch, in the order of their seqs
	var wg sync.WaitGroup
	for c := range clients {
		receipts[c] = map[string][]int{}
		wg.Go(func() {
			for n := range each {
				p, err := r.Publish(ctx, fmt.Sprintf("client-%d", c), Publish{Bodies: []protocol.Body{body(t, fmt.Sprintf(`{"type":"n","n":%d}`, n))}})
				if !assert.NoError(t, err, "a publish never fails for a reaping") {
					return
				}
				receipts[c][p.Epoch] = append(receipts[c][p.Epoch], n)
				if !assert.EqualValues(t, len(receipts[c][p.Epoch]), p.Seq, "a life numbers densely, also across its sleep") {
					return
				}
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	reaper.Wait()
	require.Positive(t, r.counters.Sleeps.Load(), "nobody slept")
	require.Positive(t, r.counters.ClientsReaped.Load(), "nobody was reaped")
	for c := range clients {
		page, err := r.Read(ctx, fmt.Sprintf("client-%d", c), Read{Limit: protocol.MaxPageFrames})
		require.NoError(t, err)
		inThisLife := receipts[c][page.Epoch]
		require.Len(t, page.Frames, len(inThisLife), "a confirmed frame of this life is not there")
		for i, raw := range page.Frames {
			require.JSONEq(t, fmt.Sprintf(`{"seq":%d,"type":"n","n":%d}`, i+1, inThisLife[i]), string(raw))
		}
	}
	t.Logf("%d sleeps, %d wakes, %d reaped", r.counters.Sleeps.Load(), r.counters.Wakes.Load(), r.counters.ClientsReaped.Load())
}

func TestAPanicWhileAClientWakesCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		last := publish(t, r, "c", 3)
		asleep(t, r)
		ctx := context.Background()
		r.cfg.Session.RecordTTL = -1
		c := r.newClient("c")
		c.Hold()
		sh, h := r.shard("c")
		sh.mu.Lock()
		sh.put(h, c)
		sh.mu.Unlock()
		asked := new(waiter)
		require.True(t, c.tell(&stateMail{to: asked, one: true}))
		c.Release(c, (*loadedMail)(nil)) // a fault in the waking itself
		_, err := asked.wait(ctx, c, 0)
		require.Equal(t, protocol.CodeInternal, protocol.AsError(err).Code)
		synctest.Wait()
		require.EqualValues(t, 1, r.counters.Panics.Load())
		next := publish(t, r, "c", 1)
		require.Equal(t, last.Epoch, next.Epoch, "the next who calls loads it again")
		require.EqualValues(t, 4, next.Seq)
		_, err = r.State(ctx, "c")
		require.NoError(t, err)
	})
}
