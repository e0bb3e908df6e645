package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// TestP29_WaitingIsBounded fills a client's waiting publishers and reads: the next of each is answered at once, and nothing is lost.
func TestP29_WaitingIsBounded(t *testing.T) {
	cfg := session.Config{NewEpoch: func() uint64 { return 1 }, Generation: 1}
	s := session.New(&cfg, 0)
	publish := func(to int, l session.Level) []session.Reply {
		var fx session.Effects
		s.Publish(1, session.Publish{To: to, Bodies: []protocol.Body{protocol.Body(`{"type":"x"}`)}, Level: l}, &fx)
		s.Confirmed(1, fx.Commits[0].Token, nil, false, &fx)
		return fx.Replies
	}
	for i := range session.MaxWaiting {
		require.Empty(t, publish(i, session.LevelAcked))
	}
	got := publish(-1, session.LevelAcked)
	require.Len(t, got, 1)
	require.Equal(t, protocol.StatusStored, got[0].Stored.Status)
	require.Equal(t, protocol.ShortOverloaded, got[0].Stored.Reason)
	require.EqualValues(t, session.MaxWaiting+1, got[0].Stored.Last, "it is stored all the same")

	read := func(to int) []session.Reply {
		var fx session.Effects
		s.Read(1, session.Read{To: to, Since: &protocol.Cursor{Epoch: s.Epoch().String(), Seq: session.MaxWaiting + 1}, Limit: 1, Wait: true}, &fx)
		return fx.Replies
	}
	for i := range session.MaxWaiting {
		require.Empty(t, read(i))
	}
	got = read(-1)
	require.Len(t, got, 1)
	require.Equal(t, protocol.CodeOverloaded, got[0].Err.Code)
	require.Len(t, publish(-2, session.LevelStored), 1+session.MaxWaiting, "the next frame answers its publisher and every read")
}
