package pebble

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// names are those of clients, topics and patterns, longest and oddest.
var names = rapid.StringMatching(`[A-Za-z0-9._~:@*>-]{1,128}`)

// TestKeysComeBack takes apart what it put together, and holds the order of the keys to that of what they stand for.
func TestKeysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := names.Draw(t, "a"), names.Draw(t, "b")
		m, n := rapid.Uint64().Draw(t, "m"), rapid.Uint64().Draw(t, "n")
		for _, space := range []byte{spaceState, spaceSnapshot} {
			got, ok := parseName(appendName(nil, space, a))
			require.True(t, ok)
			require.Equal(t, a, got)
			require.Equal(t, cmp(a, b), bytes.Compare(appendName(nil, space, a), appendName(nil, space, b)))
		}
		for _, space := range []byte{spaceFrame, spaceRecord} {
			key := appendNumbered(nil, space, a, m)
			name, number, ok := parseNumbered(key)
			require.True(t, ok)
			require.Equal(t, a, name)
			require.Equal(t, m, number)
			want := cmp(a, b)
			if want == 0 {
				want = cmp(m, n)
			}
			require.Equal(t, want, bytes.Compare(key, appendNumbered(nil, space, b, n)))
		}
		for _, space := range []byte{spaceFollower, spaceSubscription, spacePattern} {
			first, second, ok := parsePair(appendPair(nil, space, a, b))
			require.True(t, ok)
			require.Equal(t, []string{a, b}, []string{first, second})
		}
		id := store.BodyID{Hour: rapid.Uint32().Draw(t, "hour"), N: m}
		got, ok := parseBody(appendBody(nil, id))
		require.True(t, ok)
		require.Equal(t, id, got)
	})
}

func cmp[T string | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestValuesComeBack takes apart what it put together, at the ends of the ranges too.
func TestValuesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) uint64 { return rapid.Uint64().Draw(t, name) }
		i := func(name string) int64 { return rapid.Int64().Draw(t, name) }
		k := kept{generation: rapid.Uint32().Draw(t, "generation"), State: store.State{
			Epoch: n("epoch"), Floor: n("floor"), Head: n("head"), Acked: n("acked"), Sent: n("sent"), RecordFloor: n("recordFloor"),
			Cleaned: n("cleaned"), RecordsCleaned: n("recordsCleaned"), Records: n("records"), Seen: i("seen"), Oldest: i("oldest"), Bytes: i("bytes"),
			SnapshotAsOf: n("asOf"), SnapshotBytes: rapid.IntRange(0, math.MaxInt32).Draw(t, "snapshotBytes"),
			All: n("all"), Follows: rapid.IntRange(0, math.MaxInt32).Draw(t, "follows"), Closed: rapid.Bool().Draw(t, "closed"),
		}}
		gotState, err := parseState(appendState(nil, &k))
		require.NoError(t, err)
		require.Equal(t, k, gotState)

		body := protocol.Body(rapid.SliceOf(rapid.Byte()).Draw(t, "body"))
		e, err := parseEntry(append(appendOwn(nil, i("at")), body...))
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, e.body))
		require.Equal(t, len(body), e.size)
		want := entry{at: i("at"), shared: store.BodyID{Hour: rapid.Uint32().Draw(t, "hour"), N: n("n")}, size: 77}
		e, err = parseEntry(appendShared(nil, want.at, want.shared, want.size))
		require.NoError(t, err)
		require.Equal(t, want, e)

		wantAsOf := n("snapshot's asOf")
		asOf, data, err := parseSnapshot(appendSnapshot(nil, wantAsOf, body))
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, data))
		require.Equal(t, wantAsOf, asOf)

		r := store.KeptRecord{First: n("first"), At: i("at")}
		r.Last = r.First + rapid.Uint64Range(0, math.MaxUint64-r.First).Draw(t, "more")
		r.Key[3], r.Sum[15] = 9, 8
		gotRecord, err := parseRecord(r.First, appendRecord(nil, &r))
		require.NoError(t, err)
		require.Equal(t, r, gotRecord)

		g := generation{number: 1 + rapid.Uint32Range(0, math.MaxUint32-1).Draw(t, "number"), opens: n("opens"), mode: mode(rapid.IntRange(0, 2).Draw(t, "mode")), clean: rapid.Bool().Draw(t, "clean")}
		gotGeneration, err := parseGeneration(appendGeneration(nil, g))
		require.NoError(t, err)
		require.Equal(t, g, gotGeneration)

		s := sums{Totals: store.Totals{Clients: i("clients"), Topics: i("topics"), Frames: i("frames"), Bytes: i("bytes")}, dead: i("dead"), group: n("group"), synced: n("synced")}
		gotSums, err := parseTotals(appendTotals(nil, s))
		require.NoError(t, err)
		require.Equal(t, s, gotSums)

		f := store.Follow{Cursor: n("cursor"), Named: rapid.Bool().Draw(t, "named")}
		gotFollow, err := parseFollow(appendFollow(nil, &f))
		require.NoError(t, err)
		require.Equal(t, f, gotFollow)

		hour := rapid.Uint32().Draw(t, "first hour")
		gotHour, err := parseHours(appendHours(nil, hour))
		require.NoError(t, err)
		require.Equal(t, hour, gotHour)
	})
}

