package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

// TestP9_ASnapshotOnItsWayPins: bounds have passed the stored snapshot, a later one is being stored, and an ack comes in between: what the
// later one needs stays.
func TestP9_ASnapshotOnItsWayPins(t *testing.T) {
	cfg := session.Config{NewEpoch: func() uint64 { return 1 }, Generation: 1, Bounds: outbox.Bounds{Frames: 3}}
	s := session.New(&cfg, 0)
	step := func(f func(fx *session.Effects)) *session.Effects {
		var fx session.Effects
		f(&fx)
		return &fx
	}
	confirmed := func(fx *session.Effects) {
		step(func(next *session.Effects) { s.Confirmed(1, fx.Commits[0].Token, nil, false, next) })
	}
	put := func(seq uint64) *session.Effects {
		return step(func(fx *session.Effects) {
			s.PutSnapshot(1, protocol.Cursor{Seq: seq}, []byte(`{}`), "put", fx)
			require.Empty(t, fx.Replies)
		})
	}
	confirmed(put(0))
	for range 5 {
		confirmed(step(func(fx *session.Effects) {
			s.Publish(1, session.Publish{To: "publisher", Bodies: []protocol.Body{protocol.Body(`{"type":"x"}`)}}, fx)
		}))
	}
	require.EqualValues(t, 2, s.State(false).Floor)
	later := put(3)
	step(func(fx *session.Effects) { s.AckBy(1, protocol.Cursor{Seq: 5}, "", "ack", fx) })
	confirmed(later)
	require.EqualValues(t, 3, s.State(false).Floor)
	fx := step(func(fx *session.Effects) { s.Attach(1, session.Attach{Gen: 1, ConnectionID: "a"}, fx) })
	require.Contains(t, string(fx.Writes[0].Batch[0].Body), `"snapshot":true`, "what was stored counts")
}
