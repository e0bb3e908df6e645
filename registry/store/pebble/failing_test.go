package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// faulty counts the operations of a disk that write, and fails the n-th, or all from the n-th on.
type faulty struct {
	at    atomic.Int64
	stays bool
	err   error
	n     atomic.Int64
	hit   atomic.Pointer[errorfs.Op]
}

// failsAt makes one that fails the n-th operation, and all behind it if that stays.
func failsAt(n int64, stays bool, err error) *faulty {
	f := &faulty{stays: stays, err: err}
	f.at.Store(n)
	return f
}

// now fails the next operation.
func (f *faulty) now() { f.at.Store(f.n.Load() + 1) }

func (f *faulty) String() string { return "faulty" }

func (f *faulty) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpLock {
		return nil
	}
	n, at := f.n.Add(1), f.at.Load()
	if n != at && !(f.stays && n > at) {
		return nil
	}
	f.hit.CompareAndSwap(nil, &op)
	return f.err
}

var errDisk = fmt.Errorf("the disk is on fire: %w", syscall.EIO)

// TestFailingDisk lets each writing operation of the disk fail in turn, once and for good. Every update is answered once and in order; if the store failed,
// everything later is refused, and what was confirmed is there once the disk is well again.
func TestFailingDisk(t *testing.T) {
	for _, stays := range []bool{false, true} {
		name, err := "once", error(syscall.ENOSPC)
		if stays {
			name, err = "for good", errDisk
		}
		t.Run(name, func(t *testing.T) {
			failed := 0
			for n := int64(1); ; n++ {
				f := failsAt(n, stays, err)
				if failing(t, f) {
					failed++
				}
				if f.hit.Load() == nil {
					require.Greater(t, n, int64(100), "the disk was hardly written to")
					require.Greater(t, failed, 40, "hardly any fault failed the store")
					t.Logf("%d operations, %d of them fail the store", n-1, failed)
					return
				}
			}
		})
	}
}

// failing plays one life of a store on a faulty disk, and reports whether it failed while open.
func failing(t *testing.T, f *faulty) bool {
	disk := vfs.NewCrashableMem()
	o := pebble.Options{Dir: "data", FS: errorfs.Wrap(disk, f), MemTableBytes: 64 << 10, Logger: silent}
	s, err := pebble.Open(o)
	what := func() string {
		if op := f.hit.Load(); op != nil {
			return fmt.Sprintf("operation %d, of kind %d on %s: ", f.at.Load(), op.Kind, op.Path)
		}
		return "no fault: "
	}
	clients := []*client{newClient("a"), newClient("b"), newClient("c")}
	failed := false
	if err != nil {
		require.Contains(t, err.Error(), "data", what())
	} else {
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				for range 14 {
					c.publish(s, 1+i*3, 900, 40)
					if c.wait(t) != nil {
						return
					}
				}
			})
		}
		all.Wait()
		_ = s.Tidy(context.Background(), 0)
		select {
		case <-s.Failed():
			failed = true
		default:
		}
		if failed {
			refuses(t, s, what())
		}
		cerr := s.Close()
		if s.Err() != nil {
			failed = true
			require.Equal(t, s.Err(), cerr, what())
		}
		if !failed {
			require.NoError(t, cerr, what())
			for _, c := range clients {
				require.NoError(t, c.wait(t), what())
			}
		}
	}
	o.FS = disk.CrashClone(vfs.CrashCloneCfg{})
	holds(t, o, clients, what()+"after a crash: ")
	o.FS = disk
	holds(t, o, clients, what())
	return failed
}

