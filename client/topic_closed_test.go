package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func TestP32_ClosedTopicEndsItsSubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cursor string
		var f *fixture
		f, s := following(t, client.Config{OnUnsubscribed: func(u client.Unsubscribed) {
			require.Equal(t, client.Unsubscribed{Topic: "jobs.7", Closed: true}, u)
			cursor = "told after " + f.Cursor()
		}})
		s.say(`{"seq":9,"topic":"jobs.7","topic_seq":4,"type":"topic_closed"}`)
		require.Equal(t, []string{"8 jobs.7:3", "9 jobs.7:4"}, f.happened())
		require.Equal(t, "told after E1:9", cursor)
		s = f.again(s, 9)
		require.Empty(t, s.heard(), "it is not subscribed to again")
	})
}

func TestP32_SubscribingToAClosedTopic(t *testing.T) {
	const end = "unsubscribed a, closed true, <nil>"
	for name, c := range map[string]struct {
		o    client.SubscribeOptions
		say  func(s *session)
		want []string
	}{
		"live only": {client.SubscribeOptions{}, func(s *session) {
			s.subscribed("a", protocol.ResumeFresh, "X", 0, 4, closedTopic)
		}, []string{end}},
		"with history": {client.SubscribeOptions{History: new(2)}, func(s *session) {
			s.subscribed("a", protocol.ResumeFresh, "X", 0, 4, closedTopic)
			s.topicFrames("a", 8, 3, 1)
			s.say(`{"seq":9,"topic":"a","topic_seq":4,"type":"topic_closed"}`)
		}, []string{"8 a:3", "9 a:4", end}},
		"with a snapshot of it all": {client.SubscribeOptions{History: new(2)}, func(s *session) {
			s.subscribed("a", protocol.ResumeFresh, "X", 0, 4, closedTopic, announced)
			s.say(`{"type":"snapshot","topic":"a","as_of":4,"data":1}`)
		}, []string{"snapshot of a 4 1", end}},
		"up to date": {client.SubscribeOptions{Since: "X:4"}, func(s *session) {
			s.subscribed("a", protocol.ResumeUpToDate, "X", 0, 4, closedTopic)
		}, []string{end}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				w := f.subscribe(t.Context(), "a", c.o)
				c.say(s)
				require.True(t, (<-w).Closed)
				require.Equal(t, c.want, f.happened())
				require.Empty(t, f.Subscriptions())
			})
		})
	}
}
