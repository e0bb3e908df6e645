package registry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store/pebble"
)

// onDisk makes a registry with a store in a directory of its own.
func onDisk(b *testing.B, cfg Config, sync pebble.Sync) *Registry {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := pebble.Open(pebble.Options{Dir: b.TempDir(), Sync: sync, Logger: log})
	require.NoError(b, err)
	sys := actors.Start(actors.Options{Logger: log})
	r := New(sys, st, cfg)
	b.Cleanup(func() {
		r.Close()
		require.NoError(b, sys.Stop(context.Background()))
		require.NoError(b, st.Close())
	})
	return r
}

// lull puts everybody to sleep.
func lull(r *Registry) {
	for r.counters.Awake.Load() > 0 {
		for i := range r.shards {
			for _, c := range r.shards[i].all() {
				c.do(squeezeMail{})
			}
		}
		runtime.Gosched() // their last words are on their way to the store
	}
}

// BenchmarkSleepers measures what a client that was put to sleep costs in memory, while its alarm is still set: heap bytes, the store's
// included, each client with a 36-character id and one frame.
func BenchmarkSleepers(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				cfg := keptConfig()
				cfg.MaxClients = 0
				r := onDisk(b, cfg, pebble.SyncNever)
				one := Publish{Bodies: []protocol.Body{body(b, `{"type":"progress","pct":40}`)}}
				publish := func(from, to int) {
					for i := from; i < to; i++ {
						if _, err := r.Publish(context.Background(), fmt.Sprintf("%036d", i), one); err != nil {
							b.Fatal(err)
						}
						if i%10_000 == 0 {
							lull(r)
						}
					}
					lull(r)
				}
				publish(0, 20_000) // the store's own tables and caches have their size
				before := heapNow()
				publish(20_000, n)
				after := heapNow()
				require.EqualValues(b, n, r.counters.Clients.Load())
				b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(n-20_000), "B/sleeper")
				b.ReportMetric(float64(after.Sys-before.Sys)/float64(n-20_000), "sys-B/sleeper")
			}
		})
	}
}

// BenchmarkWake measures a publish to a client that sleeps, and one to the same client awake, each confirmed by a store that never syncs.
func BenchmarkWake(b *testing.B) {
	const clients = 2000
	for _, frames := range []int{1, 100} {
		for _, state := range []string{"asleep", "awake"} {
			b.Run(fmt.Sprintf("%d-frames-%s", frames, state), func(b *testing.B) {
				r := onDisk(b, keptConfig(), pebble.SyncNever)
				one := Publish{Bodies: []protocol.Body{body(b, `{"type":"progress","pct":40}`)}}
				publish := func(i int) {
					if _, err := r.Publish(context.Background(), fmt.Sprintf("%036d", i%clients), one); err != nil {
						b.Fatal(err)
					}
				}
				for range frames {
					for i := range clients {
						publish(i)
					}
				}
				if state == "asleep" {
					lull(r)
				}
				n := 0
				for b.Loop() {
					if state == "asleep" && n%clients == 0 && n > 0 {
						b.StopTimer()
						lull(r)
						b.StartTimer()
					}
					publish(n)
					n++
				}
			})
		}
	}
}
