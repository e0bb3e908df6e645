package pebble_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// checked makes a store with two clients that have all there is, lets spoil do something to it, and checks it.
func checked(t *testing.T, spoil func(db *crdb.DB, shared store.BodyID, a, b *client)) (dir string, r pebble.Report) {
	t.Helper()
	dir = t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	a, b := newClient("a"), newClient("a.b")
	a.publish(s, 10, 100, 6)
	at := int64(7200_000)
	shared := s.Share(protocol.Body(`{"type":"s"}`), at)
	u := store.Update{Was: a.is, Is: a.is, First: 11, At: at, Bodies: []protocol.Body{protocol.Body(`{"type":"s"}`)}, Shared: []store.BodyID{shared},
		Record: &store.Record{Key: [16]byte{1}}, Snapshot: []byte(`{"all":11}`)}
	u.Is.Head, u.Is.SnapshotAsOf, u.Is.SnapshotBytes, u.Is.Records = 11, 11, 10, 1
	a.give(s, u)
	b.publish(s, 3, 10, 3)
	require.NoError(t, a.wait(t))
	require.NoError(t, b.wait(t))
	if spoil != nil {
		spoil(s.Raw(), shared, a, b)
	}
	require.NoError(t, s.Close())
	before := contents(t, dir)
	r, err = pebble.Check(dir)
	require.NoError(t, err)
	require.Equal(t, before, contents(t, dir), "a check has changed the directory")
	return dir, r
}

// contents are the files of a directory, as their hashes.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	files := map[string][32]byte{}
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n.Name()))
		require.NoError(t, err)
		files[n.Name()] = sha256.Sum256(b)
	}
	return files
}

func TestCheckGood(t *testing.T) {
	_, r := checked(t, nil)
	require.Empty(t, r.Problems)
	require.Equal(t, int64(2), r.Totals.Clients)
	require.Equal(t, int64(7+3), r.Totals.Frames)
	require.Equal(t, []int64{1, 1, 1}, []int64{r.Records, r.Snapshots, r.Shared})
	require.True(t, r.Clean)
	require.Equal(t, uint32(1), r.Generation)
}

