package pebble_test

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// TestP26_Generation: a store that was not closed in good order begins a new generation, unless it synced each group (P-26); a client loaded then
// says in which it was written.
func TestP26_Generation(t *testing.T) {
	interval := pebble.SyncInterval(time.Millisecond)
	for name, c := range map[string]struct {
		first, second pebble.Sync
		crash         bool
		want          uint32
	}{
		"always, closed":             {pebble.SyncAlways, pebble.SyncAlways, false, 1},
		"always, crashed":            {pebble.SyncAlways, pebble.SyncAlways, true, 1},
		"interval, closed":           {interval, interval, false, 1},
		"interval, crashed":          {interval, interval, true, 2},
		"never, closed":              {pebble.SyncNever, pebble.SyncNever, false, 1},
		"never, crashed":             {pebble.SyncNever, pebble.SyncNever, true, 2},
		"never, crashed, now always": {pebble.SyncNever, pebble.SyncAlways, true, 2},
		"always, crashed, now never": {pebble.SyncAlways, pebble.SyncNever, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			s, err := pebble.Open(pebble.Options{Dir: "data", FS: disk, Sync: c.first})
			require.NoError(t, err)
			require.Equal(t, uint32(1), s.Generation())
			a := newClient("a")
			a.publish(s, 1, 10, 10)
			require.NoError(t, a.wait(t))
			left := disk.CrashClone(vfs.CrashCloneCfg{})
			require.NoError(t, s.Close())
			if !c.crash {
				left = disk
			}
			s, err = pebble.Open(pebble.Options{Dir: "data", FS: left, Sync: c.second})
			require.NoError(t, err)
			require.Equal(t, c.want, s.Generation())
			l, err := a.load(t, s, 0)
			require.NoError(t, err)
			if l != nil { // a crash may have lost it, where not each group was synced
				require.Equal(t, uint32(1), l.Generation)
			} else {
				require.True(t, c.crash && c.first != pebble.SyncAlways)
			}
			a = newClient("b")
			a.publish(s, 1, 10, 10)
			require.NoError(t, a.wait(t))
			l, err = a.load(t, s, 0)
			require.NoError(t, err)
			require.Equal(t, c.want, l.Generation)
			require.NoError(t, s.Close())
			s, err = pebble.Open(pebble.Options{Dir: "data", FS: left, Sync: c.second})
			require.NoError(t, err)
			require.Equal(t, c.want, s.Generation(), "closed in good order, it stands")
			require.NoError(t, s.Close())
		})
	}
}

// TestInterval: what was confirmed is synced within the interval, without another update.
func TestInterval(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var syncs atomic.Int64
	synced := make(chan struct{}, 1000)
	watched := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if filepath.Ext(op.Path) == ".log" && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			syncs.Add(1)
			synced <- struct{}{}
		}
		return nil
	}))
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: watched, Sync: pebble.SyncInterval(5 * time.Millisecond)})
	require.NoError(t, err)
	for len(synced) > 0 {
		<-synced
	}
	c := newClient("a")
	before := syncs.Load()
	for range 5 {
		c.publish(s, 1, 10, 10)
		require.NoError(t, c.wait(t))
	}
	take(t, synced)

	require.LessOrEqual(t, syncs.Load()-before, int64(5))
	require.NoError(t, s.Close())
}

// TestSpaceIsGivenBack: after acks, the giving back of what is dead, and a tidying, the directory is small again.
func TestSpaceIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: dir, MemTableBytes: 256 << 10, Sync: pebble.SyncNever, Logger: silent})
	require.NoError(t, err)
	var clients []*client
	for i := range 8 {
		c := newClient(string(rune('a' + i)))
		clients = append(clients, c)
		for range 20 {
			noisy(c, s, 50, 1500)
			require.NoError(t, c.wait(t))
		}
	}
	full := size(t, dir)
	require.Greater(t, full, int64(8<<20))
	for _, c := range clients {
		c.publish(s, 0, 0, 1)
		require.NoError(t, c.wait(t))
	}
	require.NoError(t, s.Tidy(context.Background(), 0))
	require.NoError(t, s.Close())
	require.Less(t, size(t, dir), int64(3<<20), "of %d", full)
	s, err = pebble.Open(pebble.Options{Dir: dir, MemTableBytes: 256 << 10})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Less(t, size(t, dir), int64(3<<20), "of %d", full)
}

