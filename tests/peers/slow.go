package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store/pebble"
)

// delay is how long each sync takes on the slow disk: that of a good disk behind a network, or of a cheap one.
const delay = 2 * time.Millisecond

// slowDisk shows how publishers share syncs where a sync costs something.
func (b *bench) slowDisk() error {
	c := contestant{"broker, each sync 2 ms", func() (result, error) { return b.child(nil, "slow") }}
	results, err := b.alternate(c)
	if err != nil {
		return err
	}
	show(fmt.Sprintf("In process, %d publishers, every sync delayed to %s", workers, delay), results, c)
	per := spread(results[c.name], func(r result) float64 { return float64(r.Ops) / r.More["syncs"] })
	fmt.Printf("  publishes per sync: %s\n", per.text("%.1f"))
	goal("publishes per sync", per.median, 16)
	return nil
}

// passSlowDisk publishes to a registry on a store whose disk is slow.
func passSlowDisk(length time.Duration, _ []string) (r result, err error) {
	dir, err := os.MkdirTemp("", "restante-pass-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	disk, quiet := &slowFS{FS: vfs.Default}, slog.New(slog.DiscardHandler)
	st, err := pebble.Open(pebble.Options{Dir: dir, FS: disk, Logger: quiet})
	if err != nil {
		return r, err
	}
	defer st.Close()
	sys := actors.Start(actors.Options{Logger: quiet, Counters: &actors.Counters{}, Tick: time.Second})
	defer sys.Stop(context.Background())
	// What the broker sets when nothing is said.
	reg := registry.New(sys, st, registry.Config{
		Session: session.Config{Bounds: outbox.Bounds{Frames: 10_000, Bytes: 4 << 20, Age: 24 * time.Hour}, RecordTTL: 24 * time.Hour, MaxRecords: 10_000,
			MaxFrameBytes: protocol.DefaultMaxFrameBytes, MaxMessageBytes: protocol.DefaultMaxMessageBytes, SpillAbove: 64 << 10, SleepAfter: 10 * time.Minute},
		MemoryLimit: 256 << 20, MaxClients: 1000, MaxTotalBytes: 16 << 30, MaxInFlightBytes: 64 << 20,
	})
	defer reg.Close()
	ctx := context.Background()
	publish := func(w, n int) (int, error) {
		body, err := protocol.ParseBody(frame(w, n), protocol.DefaultMaxFrameBytes)
		if err != nil {
			return 0, err
		}
		_, err = reg.Publish(ctx, fmt.Sprintf("c%d", w), registry.Publish{Bodies: []protocol.Body{body}})
		return 1, err
	}
	before := disk.syncs.Load()
	r, err = together(length, publish)
	r.More = map[string]float64{"syncs": float64(disk.syncs.Load() - before)}
	return r, err
}

// slowFS is a disk whose syncs take their time, and are counted.
type slowFS struct {
	vfs.FS
	syncs atomic.Int64
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

// wait is what a sync costs besides what it costs.
func (fs *slowFS) wait() {
	fs.syncs.Add(1)
	time.Sleep(delay)
}

func (fs *slowFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &slowFile{f, fs}, nil
}

func (fs *slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.Create(name, c))
}

func (fs *slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.file(fs.FS.OpenReadWrite(name, c, opts...))
}

func (fs *slowFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.ReuseForWrite(from, to, c))
}

func (fs *slowFS) OpenDir(name string) (vfs.File, error) { return fs.file(fs.FS.OpenDir(name)) }

func (f *slowFile) Sync() error {
	f.fs.wait()
	return f.File.Sync()
}

func (f *slowFile) SyncData() error {
	f.fs.wait()
	return f.File.SyncData()
}

func (f *slowFile) SyncTo(length int64) (bool, error) {
	f.fs.wait()
	return f.File.SyncTo(length)
}
