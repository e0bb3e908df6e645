package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// TestP19_TopicsFromWithinTheProcess goes once through the embedding API.
func TestP19_TopicsFromWithinTheProcess(t *testing.T) {
	ctx := t.Context()
	b, err := New(Config{Logger: slog.New(slog.DiscardHandler), TopicSnapshot: func(_ context.Context, topic string, _, head uint64) (uint64, []byte, error) {
		return head, fmt.Appendf(nil, "%q", topic), nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	topic := b.Topic("jobs.1")
	for n := 1; n <= 3; n++ {
		p, err := topic.Publish(ctx, fmt.Appendf(nil, `{"type":"x","n":%d}`, n))
		require.NoError(t, err)
		require.EqualValues(t, n, p.Seq)
	}
	var snapshots []string
	in, err := b.Client("c").Inbox(InboxOptions{OnTopicSnapshot: func(topic string, asOf uint64, data json.RawMessage) {
		snapshots = append(snapshots, fmt.Sprintf("%s %d %s", topic, asOf, data))
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, in.Close()) })
	_, err = b.Publish(ctx, "c", []byte(`{"type":"hi"}`))
	require.NoError(t, err)
	f, err := in.Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, f.Seq)
	require.Empty(t, f.Topic)

	history := 2
	s, err := b.Client("c").Subscribe(ctx, "jobs.1", SubscribeOptions{History: &history})
	require.NoError(t, err)
	require.True(t, s.Snapshot)
	_, err = topic.Publish(ctx, []byte(`{"type":"x","n":4}`))
	require.NoError(t, err)
	_, err = b.Broadcast(ctx, PublishOptions{Key: "k"}, []byte(`{"type":"all"}`))
	require.NoError(t, err)
	got := map[string]uint64{}
	for range 2 {
		f, err = in.Next(ctx)
		require.NoError(t, err)
		got[f.Topic] = f.TopicSeq
	}
	require.Equal(t, map[string]uint64{"jobs.1": 4, protocol.AllTopic: 1}, got)
	require.Equal(t, []string{`jobs.1 3 "jobs.1"`}, snapshots, "and the outbox's own cursor is where it was")

	_, err = topic.PublishWith(ctx, PublishOptions{Wait: protocol.StatusAcked}, []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeBadRequest, protocol.AsError(err).Code)
	_, err = topic.Close(ctx)
	require.NoError(t, err)
	_, err = topic.Publish(ctx, []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeConflict, protocol.AsError(err).Code)
	page, err := topic.Read(ctx, nil, 10, 0)
	require.NoError(t, err)
	require.Equal(t, `{"as_of":5,"data":"jobs.1"}`, string(page.Snapshot), "who has nothing gets the snapshot, and what comes after it (P-9)")
	page, err = topic.Read(ctx, &protocol.Cursor{Epoch: page.Epoch}, 10, 0)
	require.NoError(t, err)
	require.True(t, page.Closed)
	require.Len(t, page.Frames, 5)
	state, err := topic.State(ctx, "", 10)
	require.NoError(t, err)
	require.Equal(t, []protocol.Follower{{ClientID: "c"}}, state.Followers)
	cursor := protocol.Cursor{Epoch: state.Epoch, Seq: 5}
	require.NoError(t, topic.PutSnapshot(ctx, cursor, []byte(`{"done":true}`)))
	stored, err := topic.Snapshot(ctx)
	require.NoError(t, err)
	require.Equal(t, "jobs.1", stored.Topic)
	require.NoError(t, topic.DeleteSnapshot(ctx))
	require.NoError(t, b.Client("c").Unsubscribe(ctx, "jobs.1"))
	list, err := b.Topics(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, list.Topics, 1)
	require.NoError(t, topic.Delete(ctx))
	for _, bad := range []*Topic{b.Topic("_all"), b.Topic("a..b"), b.Topic("a.*")} {
		_, err := bad.Publish(ctx, []byte(`{"type":"x"}`))
		require.Equal(t, protocol.CodeBadRequest, protocol.AsError(err).Code, bad.Name())
	}
}
