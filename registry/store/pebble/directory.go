package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Beside the library's files lies one of ours, which says what the directory is. It is read before the library touches anything.
const (
	markFile   = "RESTANTE"
	markTemp   = "RESTANTE.tmp"
	lockFile   = "LOCK" // the library's own, so that its tools keep out too
	markText   = "restante store, format "
	unfinished = ", unfinished" // the directory is being made: nothing was ever confirmed from it
	// format is the one that this code reads and writes.
	format = 2
)

// standing is what a directory is found to be.
type standing int

const (
	dirMissing standing = iota
	dirEmpty
	dirUnfinished
	dirStore
)

// directory is where a store lies, or may lie.
type directory struct {
	fs   vfs.FS
	path string
}

func (d directory) join(name string) string { return d.fs.PathJoin(d.path, name) }

// examine looks at d and changes nothing. Its errors are sentences.
func (d directory) examine() (standing, error) {
	info, err := d.fs.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return dirMissing, nil
	case err != nil:
		return 0, d.refused("looked at", err)
	case !info.IsDir():
		return 0, fmt.Errorf("%s is not a directory: name another data directory", d.path)
	}
	names, err := d.fs.List(d.path)
	if err != nil {
		return 0, d.refused("read", err)
	}
	mark, other := false, ""
	for _, n := range names {
		switch n {
		case markFile:
			mark = true
		case markTemp, lockFile:
		default:
			other = n
		}
	}
	if !mark && other != "" {
		return 0, fmt.Errorf("%s is not a restante store, and holds other things (%s): name an empty or a new directory", d.path, other)
	}
	if !mark {
		return dirEmpty, nil
	}
	text, err := d.read(markFile)
	if err != nil {
		return 0, d.refused("read", err)
	}
	return d.standing(text)
}

// standing reads the mark.
func (d directory) standing(text string) (standing, error) {
	number, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), markText)
	number, half := strings.CutSuffix(number, unfinished)
	n, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil || n < 1:
		return 0, fmt.Errorf("the file %s of %s does not say what store this is, but %.60q: restore the directory from a backup", markFile, d.path, text)
	case n < format:
		return 0, fmt.Errorf("the store in %s has format %d, of a version of restante before its first release, which this one does not read: move the directory away and begin a new one", d.path, n)
	case n > format:
		return 0, fmt.Errorf("the store in %s has format %d, and this version of restante knows formats up to %d: run the version that made it, or a later one", d.path, n, format)
	case half:
		return dirUnfinished, nil
	}
	return dirStore, nil
}

func (d directory) read(name string) (text string, err error) {
	f, err := d.fs.Open(d.join(name))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, 1000))
	return string(b), err
}

// mark writes the mark, so that it is whole or as it was.
func (d directory) mark(text string) error {
	f, err := d.fs.Create(d.join(markTemp), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.fs.Rename(d.join(markTemp), d.join(markFile)); err != nil {
		return err
	}
	return d.sync(d.path)
}

func (d directory) sync(path string) error {
	f, err := d.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// make makes the directory, and those above it that are missing, for the broker's own user alone.
func (d directory) make() error {
	var above []string
	for path := d.path; ; path = d.fs.PathDir(path) {
		if _, err := d.fs.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) || path == d.fs.PathDir(path) {
			break
		}
		above = append(above, d.fs.PathDir(path))
	}
	if err := d.fs.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	for _, path := range above {
		if err := d.sync(path); err != nil {
			return err
		}
	}
	return nil
}

// libraryFile tells what a making that did not come to its end has left.
var libraryFile = regexp.MustCompile(`^(\d{6,}\.(log|sst|blob|dbtmp)|(MANIFEST|OPTIONS)-\d+|marker\..*|temporary\..*)$`)

// clear removes what an unfinished making has left, and nothing else. Its errors are sentences.
func (d directory) clear() error {
	names, err := d.fs.List(d.path)
	if err != nil {
		return d.refused("read", err)
	}
	for _, n := range names {
		if n == markFile || n == markTemp || n == lockFile {
			continue
		}
		if !libraryFile.MatchString(n) {
			return fmt.Errorf("%s holds %s, which is not a store's: take it away", d.path, n)
		}
		if err := d.fs.Remove(d.join(n)); err != nil {
			return d.refused("cleared", err)
		}
	}
	if err := d.sync(d.path); err != nil {
		return d.refused("written", err)
	}
	return nil
}

// refused says that the system does not let the directory be used.
func (d directory) refused(what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the data directory %s cannot be %s: %w; give the broker's user the right to read and write it, or name another", d.path, what, plain(err))
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s is not a directory: name another data directory", d.path)
	}
	return fmt.Errorf("the data directory %s cannot be %s: %w; %s", d.path, what, plain(err), remedy(err))
}

// lock takes d for this process, for as long as the closer is not closed.
func (d directory) lock() (io.Closer, error) {
	l, err := d.fs.Lock(d.join(lockFile))
	if err == nil {
		return l, nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return nil, d.refused("locked", err)
	}
	return nil, fmt.Errorf("the store in %s is in use by another process (%w): stop that one first, or name another data directory", d.path, err)
}
