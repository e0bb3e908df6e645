package pebble_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/registry/store/pebble"
)

// stored makes a store in a directory, as a process leaves it that the power was cut off in the middle of its work. With tables
// half of the frames lie in one.
func stored(t *testing.T, frames int, tables bool) (dir string, c *client) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: disk}.Still())
	require.NoError(t, err)
	c = newClient("a")
	c.publish(s, 1, 500, 0) // so that the totals of dead bytes are never 0
	for i := range frames - 1 {
		c.publish(s, 1, 500, math.MaxInt)
		require.NoError(t, c.wait(t))
		if tables && i == frames/2 {
			require.NoError(t, s.Raw().Flush())
		}
	}
	dir = filepath.Join(t.TempDir(), "left")
	_, err = vfs.Clone(disk.CrashClone(vfs.CrashCloneCfg{}), vfs.Default, "data", dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return dir, c
}

// newest is the file of a pattern that sorts last.
func newest(t *testing.T, dir, pattern string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, all, pattern)
	return all[len(all)-1]
}

// written is the length of what was written to a log; zeros follow it, which were only reserved.
func written(t *testing.T, log string) int {
	t.Helper()
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	return len(bytes.TrimRight(b, "\x00"))
}

// whole opens the directory and looks for every frame.
func whole(t *testing.T, dir string, c *client) {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: dir, Logger: silent})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	l, err := c.load(t, s, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, c.is, l.State)
	for i, f := range l.Frames {
		require.Equal(t, string(c.given[c.is.Floor+uint64(i)+1]), string(f.Body))
	}
}

// damaged holds Open to refusing a directory with a sentence that says what to do, and to leaving it unlocked and as it was.
func damaged(t *testing.T, dir string, want ...string) {
	t.Helper()
	before := contents(t, dir)
	for range 2 {
		_, err := pebble.Open(pebble.Options{Dir: dir, Logger: silent})
		require.Error(t, err)
		for _, w := range append(want, dir, "is damaged and was not opened", "restore the directory from a backup") {
			require.ErrorContains(t, err, w)
		}
	}
	require.Equal(t, before, contents(t, dir), "a directory that was refused has been changed")
}

func flip(t *testing.T, file string, at int) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b[at] ^= 0x10
	require.NoError(t, os.WriteFile(file, b, 0o600))
}

// TestAlteredLog flips one bit at many places of the log, but for the last record: the store is refused each time.
func TestAlteredLog(t *testing.T) {
	dir, c := stored(t, 40, false)
	log := newest(t, dir, "*.log")
	end := written(t, log)
	require.Greater(t, end, 40*500)
	for at := 3; at < end-1500; at += 997 {
		flip(t, log, at)
		damaged(t, dir, filepath.Base(log))
		flip(t, log, at)
	}
	whole(t, dir, c)
}

// TestTornLog cuts the log's last record, as a write does that the power cut off and nobody was told of: the store opens, and all that was
// confirmed is there.
func TestTornLog(t *testing.T) {
	dir, c := stored(t, 20, false)
	log := newest(t, dir, "*.log")
	end := written(t, log)
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	torn := append(bytes.Clone(b[:end]), bytes.Clone(b[end-300:end-100])...) // a header that does not fit what follows it
	require.NoError(t, os.WriteFile(log, torn, 0o600))
	whole(t, dir, c)
}

// TestCutLog is what no store of this kind can see: a synced end that is gone. It opens with what is before it, and without a hole.
func TestCutLog(t *testing.T) {
	dir, c := stored(t, 20, false)
	log := newest(t, dir, "*.log")
	require.NoError(t, os.Truncate(log, int64(written(t, log)-200)))
	s, err := pebble.Open(pebble.Options{Dir: dir, Logger: silent})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	l, err := c.load(t, s, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, uint64(19), l.State.Head)
	require.Len(t, l.Frames, 18)
}

