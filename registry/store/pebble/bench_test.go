package pebble_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// BenchmarkCommit measures frames of 256 bytes that publishers commit, each the next when the last is answered.
func BenchmarkCommit(b *testing.B) {
	for _, c := range []struct {
		name  string
		sync  pebble.Sync
		delay time.Duration
	}{
		{"always", pebble.SyncAlways, 0},
		{"always, 2 ms a sync", pebble.SyncAlways, 2 * time.Millisecond},
		{"interval:50ms", pebble.SyncInterval(50 * time.Millisecond), 0},
		{"never", pebble.SyncNever, 0},
	} {
		for _, publishers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d publishers", c.name, publishers), func(b *testing.B) {
				disk := &slow{for_: c.delay}
				s, err := pebble.Open(pebble.Options{Dir: b.TempDir(), Sync: c.sync, Logger: silent, FS: errorfs.Wrap(vfs.Default, disk)})
				require.NoError(b, err)
				before := disk.syncs.Load()
				b.ReportAllocs()
				b.ResetTimer()
				var all sync.WaitGroup
				for i := range publishers {
					all.Go(func() {
						p := newPublisher(i, noise(i, 234))
						for range (b.N + publishers - 1) / publishers {
							if err := p.publish(s); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.StopTimer()
				if syncs := disk.syncs.Load() - before; syncs > 0 {
					b.ReportMetric(float64(b.N)/float64(syncs), "publishes/sync")
				}
				require.NoError(b, s.Close())
			})
		}
	}
}

// BenchmarkLoad measures loads of clients with a few frames and with many, of 300 bytes, out of tables on disk.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	o := pebble.Options{Dir: dir, Sync: pebble.SyncNever, Logger: silent}
	s, err := pebble.Open(o)
	require.NoError(b, err)
	const small, deep = 10_000, 20
	fill := func(id string, frames int) {
		c := newClient(id)
		u := store.Update{First: 1, At: 1_800_000_000_000, Is: store.State{Epoch: 5, Head: uint64(frames)}}
		for i := range frames {
			u.Bodies = append(u.Bodies, text(i))
		}
		c.give(s, u)
		require.NoError(b, c.wait(b))
	}
	for i := range small {
		fill(clientID(i), 5)
	}
	for i := range deep {
		fill(clientID(small+i), 10_000)
	}
	require.NoError(b, s.Close())
	s, err = pebble.Open(o)
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	for name, c := range map[string]struct {
		from, n int
		hot     int64
	}{
		"5 frames":                   {0, small, math.MaxInt64},
		"10,000 frames, 64 KiB hot":  {small, deep, 64 << 10},
		"10,000 frames, all hot":     {small, deep, math.MaxInt64},
		"a client that is not there": {small + deep, small, 0},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				w := newClient(clientID(c.from + i%c.n))
				if _, err := w.load(b, s, c.hot); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// text is a line such as programs print, as a frame.
func text(i int) protocol.Body {
	return protocol.Body(fmt.Sprintf(`{"type":"line","stream":"stdout","text":"2026-11-25T03:%02d:%02d.%03dZ INFO  worker-%d finished step %d of the build in %d ms: compiled registry/store/pebble, 0 errors, %d warnings"}`,
		i/60%60, i%60, i*7%1000, i%8, i, i*31%977, i%3))
}

// BenchmarkDiskBytes measures what a frame takes on disk, with everything compacted.
func BenchmarkDiskBytes(b *testing.B) {
	for name, body := range map[string]func(i int) protocol.Body{
		"text":   text,
		"random": func(i int) protocol.Body { return noise(i, 120) },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				dir := b.TempDir()
				s, err := pebble.Open(pebble.Options{Dir: dir, Sync: pebble.SyncNever, Logger: silent})
				require.NoError(b, err)
				const clients, frames = 100, 1000
				raw := 0
				for i := range clients {
					c := newClient(clientID(i))
					for from := 0; from < frames; from += 100 {
						u := store.Update{Was: c.is, Is: c.is, First: c.is.Head + 1, At: 1_800_000_000_000 + int64(from)*977}
						u.Is.Epoch, u.Is.Head = 5, c.is.Head+100
						for n := range 100 {
							u.Bodies = append(u.Bodies, body(i*frames+from+n))
							raw += len(u.Bodies[n])
						}
						c.give(s, u)
					}
					require.NoError(b, c.wait(b))
				}
				require.NoError(b, s.Raw().Compact(b.Context(), []byte{0}, []byte{255}, true))
				used, err := s.Raw().EstimateDiskUsage([]byte{0}, []byte{255})
				require.NoError(b, err)
				require.NoError(b, s.Close())
				b.ReportMetric(float64(used)/(clients*frames), "disk-bytes/frame")
				b.ReportMetric(float64(raw)/(clients*frames), "body-bytes/frame")
			}
		})
	}
}
