package registry

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

func TestP28_ASleeperThatSendsIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL = 2 * time.Hour
		r, _ := keep(t, cfg, vfs.NewMem())
		ctx := context.Background()
		publish(t, r, "sender", 1)
		for i := range 4 {
			time.Sleep(time.Hour)
			_, err := r.Send(ctx, "sender", "target", fmt.Sprint(i), body(t, `{"type":"x"}`))
			require.NoError(t, err)
		}
		asleep(t, r)
		require.Zero(t, sweep(r).Reaped)
		_, err := r.Send(ctx, "nobody", "target", "1", body(t, `{"type":"x"}`))
		require.NoError(t, err)
		asleep(t, r)
		require.EqualValues(t, 2, r.counters.Clients.Load(), "a send makes no sender")
	})
}

// TestP18_ASleepersRecordsEnd: they count towards max_total_bytes, so that they must not outlive their time by the sleep of their client.
func TestP18_ASleepersRecordsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL, cfg.Session.RecordTTL = 0, time.Hour
		r, _ := keep(t, cfg, vfs.NewMem())
		p := Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}, Key: "k"}
		_, err := r.Publish(context.Background(), "c", p)
		require.NoError(t, err)
		asleep(t, r)
		held := r.counters.OutboxBytes.Load()
		sweep(r)
		asleep(t, r)
		require.Equal(t, held, r.counters.OutboxBytes.Load())
		time.Sleep(time.Hour)
		sweep(r)
		asleep(t, r)
		require.Equal(t, held-64, r.counters.OutboxBytes.Load())
		wakes := r.counters.Wakes.Load()
		sweep(r)
		require.Equal(t, wakes, r.counters.Wakes.Load(), "nobody is woken for nothing")
	})
}

// TestP28_AClockThatWasAheadKeepsNobody begins a process a year early: by the wall clock its clients have been seen in a time to come.
func TestP28_AClockThatWasAheadKeepsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const year = 365 * 24 * time.Hour
		fs := vfs.NewMem()
		cfg := keptConfig()
		cfg.Session.ClientTTL = 2 * time.Hour
		r, end := keep(t, cfg, fs)
		r.started = r.started.Add(year)
		publish(t, r, "c", 1)
		end()

		r, _ = keep(t, cfg, fs)
		require.Equal(t, protocol.Sweep{Kept: 1, Clients: 1}, sweep(r))
		asleep(t, r)
		time.Sleep(time.Hour)
		wakes := r.counters.Wakes.Load()
		require.Equal(t, protocol.Sweep{Kept: 1, Clients: 1}, sweep(r))
		require.Equal(t, wakes, r.counters.Wakes.Load())
		time.Sleep(time.Hour)
		require.Equal(t, protocol.Sweep{Reaped: 1, Clients: 1}, sweep(r))
	})
}

// loads is a store that counts how many clients are being loaded at once.
type loads struct {
	store.Keeper
	now, most atomic.Int64
}

func (l *loads) Load(o store.Owner, hot int64) {
	l.most.Store(max(l.most.Load(), l.now.Add(1)))
	l.Keeper.Load(loading{o, l}, hot)
}

type loading struct {
	store.Owner
	loads *loads
}

func (o loading) Loaded(c *store.Client, err error) {
	o.loads.now.Add(-1)
	o.Owner.Loaded(c, err)
}

// TestASweepWakesAFewAtATime: many sleepers have frames that are too old.
func TestASweepWakesAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL, cfg.Session.Bounds.Age = 0, time.Hour
		r, _ := keep(t, cfg, vfs.NewMem())
		synctest.Wait() // what looks at the store at the start has done so
		l := &loads{Keeper: r.disk}
		r.disk = l
		const clients = 8 * maxReaping
		for i := range clients {
			publish(t, r, fmt.Sprint(i), 2)
		}
		asleep(t, r)
		time.Sleep(time.Hour)
		l.most.Store(0)
		require.Equal(t, protocol.Sweep{Kept: clients, Pruned: clients, Clients: clients}, sweep(r))
		synctest.Wait()
		require.LessOrEqual(t, l.most.Load(), int64(maxReaping))
		require.Zero(t, r.counters.Awake.Load(), "who was woken for the sweep goes on sleeping")
		require.EqualValues(t, clients, r.counters.OutboxFrames.Load())
	})
}

// TestP28_APublishCountsAlsoAfterAKill: what was confirmed last must not be reaped for what the client did before.
func TestP28_APublishCountsAlsoAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL, cfg.Session.Bounds.Age = 3*time.Hour, 3*time.Hour
		fs := vfs.NewCrashableMem()
		r, _ := keep(t, cfg, fs)
		publish(t, r, "c", 1)
		time.Sleep(3*time.Hour - time.Minute)
		last := publish(t, r, "c", 1)

		r, _ = keep(t, cfg, fs.CrashClone(vfs.CrashCloneCfg{}))
		time.Sleep(time.Hour)
		require.Equal(t, protocol.Sweep{Kept: 1, Clients: 1, Pruned: 1}, sweep(r))
		page, err := r.Read(context.Background(), "c", Read{Since: &protocol.Cursor{Epoch: last.Epoch, Seq: 1}, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Frames, 1)
	})
}

// TestASleeperLeavesItsActorToNobody: what a client has registered with the keepalive actor stays there for ten minutes, the client does not.
func TestASleeperLeavesItsActorToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		publish(t, r, "c", 1)
		was := weak.Make(r.look("c"))
		_, err := r.Ack(context.Background(), "c", protocol.Cursor{Seq: 1}, "") // its deadline takes the place of the first
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		r.look("c").do(squeezeMail{})
		synctest.Wait()
		require.Zero(t, r.counters.Awake.Load())
		time.Sleep(2 * time.Second)
		runtime.GC()
		require.Nil(t, was.Value())
	})
}