// TestDamagedFiles: a file that is missing or altered is named.
func TestDamagedFiles(t *testing.T) {
	dir, c := stored(t, 300, true)
	table := newest(t, dir, "*.sst")
	manifest := newest(t, dir, "MANIFEST-*")
	mark := newest(t, dir, "marker.manifest.*")
	for name, file := range map[string]string{"table": table, "manifest": manifest, "marker": mark} {
		t.Run("missing "+name, func(t *testing.T) {
			require.NoError(t, os.Rename(file, dir+".away"))
			damaged(t, dir)
			require.NoError(t, os.Rename(dir+".away", file))
		})
	}
	t.Run("a table cut short", func(t *testing.T) {
		b, err := os.ReadFile(table)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(table, b[:len(b)-10], 0o600))
		damaged(t, dir, filepath.Base(table)[:6])
		require.NoError(t, os.WriteFile(table, b, 0o600))
	})
	t.Run("an altered manifest", func(t *testing.T) {
		flip(t, manifest, 60)
		damaged(t, dir)
		flip(t, manifest, 60)
	})
	t.Run("a table altered in the middle", func(t *testing.T) { // which is not read at the start: what needs it fails
		away := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(away, os.DirFS(dir)))
		flip(t, filepath.Join(away, filepath.Base(table)), 2000)
		s, err := pebble.Open(pebble.Options{Dir: away, Logger: silent})
		if err != nil { // the log's replay wanted to compact them already
			require.ErrorContains(t, err, "is damaged")
			return
		}
		_, err = c.load(t, s, math.MaxInt64)
		require.ErrorContains(t, err, "restante store check")
		require.Equal(t, s.Err(), err)
		require.Equal(t, s.Err(), s.Close())
	})
	whole(t, dir, c)
}

// TestRefusedDirectories: the sentences of the directories that are no store, or not this process's.
func TestRefusedDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "photo.jpg"), nil, 0o600))
	marked := func(text string) string {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "RESTANTE"), []byte(text), 0o600))
		return dir
	}
	used := t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: used})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	denied := func(kind errorfs.OpKind, err error) vfs.FS {
		return errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return &pathError{Op: "open", Path: op.Path, Err: err}
			}
			return nil
		}))
	}
	for name, c := range map[string]struct {
		o    pebble.Options
		want string
	}{
		"none":                 {pebble.Options{}, "a store needs a data directory: name one"},
		"a file":               {pebble.Options{Dir: file}, file + " is not a directory: name another data directory"},
		"below a file":         {pebble.Options{Dir: filepath.Join(file, "x")}, "is not a directory: name another data directory"},
		"other things":         {pebble.Options{Dir: other}, other + " is not a restante store, and holds other things (photo.jpg): name an empty or a new directory"},
		"a newer format":       {pebble.Options{Dir: marked("restante store, format 3\n")}, "has format 3, and this version of restante knows formats up to 2: run the version that made it, or a later one"},
		"an earlier format":    {pebble.Options{Dir: marked("restante store, format 1\n")}, "has format 1, of a version of restante before its first release, which this one does not read: move the directory away and begin a new one"},
		"a newer one, and odd": {pebble.Options{Dir: marked("restante store, format 12, unfinished\n")}, "has format 12"},
		"an odd mark":          {pebble.Options{Dir: marked("hello")}, `does not say what store this is, but "hello": restore the directory from a backup`},
		"in use":               {pebble.Options{Dir: used}, "the store in " + used + " is in use by another process"},
		"no right to make":     {pebble.Options{Dir: "d", FS: denied(errorfs.OpMkdirAll, syscall.EACCES)}, "the data directory d cannot be made: permission denied; give the broker's user the right to read and write it, or name another"},
		"no right to lock":     {pebble.Options{Dir: "d", FS: denied(errorfs.OpLock, syscall.EACCES)}, "the data directory d cannot be locked: permission denied"},
		"no right to write":    {pebble.Options{Dir: "d", FS: denied(errorfs.OpCreate, syscall.EROFS)}, "the data directory d cannot be written: read-only file system; give"},
		"no space":             {pebble.Options{Dir: "d", FS: denied(errorfs.OpCreate, syscall.ENOSPC)}, "no space left on device; free space"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Logger = silent
			_, err := pebble.Open(c.o)
			require.ErrorContains(t, err, c.want)
		})
	}
	names, err := os.ReadDir(other)
	require.NoError(t, err)
	require.Len(t, names, 1, "a directory that is no store was written to")
}

// TestUnfinished: a directory whose making broke off held nothing, and is made anew; but nothing that is not a store's is removed.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("RESTANTE", "restante store, format 2, unfinished\n")
	write("000002.log", "rubbish")
	write("MANIFEST-000001", "rubbish")
	write("marker.manifest.000001.MANIFEST-000001", "")
	write("photo.jpg", "")
	_, err := pebble.Open(pebble.Options{Dir: dir})
	require.ErrorContains(t, err, dir+" holds photo.jpg, which is not a store's: take it away")
	require.NoError(t, os.Remove(filepath.Join(dir, "photo.jpg")))
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	text, err := os.ReadFile(filepath.Join(dir, "RESTANTE"))
	require.NoError(t, err)
	require.Equal(t, "restante store, format 2\n", string(text))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.True(t, info.IsDir())
}

// TestOwnDirectory: the directory that Open makes is for its own user alone.
func TestOwnDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}
