package session_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// TestP27_SendsWithoutAnAnswerCountAsReplies: a connection that sends faster than its targets answer is not read any more.
func TestP27_SendsWithoutAnAnswerCountAsReplies(t *testing.T) {
	cfg := session.Config{NewEpoch: func() uint64 { return 1 }, Generation: 1}
	s := session.New(&cfg, 0)
	step := func(f func(fx *session.Effects)) session.Effects {
		var fx session.Effects
		f(&fx)
		return fx
	}
	step(func(fx *session.Effects) { s.Attach(1, session.Attach{Gen: 1, ConnectionID: "a"}, fx) })
	step(func(fx *session.Effects) { s.Written(1, 1, fx) })
	for i := range protocol.MaxReplies {
		m := protocol.Message{Type: protocol.TypeSend, ID: strconv.Itoa(i), To: "b", Frame: protocol.Body(`{"type":"x"}`)}
		fx := step(func(fx *session.Effects) { s.Message(1, 1, m, nil, fx) })
		require.Len(t, fx.Forwards, 1)
		if i == protocol.MaxReplies-1 {
			require.Equal(t, []session.Pause{{Gen: 1, Stop: true}}, fx.Pauses)
		} else {
			require.Empty(t, fx.Pauses)
		}
	}
	fx := step(func(fx *session.Effects) { s.Outcome(1, 1, protocol.Body(`{"type":"receipt"}`), fx) })
	require.Len(t, fx.Writes, 1, "the first answer goes out")
	require.Equal(t, session.Pause{Gen: 1, Stop: false}, fx.Pauses[len(fx.Pauses)-1], "and makes room")
}
