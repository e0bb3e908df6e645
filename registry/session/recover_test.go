package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// TestARecordThatWasGivenUpIsNotCounted: the store deletes the records of frames that an actor's failure has given up, and is told how many
// there are.
func TestARecordThatWasGivenUpIsNotCounted(t *testing.T) {
	epochs := uint64(0)
	cfg := session.Config{NewEpoch: func() uint64 { epochs++; return epochs }, Generation: 1, Kept: true}
	s := session.New(&cfg, 0)
	publish := func(key string, fx *session.Effects) {
		k := session.IdempotencyKey("me", key)
		s.Publish(time.Second, session.Publish{To: key, Bodies: []protocol.Body{protocol.Body(`{"type":"x"}`)}, Record: &k}, fx)
	}
	var fx session.Effects
	publish("a", &fx)
	require.EqualValues(t, 1, fx.Commits[0].Is.Records)
	s.Confirmed(time.Second, fx.Commits[0].Token, nil, false, &fx)
	publish("b", &fx)
	publish("c", &fx)
	fx.Reset()
	s.Recover(time.Second, &fx)
	require.Len(t, fx.Replies, 2)
	fx.Reset()
	s.Tick(2*time.Second, &fx)
	require.Len(t, fx.Commits, 1)
	require.EqualValues(t, 1, fx.Commits[0].Is.Head)
	require.EqualValues(t, 1, fx.Commits[0].Is.Records, "that of the confirmed frame is dead, but there")
}
