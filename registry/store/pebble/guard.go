package pebble

import (
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the disk as the library sees it. A write or a sync that fails never returns to the library: it fails the store, and its
// goroutine stands still for good. The library takes such errors badly: some it answers by panicking without a lock that its deferred
// calls unlock, which no one can recover from, some it hears of only at the next sync, and a failed flush it tries again without end.
// Once the store has failed for whatever reason, every call stands still: nothing is written or read any more.
type guard struct {
	vfs.FS
	fail func(doing, path string, err error)
	dead atomic.Bool

	mu   sync.Mutex
	lock io.Closer // the directory's, while it is held
}

// stop ends every use of the disk and lets go of the directory. A call under way may still end, in the disk's own time.
func (g *guard) stop() {
	g.dead.Store(true)
	g.mu.Lock()
	lock := g.lock
	g.lock = nil
	g.mu.Unlock()
	if lock != nil {
		_ = lock.Close() // there is nobody left to tell
	}
}

// park stands still for good.
func park() { select {} }

// pass is where each call begins.
func (g *guard) pass() {
	if g.dead.Load() {
		park()
	}
}

// judge is where each writing call ends. It returns only if the call went well.
func (g *guard) judge(doing, path string, err error) {
	if err != nil {
		g.fail(doing, path, err)
		park()
	}
	g.pass()
}

func (g *guard) written(f vfs.File, path string, err error) (vfs.File, error) {
	g.judge("making", path, err)
	return &guardedFile{File: f, guard: g, path: path}, nil
}

func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	g.pass()
	f, err := g.FS.Create(name, c)
	return g.written(f, name, err)
}

func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	g.pass()
	f, err := g.FS.OpenReadWrite(name, c, opts...)
	return g.written(f, name, err)
}

func (g *guard) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	g.pass()
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	return g.written(f, newname, err)
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	g.pass()
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, path: name}, nil
}

func (g *guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	g.pass()
	f, err := g.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, path: name, reads: true}, nil
}

func (g *guard) Rename(oldname, newname string) error {
	g.pass()
	g.judge("renaming", newname, g.FS.Rename(oldname, newname))
	return nil
}

func (g *guard) MkdirAll(dir string, perm os.FileMode) error {
	g.pass()
	g.judge("making", dir, g.FS.MkdirAll(dir, perm))
	return nil
}

// Link, Remove and RemoveAll lose nothing where they fail: the library says so in its log, and goes on.

func (g *guard) Link(oldname, newname string) error {
	g.pass()
	return g.FS.Link(oldname, newname)
}

func (g *guard) Remove(name string) error {
	g.pass()
	return g.FS.Remove(name)
}

func (g *guard) RemoveAll(name string) error {
	g.pass()
	return g.FS.RemoveAll(name)
}

func (g *guard) List(dir string) ([]string, error) {
	g.pass()
	return g.FS.List(dir)
}

func (g *guard) Stat(name string) (vfs.FileInfo, error) {
	g.pass()
	return g.FS.Stat(name)
}

// GetDiskUsage is of use to the library, and no reason to end where the disk cannot tell.
func (g *guard) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	g.pass()
	u, err := g.FS.GetDiskUsage(path)
	if err != nil {
		return u, vfs.ErrUnsupported
	}
	return u, nil
}

// Lock keeps what it locks, so that stop can let go of it while the library cannot.
func (g *guard) Lock(name string) (io.Closer, error) {
	l, err := g.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.lock = l
	g.mu.Unlock()
	return unlocker{g}, nil
}

// Unwrap is the disk below.
func (g *guard) Unwrap() vfs.FS { return g.FS }

type unlocker struct{ g *guard }

func (u unlocker) Close() error {
	u.g.mu.Lock()
	defer u.g.mu.Unlock()
	if u.g.lock == nil {
		return nil
	}
	err := u.g.lock.Close()
	u.g.lock = nil
	return err
}

// guardedFile is a file, or a directory, of a guarded disk. One that is only read has nothing to lose when it is closed.
type guardedFile struct {
	vfs.File
	guard *guard
	path  string
	reads bool
}

func (f *guardedFile) Read(p []byte) (int, error) {
	f.guard.pass()
	return f.File.Read(p)
}

func (f *guardedFile) ReadAt(p []byte, off int64) (int, error) {
	f.guard.pass()
	return f.File.ReadAt(p, off)
}

func (f *guardedFile) Write(p []byte) (int, error) {
	f.guard.pass()
	n, err := f.File.Write(p)
	f.guard.judge("writing", f.path, err)
	return n, nil
}

func (f *guardedFile) WriteAt(p []byte, off int64) (int, error) {
	f.guard.pass()
	n, err := f.File.WriteAt(p, off)
	f.guard.judge("writing", f.path, err)
	return n, nil
}

func (f *guardedFile) Sync() error {
	f.guard.pass()
	f.guard.judge("syncing", f.path, f.File.Sync())
	return nil
}

func (f *guardedFile) SyncData() error {
	f.guard.pass()
	f.guard.judge("syncing", f.path, f.File.SyncData())
	return nil
}

func (f *guardedFile) SyncTo(length int64) (bool, error) {
	f.guard.pass()
	full, err := f.File.SyncTo(length)
	f.guard.judge("syncing", f.path, err)
	return full, nil
}

func (f *guardedFile) Close() error {
	f.guard.pass()
	err := f.File.Close()
	if !f.reads {
		f.guard.judge("closing", f.path, err)
	}
	return err
}