// TestSharedSpaceIsGivenBack: the bodies of an hour go together, and those of the next stay.
func TestSharedSpaceIsGivenBack(t *testing.T) {
	const hour = 3600_000
	dir := t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: dir, MemTableBytes: 256 << 10, Sync: pebble.SyncNever, Logger: silent})
	require.NoError(t, err)
	c := newClient("a")
	share := func(at int64, n int) {
		for range n {
			c.token++
			u := store.Update{Token: c.token, Was: c.is, Is: c.is, First: c.is.Head + 1, At: at}
			b := noise(int(c.token), 6000)
			u.Bodies, u.Shared = []protocol.Body{b}, []store.BodyID{s.Share(b, at)}
			u.Is.Epoch, u.Is.Head = 5, u.First
			u.Is.Floor, u.Is.Cleaned = u.Is.Head-1, u.Is.Head-1
			c.is = u.Is
			_, err := s.Commit(c, &u)
			require.NoError(t, err)
			require.NoError(t, c.wait(t)) // a log that held a large group is large, also when it is used again
		}
	}
	share(7*hour+hour-1, 3_500)
	share(8*hour, 50)
	full := size(t, dir)
	gone, leave := context.WithCancel(context.Background())
	leave()
	require.ErrorIs(t, s.Tidy(gone, 0), context.Canceled, "who has no time is not kept")
	require.NoError(t, s.Err(), "and the store takes no harm")
	require.NoError(t, s.Tidy(context.Background(), 8*hour))
	l, err := c.load(t, s, math.MaxInt64)
	require.NoError(t, err)
	require.Len(t, l.Frames[0].Body, len(noise(1, 6000)))
	require.NoError(t, s.Close())
	require.Greater(t, full, int64(9<<20))
	require.Less(t, size(t, dir), int64(3<<20), "of %d", full)
}

// noisy publishes frames that no compression makes smaller, and has none of them dropped.
func noisy(c *client, s store.Store, frames, length int) {
	u := store.Update{Was: c.is, Is: c.is, First: c.is.Head + 1, At: 1}
	u.Is.Epoch = 5
	for range frames {
		u.Is.Head++
		b := noise(int(u.Is.Head), length)
		c.given[u.Is.Head] = b
		u.Bodies = append(u.Bodies, b)
		u.Is.Bytes += int64(len(b)) + protocol.FrameOverhead
	}
	c.give(s, u)
}

// size is what lies in a directory, by the length of its files.
func size(t *testing.T, dir string) (bytes int64) {
	require.NoError(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if os.IsNotExist(err) { // the library cleans up meanwhile
			return nil
		}
		bytes += info.Size()
		return err
	}))
	return bytes
}

// TestStartReadsNoClients: to open a store of 100,000 clients as little is read as to open one of 10.
func TestStartReadsNoClients(t *testing.T) {
	few, many := started(t, 10), started(t, 100_000)
	t.Logf("read at the start: %d bytes with 10 clients, %d with 100,000", few, many)
	require.Less(t, many, few+64<<10)
}

func started(t *testing.T, clients int) (read int64) {
	disk := vfs.NewMem()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: disk, Sync: pebble.SyncNever})
	require.NoError(t, err)
	c := newClient("")
	u := store.Update{Is: store.State{Epoch: 1, Head: 1, Bytes: 90}, First: 1, Bodies: []protocol.Body{protocol.Body(`{"type":"f","number":1}`)}}
	for i := range clients {
		c.id = clientID(i)
		c.token++
		u.Token = c.token
		_, err := s.Commit(c, &u)
		require.NoError(t, err)
	}
	require.NoError(t, c.wait(t))
	for range 2 { // the first opening reads what is left in the log
		require.NoError(t, s.Close())
		counted := &counting{FS: disk}
		s, err = pebble.Open(pebble.Options{Dir: "data", FS: counted, Sync: pebble.SyncNever}.Still())
		require.NoError(t, err)
		read = counted.read.Load()
	}
	require.Equal(t, int64(clients), s.Totals().Clients)
	require.NoError(t, s.Close())
	return read
}

// counting counts the bytes that are read of a disk.
type counting struct {
	vfs.FS
	read atomic.Int64
}

func (c *counting) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return countingFile{f, c}, nil
}

type countingFile struct {
	vfs.File
	c *counting
}

func (f countingFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.c.read.Add(int64(n))
	return n, err
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.c.read.Add(int64(n))
	return n, err
}
