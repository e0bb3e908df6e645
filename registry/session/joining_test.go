package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// TestADeletionMeetsASubscribeThatDoesNotStand: the client has nothing but the subscribe, and nothing is left of it in the midst of the deletion.
func TestADeletionMeetsASubscribeThatDoesNotStand(t *testing.T) {
	cfg := session.Config{NewEpoch: func() uint64 { return 1 }, Generation: 1}
	s := session.New(&cfg, 0)
	var fx session.Effects
	s.Subscribe(0, session.Subscribe{Topic: "t", History: -1, To: "subscribe"}, &fx)
	require.Len(t, fx.Pulls, 1)
	fx.Reset()
	s.Delete(time.Second, "delete", &fx)
	require.Len(t, fx.Replies, 1)
	require.Equal(t, "subscribe", fx.Replies[0].To)
	require.Equal(t, protocol.CodeNotFound, fx.Replies[0].Err.Code)
	require.Len(t, fx.Commits, 1)
	s.Confirmed(time.Second, fx.Commits[0].Token, nil, false, &fx)
	require.True(t, fx.Retire)
	fx.Reset()
	s.Ended(&fx)
	require.Equal(t, []session.Reply{{To: "delete"}}, fx.Replies)
}
