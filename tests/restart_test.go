package tests

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// The memory store's promise is small and loud: a restart loses the outboxes, and every cursor learns it (P-7), even a
// bare one (P-5). After it live frames flow.
func TestP7_ARestartIsToldAsTooOldEpoch(t *testing.T) {
	t.Parallel()
	before := serve(t)
	c := before.attach("a")
	before.publishN("a", 20, 20, 0)
	c.upTo(20)
	cursor, bare := c.cursor(), fmt.Sprint(c.last)
	before.kill()
	_, err := c.read()
	require.True(t, isEnd(err), "%v", err)

	after := serve(t)
	for i, since := range []string{cursor, bare, "1"} {
		id := fmt.Sprintf("a%d", i)
		if i == 0 {
			id = "a"
		}
		back := after.attach(id, "since", since)
		require.Equal(t, protocol.ResumeTooOld, back.hello.Resume, since)
		require.Equal(t, protocol.ReasonEpoch, back.hello.Reason, since)
		require.NotEqual(t, c.hello.Epoch, back.hello.Epoch)
		require.Nil(t, back.hello.Missed)
		require.Nil(t, back.hello.Lost)
		frames, end := back.until("replay_end")
		require.Empty(t, frames)
		require.Zero(t, end.At)
		back.liveOnce(id)
	}
	// The same where others have published meanwhile, as far as the old head and further.
	after.publishN("b", 25, 25, 0)
	back := after.attach("b", "since", cursor)
	require.Equal(t, protocol.ReasonEpoch, back.hello.Reason)
	require.Len(t, back.upTo(25), 25)
	back.liveOnce("b")
}

func TestP5_ABareCursorOfAnOldLife(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 20, 20, 0)
	s.attach("a").upTo(20)
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	s.publishN("a", 30, 30, 0) // the new life is longer already, but nobody has been sent any of it
	back := s.attach("a", "since", "20")
	require.Equal(t, protocol.ResumeTooOld, back.hello.Resume)
	require.Equal(t, protocol.ReasonEpoch, back.hello.Reason)
	frames, _ := back.until("replay_end")
	require.Len(t, frames, 30)
	back.liveOnce("a")
}