// TestCheckFinds spoils one thing after another, and holds the check to saying so.
func TestCheckFinds(t *testing.T) {
	set := func(key, value []byte) func(*crdb.DB, store.BodyID, *client, *client) {
		return func(db *crdb.DB, _ store.BodyID, _, _ *client) { require.NoError(t, db.Set(key, value, crdb.Sync)) }
	}
	remove := func(key []byte) func(*crdb.DB, store.BodyID, *client, *client) {
		return func(db *crdb.DB, _ store.BodyID, _, _ *client) { require.NoError(t, db.Delete(key, crdb.Sync)) }
	}
	state := func(change func(is *store.State)) func(*crdb.DB, store.BodyID, *client, *client) {
		return func(db *crdb.DB, _ store.BodyID, _, b *client) {
			is := b.is
			change(&is)
			require.NoError(t, db.Set(pebble.KeyOf('c', "a.b"), pebble.StateValue(is, 1), crdb.Sync))
		}
	}
	for name, c := range map[string]struct {
		spoil func(*crdb.DB, store.BodyID, *client, *client)
		want  string
	}{
		"a hole":             {remove(pebble.NumberedKey('f', "a", 8)), "client a: the frames 8 to 8 are missing"},
		"the newest missing": {remove(pebble.NumberedKey('f', "a.b", 3)), "client a.b: the frames 3 to 3 are missing"},
		"a frame too many":   {set(pebble.NumberedKey('f', "a.b", 4), []byte("\x01\x02{\"type\":\"x\"}")), "client a.b: there is a frame 4, beside the frames 1 to 3"},
		"a frame long gone":  {set(pebble.NumberedKey('f', "a", 2), []byte("\x01\x02{\"type\":\"x\"}")), "client a: there is a frame 2, beside the frames 5 to 11"},
		"no frame":           {set(pebble.NumberedKey('f', "a", 8), []byte("\x09")), "client a: frame 8 is a value that cannot be read"},
		"no JSON":            {set(pebble.NumberedKey('f', "a", 8), []byte("\x01\x02{\"type\"")), "client a: frame 8: "},
		"no shared body": {func(db *crdb.DB, id store.BodyID, _, _ *client) {
			require.NoError(t, db.Delete(pebble.BodyKey(id), crdb.Sync))
		}, "the shared body of frame 11 of a is missing"},
		"no snapshot":           {remove(pebble.KeyOf('s', "a")), "client a: its snapshot is missing"},
		"another snapshot":      {set(pebble.KeyOf('s', "a"), []byte("\x01\x0b{}")), "client a: its snapshot has 2 bytes, not 10"},
		"a snapshot of another": {set(pebble.KeyOf('s', "a"), []byte("\x01\x0a{}")), "client a: its snapshot is as of 10, not 11"},
		"a record not counted":  {set(pebble.NumberedKey('r', "a.b", 3), append(append([]byte{1}, make([]byte, 32)...), 0, 0)), "client a.b: there are 1 records, not 0"},
		"a record too many":     {set(pebble.NumberedKey('r', "a.b", 3), append(make([]byte, 33), 5, 0)), "client a.b: the record at frame 3 is a value that cannot be read"},
		"a record beyond":       {set(pebble.NumberedKey('r', "a.b", 3), append(append([]byte{1}, make([]byte, 32)...), 5, 0)), "client a.b: there is a record of the frames 3 to 8, beside those from 1 to 3"},
		"floor above head":      {state(func(is *store.State) { is.Floor = 9 }), "client a.b: its floor, 9, is above its head, 3"},
		"cleaned above floor":   {state(func(is *store.State) { is.Cleaned = 1 }), "client a.b: its cleaned, 1, is above its floor, 0"},
		"acked above head":      {state(func(is *store.State) { is.Acked = 4 }), "client a.b: its acked, 4, is above its head, 3"},
		"other bytes":           {state(func(is *store.State) { is.Bytes++ }), "the totals are 2 clients, 0 topics, 10 frames and "},
		"no epoch":              {state(func(is *store.State) { is.Epoch = 0 }), "client a.b: it has no epoch"},
		"no state":              {set(pebble.KeyOf('c', "a.b"), []byte("\x07")), `the state of "a.b": a value that cannot be read`},
		"a client of no name":   {set(pebble.KeyOf('c', "a b"), pebble.StateValue(store.State{Epoch: 1}, 1)), "the client_id"},
		"a frame of nobody":     {set(pebble.NumberedKey('f', "b", 1), []byte("\x01\x02{}")), "there is something of client b, which is not there"},
		"a record of nobody":    {set(pebble.NumberedKey('r', "b", 1), []byte("\x01\x02{}")), "there is something of client b, which is not there"},
		"a snapshot of nobody":  {set(pebble.KeyOf('s', "a.b"), []byte("\x01{}")), "there is something of client a.b, which is not there"},
		"an unknown key":        {set([]byte("zebra"), nil), `there is an unknown key, "zebra"`},
		"a key that is none":    {set([]byte("frame"), nil), `there is a key that is none, "frame"`},
		"an odd body":           {set([]byte("b12"), nil), `the shared body "b12" cannot be read`},
		"an odd meta":           {set([]byte("mx"), nil), `there is an unknown key, "mx"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := checked(t, c.spoil)
			require.Contains(t, strings.Join(r.Problems, "\n"), c.want)
			require.Len(t, r.Problems, r.Found)
		})
	}
}

// TestCheckRefuses: a directory in use, or without a store, is not checked.
func TestCheckRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, err := pebble.Check(dir)
	require.ErrorContains(t, err, "there is no store in "+dir+": name the data directory of a broker")
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	s, err := pebble.Open(pebble.Options{Dir: dir})
	require.NoError(t, err)
	_, err = pebble.Check(dir)
	require.ErrorContains(t, err, "is in use by another process")
	require.ErrorContains(t, pebble.Dump(dir, "a", new(bytes.Buffer)), "is in use by another process")
	require.NoError(t, s.Close())
	_, err = pebble.Check(dir)
	require.NoError(t, err)
}

// TestCheckAltered: a table in which a bit has flipped, and a log, are named.
func TestCheckAltered(t *testing.T) {
	dir, _ := stored(t, 300, true)
	table := newest(t, dir, "*.sst")
	flip(t, table, 2000)
	r, err := pebble.Check(dir)
	require.NoError(t, err)
	require.NotZero(t, r.Found)
	flip(t, table, 2000)
	r, err = pebble.Check(dir)
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	require.False(t, r.Clean)
	log := newest(t, dir, "*.log")
	flip(t, log, 100)
	_, err = pebble.Check(dir)
	require.ErrorContains(t, err, filepath.Base(log))
}

// TestP1_Dump: a client's retained frames come as they would travel (P-1), shared bodies too.
func TestP1_Dump(t *testing.T) {
	dir, _ := checked(t, nil)
	before := contents(t, dir)
	var out bytes.Buffer
	require.NoError(t, pebble.Dump(dir, "a", &out))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, lines, 7)
	require.True(t, strings.HasPrefix(lines[0], `{"seq":5,"type":"f","n":5,`), lines[0])
	require.Equal(t, `{"seq":11,"type":"s"}`, lines[6])
	require.ErrorContains(t, pebble.Dump(dir, "nobody", &out), "there is no client nobody in the store in "+dir)
	require.Equal(t, before, contents(t, dir), "a dump has changed the directory")
}