// refuses holds a failed store to refusing everything, with its reason.
func refuses(t *testing.T, s *pebble.Store, what string) {
	var reason *protocol.Error
	require.ErrorAs(t, s.Err(), &reason, what)
	require.Equal(t, protocol.CodeInternal, reason.Code, what)
	require.Contains(t, reason.Message, "the store has failed", what)
	require.Contains(t, reason.Message, "restart", what)
	c := newClient("late")
	for range 3 {
		c.publish(s, 1, 10, 10)
	}
	require.Equal(t, s.Err(), c.wait(t), what)
	for _, err := range c.answers {
		require.Equal(t, s.Err(), err, what)
	}
	_, err := c.load(t, s, 0)
	require.Equal(t, s.Err(), err, what)
	s.Read(c, store.Read{After: 0, Last: 1, Frames: 1, Bytes: 1})
	require.Equal(t, s.Err(), take(t, c.bodies).err, what)
	s.ReadSnapshot(c, 1)
	require.Equal(t, s.Err(), take(t, c.data).err, what)
	_, err = s.Stat("a")
	require.Equal(t, s.Err(), err, what)
	require.Equal(t, s.Err(), s.Scan("", func(string, store.State) bool { panic("nothing is read any more") }), what)
	require.Equal(t, s.Err(), s.Tidy(context.Background(), math.MaxInt64), what)
	s.Share(protocol.Body(`{"type":"f"}`), 1)
}

// holds opens a store on a disk that is well, and looks for all that was confirmed.
func holds(t *testing.T, o pebble.Options, clients []*client, what string) {
	s, err := pebble.Open(o)
	require.NoError(t, err, what)
	defer func() { require.NoError(t, s.Close(), what) }()
	for _, c := range clients {
		l, err := c.load(t, s, math.MaxInt64)
		require.NoError(t, err, what)
		if l == nil {
			require.Zero(t, c.kept(), what)
			continue
		}
		require.GreaterOrEqual(t, l.State.Head, c.kept(), what)
		require.LessOrEqual(t, l.State.Head, c.is.Head, what)
		for i, f := range l.Frames {
			require.Equal(t, string(c.given[l.State.Floor+uint64(i)+1]), string(f.Body), what)
		}
	}
}

// TestFullDisk: the sentence of a disk without space says what to do, and names no path but the file's own name.
func TestFullDisk(t *testing.T) {
	f := failsAt(math.MaxInt64, true, &vfsPathError)
	disk := vfs.NewMem()
	s, err := pebble.Open(pebble.Options{Dir: "secret/data", FS: errorfs.Wrap(disk, f), Logger: silent})
	require.NoError(t, err)
	f.now()
	c := newClient("a")
	c.publish(s, 1, 10, 10)
	require.ErrorContains(t, c.wait(t), ".log: no space left on device; free space on the data directory's disk, and then restart the broker: nothing that was confirmed is lost")
	require.NotContains(t, s.Err().Error(), "secret")
	require.False(t, errors.Is(s.Err(), store.ErrUnknown))
	take(t, s.Failed())
	require.Equal(t, s.Err(), s.Close())
	require.Equal(t, s.Err(), s.Close(), "the second time")
}

// TestFailsUnsynced: a store that does not sync fails as soon as the disk does not take something, and says what that may mean.
func TestFailsUnsynced(t *testing.T) {
	for _, sync := range []pebble.Sync{pebble.SyncNever, pebble.SyncInterval(time.Millisecond)} {
		f := failsAt(math.MaxInt64, true, &vfsPathError)
		s, err := pebble.Open(pebble.Options{Dir: "data", Sync: sync, FS: errorfs.Wrap(vfs.NewMem(), f), Logger: silent})
		require.NoError(t, err)
		f.now()
		c := newClient("a")
		c.publish(s, 100, 1000, 1000) // more than the library gathers before it writes
		take(t, s.Failed())
		c.publish(s, 1, 10, 10)
		require.ErrorContains(t, c.wait(t), "no space left on device; free space on the data directory's disk, and then restart the broker: what was confirmed last may be lost, since it ran with sync "+sync.String())
		require.Equal(t, s.Err(), s.Close())
	}
}

var vfsPathError = pathError{Op: "write", Path: "/secret/data/000004.log", Err: syscall.ENOSPC}

