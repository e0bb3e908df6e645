package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// filer is a client's actor that only keeps frames.
type filer struct{ answer chan error }

func (filer) ClientID() string                           { return "tab-1" }
func (f filer) Confirmed(_ uint64, err error)            { f.answer <- err }
func (filer) Loaded(*store.Client, error)                {}
func (filer) Bodies(uint64, []protocol.Body, error)      {}
func (filer) SnapshotData(uint64, uint64, []byte, error) {}

// filed makes a store with two frames of tab-1, which says of itself that it has so many.
func filed(t *testing.T, says uint64) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	f := filer{make(chan error, 1)}
	now, err := s.Commit(f, &store.Update{First: 1, Bodies: []protocol.Body{protocol.Body(`{"type":"a"}`), protocol.Body(`{"type":"b"}`)},
		Is: store.State{Epoch: 5, Head: says, Bytes: 152}})
	require.NoError(t, err)
	require.False(t, now)
	require.NoError(t, <-f.answer)
	require.NoError(t, s.Close())
	return dir
}

func TestStoreDump(t *testing.T) {
	dir := filed(t, 2)
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "store", "dump", dir, "tab-1"), c.err.String())
	require.Equal(t, "{\"seq\":1,\"type\":\"a\"}\n{\"seq\":2,\"type\":\"b\"}\n", c.out.String())
	c = newCommand()
	require.Equal(t, exitFailed, c.run("", "store", "dump", dir, "tab-2"))
	require.Equal(t, "restante: there is no client tab-2 in the store in "+dir+"\n", c.err.String())
	c = newCommand()
	require.Equal(t, exitUsage, c.run("", "store", "dump", dir, "tab 2"))
	require.Contains(t, c.err.String(), "Try restante store dump --help.")
}

func TestStoreCheck(t *testing.T) {
	dir := filed(t, 2)
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "store", "check", dir), c.err.String())
	require.Equal(t, "1 clients, 0 topics, 2 frames, 0 records, 0 snapshots, 0 subscriptions, 0 shared bodies; 152 bytes counted; generation 1, was closed in good order\n", c.out.String())
	require.Empty(t, c.err.String())

	dir = filed(t, 3)
	c = newCommand()
	require.Equal(t, exitFailed, c.run("", "store", "check", dir))
	require.Contains(t, c.err.String(), "restante: client tab-1: the frames 3 to 3 are missing\n")
	require.Contains(t, c.err.String(), "restante: 1 problems in "+dir)

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "photo.jpg"), nil, 0o600))
	c = newCommand()
	require.Equal(t, exitFailed, c.run("", "store", "check", other))
	require.Contains(t, c.err.String(), "is not a restante store")
}

// TestStoreInUse: the directory of a running broker is left alone.
func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for _, args := range [][]string{{"store", "check", dir}, {"store", "dump", dir, "tab-1"}} {
		c := newCommand()
		require.Equal(t, exitFailed, c.run("", args...))
		require.Contains(t, c.err.String(), "is in use by another process")
	}
}
