package broker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// TestP32_LimitsOfTopicPages: a limit out of its bounds is refused in a sentence. Below 0 it once ended in a panic that kept a lock, and with it the broker.
func TestP32_LimitsOfTopicPages(t *testing.T) {
	b := open(t, Config{})
	for i := range 3 {
		_, err := b.Client(fmt.Sprintf("tab-%d", i)).Subscribe(t.Context(), "jobs.7", SubscribeOptions{})
		require.NoError(t, err)
	}
	for _, limit := range []int{-5, -1, protocol.MaxPageFrames + 1} {
		_, err := b.Topic("jobs.7").State(t.Context(), "", limit)
		require.Equal(t, protocol.CodeBadRequest, protocol.AsError(err).Code)
		require.Contains(t, err.Error(), "limit is ")
	}
	for _, limit := range []int{-5, -1, 0, protocol.MaxPageFrames + 1} {
		_, err := b.Topics(t.Context(), "", limit)
		require.Equal(t, protocol.CodeBadRequest, protocol.AsError(err).Code)
		require.Contains(t, err.Error(), "limit is ")
	}
	state, err := b.Topic("jobs.7").State(t.Context(), "", 0)
	require.NoError(t, err)
	require.Equal(t, "jobs.7", state.Topic)
	require.Empty(t, state.Followers)
	require.Empty(t, state.Cursor)
	state, err = b.Topic("jobs.7").State(t.Context(), "tab-0", 1)
	require.NoError(t, err)
	require.Equal(t, []protocol.Follower{{ClientID: "tab-1"}}, state.Followers)
	require.Equal(t, "tab-1", state.Cursor)
	list, err := b.Topics(t.Context(), "", 1)
	require.NoError(t, err)
	require.Len(t, list.Topics, 1)
}