// hanging stops operations that match until it is let go.
type hanging struct {
	match atomic.Pointer[func(op errorfs.Op) bool]
	hangs chan struct{} // gets one for each that stops
	free  chan struct{}
}

func newHanging() *hanging {
	return &hanging{hangs: make(chan struct{}, 100), free: make(chan struct{})}
}

func (h *hanging) String() string { return "hanging" }

func (h *hanging) MaybeError(op errorfs.Op) error {
	if m := h.match.Load(); m != nil && (*m)(op) {
		h.hangs <- struct{}{}
		<-h.free
	}
	return nil
}

func (h *hanging) on(match func(op errorfs.Op) bool) { h.match.Store(&match) }

// TestHangingSync: a sync of the log that never comes back, and a failure meanwhile. All are answered, and Close returns, with the committing
// goroutine still in the library.
func TestHangingSync(t *testing.T) {
	h := newHanging()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), h), Logger: silent})
	require.NoError(t, err)
	c, d := newClient("a"), newClient("b")
	c.publish(s, 3, 10, 10)
	require.NoError(t, c.wait(t))
	h.on(func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo)
	})
	c.publish(s, 1, 10, 10)
	take(t, h.hangs)
	for range 10 { // these gather in the open group
		c.publish(s, 1, 10, 10)
		d.publish(s, 1, 10, 10)
	}
	statted := make(chan error, 1)
	go func() {
		_, err := s.Stat("a") // which waits for the group, and shows nothing of it
		statted <- err
	}()
	s.Fail(errDisk)
	require.ErrorContains(t, c.wait(t), "on fire")
	require.ErrorContains(t, d.wait(t), "on fire")
	require.Equal(t, s.Err(), take(t, statted))
	require.NoError(t, c.answers[0])
	for _, err := range c.answers[1:] {
		require.Equal(t, s.Err(), err)
	}
	refuses(t, s, "while the sync hangs: ")
	require.Equal(t, s.Err(), s.Close())
	close(h.free)
}

// TestHangingRead: a read that never comes back holds up nobody's failure.
func TestHangingRead(t *testing.T) {
	disk := vfs.NewMem()
	h := newHanging()
	o := pebble.Options{Dir: "data", FS: errorfs.Wrap(disk, h), MemTableBytes: 64 << 10, Logger: silent}
	s, err := pebble.Open(o)
	require.NoError(t, err)
	c := newClient("a")
	c.publish(s, 200, 1000, 500)
	require.NoError(t, c.wait(t))
	require.NoError(t, s.Close())
	s, err = pebble.Open(o)
	require.NoError(t, err)
	h.on(func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") })
	s.Load(c, math.MaxInt64)
	take(t, h.hangs)
	s.Read(c, store.Read{After: 0, Last: 10, Frames: 5, Bytes: 100})
	s.Fail(errDisk)
	require.Equal(t, s.Err(), take(t, c.loaded).err)
	require.Equal(t, s.Err(), take(t, c.bodies).err)
	refuses(t, s, "while a read hangs: ")
	require.Equal(t, s.Err(), s.Close())
	close(h.free)
}

// TestHole: what is asked for and is not there fails the store.
func TestHole(t *testing.T) {
	for name, ask := range map[string]func(s *pebble.Store, c *client) error{
		"a frame beyond the head": func(s *pebble.Store, c *client) error {
			s.Read(c, store.Read{After: 3, Last: 9, Frames: 9, Bytes: 999})
			return take(t, c.bodies).err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem(), Logger: silent})
			require.NoError(t, err)
			c := newClient("a")
			c.publish(s, 3, 10, 10)
			require.NoError(t, c.wait(t))
			err = ask(s, c)
			require.ErrorContains(t, err, "missing")
			require.ErrorContains(t, err, "restante store check")
			require.Equal(t, s.Err(), err)
			refuses(t, s, "")
			require.Equal(t, s.Err(), s.Close())
		})
	}
}
