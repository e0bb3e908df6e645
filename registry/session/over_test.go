package session_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

// TestP26_ATopicIsClosedWhenItsLastFrameIs: while topic_closed is on its way to the store nobody is told, and whoever waits goes on waiting for it.
func TestP26_ATopicIsClosedWhenItsLastFrameIs(t *testing.T) {
	cfg := session.Config{Topic: true, NewEpoch: func() uint64 { return 1 }, Generation: 1, Bounds: outbox.Bounds{Frames: 9}}
	s := session.New(&cfg, 0)
	step := func(f func(fx *session.Effects)) *session.Effects {
		var fx session.Effects
		f(&fx)
		return &fx
	}
	publish := func(p session.Publish) session.Commit {
		return step(func(fx *session.Effects) { s.Publish(1, p, fx) }).Commits[0]
	}
	confirmed := func(c session.Commit, err error) *session.Effects {
		return step(func(fx *session.Effects) { s.Confirmed(1, c.Token, err, false, fx) })
	}
	read := func(since uint64) *session.Effects {
		return step(func(fx *session.Effects) {
			s.Read(1, session.Read{To: "reader", Since: &protocol.Cursor{Seq: since}, Limit: 9, Wait: true}, fx)
		})
	}
	last := session.Publish{To: "closer", Topic: "t", Closes: true, Bodies: []protocol.Body{protocol.TopicClosed()}}
	confirmed(publish(session.Publish{To: "publisher", Topic: "t", Bodies: []protocol.Body{protocol.Body(`{"type":"x"}`)}}), nil)

	closing := publish(last)
	require.True(t, s.Closed(), "a publish is refused from now on")
	require.False(t, s.Over())
	require.False(t, read(0).Replies[0].Closed)
	require.Empty(t, read(1).Replies)
	require.Equal(t, "closer", confirmed(closing, errors.New("disk full")).Replies[0].To)
	require.False(t, s.Closed())

	fx := confirmed(publish(last), nil)
	require.True(t, s.Over())
	require.Len(t, fx.Replies, 2, "the closer's, and the reader's")
	for _, r := range fx.Replies {
		if r.To == "reader" {
			require.True(t, r.Closed)
			require.Len(t, r.Page.Frames, 1)
			require.Contains(t, string(r.Page.Frames[0]), "topic_closed")
		}
	}
	require.True(t, read(2).Replies[0].Closed, "nobody waits any more")
}