// FuzzKeys: what can be taken apart is what putting it together gives.
func FuzzKeys(f *testing.F) {
	f.Add(appendNumbered(nil, spaceFrame, "tab-1", 7))
	f.Add(appendPair(nil, spaceFollower, "news.*", "tab-1"))
	f.Add(appendBody(nil, store.BodyID{Hour: 500_000, N: 3}))
	f.Add(appendName(nil, spaceState, "tab-1"))
	f.Add([]byte{spaceFrame, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, key []byte) {
		if name, ok := parseName(key); ok {
			require.Equal(t, key, appendName(nil, key[0], name))
		}
		if name, n, ok := parseNumbered(key); ok {
			require.Equal(t, key, appendNumbered(nil, key[0], name, n))
		}
		if a, b, ok := parsePair(key); ok {
			require.Equal(t, key, appendPair(nil, key[0], a, b))
		}
		if id, ok := parseBody(key); ok && key[0] == spaceBody {
			require.Equal(t, key, appendBody(nil, id))
		}
	})
}

// FuzzValues: no value makes a parser panic, and what it reads is the same when it is written and read again.
func FuzzValues(f *testing.F) {
	f.Add(appendState(nil, &kept{State: store.State{Epoch: 1, Head: 300, Seen: 1 << 40}, generation: 2}))
	f.Add(append(appendOwn(nil, 1<<40), `{"type":"f"}`...))
	f.Add(appendShared(nil, 1<<40, store.BodyID{Hour: 500_000, N: 3}, 70))
	f.Add(appendRecord(nil, &store.KeptRecord{First: 3, Last: 9, At: 7}))
	f.Add(appendGeneration(nil, generation{number: 1, opens: 5, mode: modeNever, clean: true}))
	f.Add(appendTotals(nil, sums{dead: 4, group: 9, synced: 8}))
	f.Add(appendFollow(nil, &store.Follow{Named: true, Cursor: 300}))
	f.Fuzz(func(t *testing.T, v []byte) {
		if k, err := parseState(v); err == nil {
			again, err := parseState(appendState(nil, &k))
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
		if e, err := parseEntry(v); err == nil && v[0] == formShared {
			again, err := parseEntry(appendShared(nil, e.at, e.shared, e.size))
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
		if k, err := parseRecord(5, v); err == nil {
			again, err := parseRecord(5, appendRecord(nil, &k))
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
		if g, err := parseGeneration(v); err == nil {
			again, err := parseGeneration(appendGeneration(nil, g))
			require.NoError(t, err)
			require.Equal(t, g, again)
		}
		if s, err := parseTotals(v); err == nil {
			again, err := parseTotals(appendTotals(nil, s))
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
		if c, err := parseFollow(v); err == nil {
			again, err := parseFollow(appendFollow(nil, &c))
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
		_, _ = parsePlain(v)
	})
}

// FuzzJournal: no journal makes the reader panic, and one that is zeros, or rubbish alone, is no altered one.
func FuzzJournal(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Add(bytes.Repeat([]byte("rubbish"), 9000))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = checkLog(bytes.NewReader(b), "log", 7)
		_ = checkManifest(bytes.NewReader(b), "MANIFEST")
		_, _ = groupOf(b)
	})
}

func TestParseSync(t *testing.T) {
	for text, want := range map[string]Sync{"always": SyncAlways, "never": SyncNever, "interval:50ms": SyncInterval(50e6), "interval:1m0s": SyncInterval(60e9)} {
		got, err := ParseSync(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for text, want := range map[string]string{
		"":              `sync is always, never, or interval: and a duration as in interval:50ms, not ""`,
		"sometimes":     `not "sometimes"`,
		"interval":      `not "interval"`,
		"interval:":     `sync's interval is a duration as in interval:50ms, not ""`,
		"interval:50":   `not "50"`,
		"interval:2m":   "sync's interval is from 1ms to 1m0s, not 2m0s",
		"interval:0s":   "not 0s",
		"interval:-5ms": "not -5ms",
	} {
		_, err := ParseSync(text)
		require.ErrorContains(t, err, want)
	}
}

// FuzzParseSync: what is read is written as it reads again.
func FuzzParseSync(f *testing.F) {
	f.Add("interval:50ms")
	f.Add("always")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSync(text); err == nil {
			again, err := ParseSync(s.String())
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	})
}
