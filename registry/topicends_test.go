package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

func TestP19_TheTopicsSnapshotComesFirst(t *testing.T) {
	var answer func() (uint64, []byte, error)
	var calls int
	everyStore(t, func(cfg *Config) {
		calls = 0
		cfg.TopicSnapshot = func(_ context.Context, topic string, floor, head uint64) (uint64, []byte, error) {
			calls++
			time.Sleep(time.Second)
			return answer()
		}
	}, func(t *testing.T, r *Registry) {
		answer = func() (uint64, []byte, error) { return 3, []byte(`{"sum":6}`), nil }
		tell(t, r, "t", 1, 4)
		a, b := attach(t, r, "a", nil), attach(t, r, "b", nil)
		a.subscribe("t", history(0))
		b.subscribe("t", history(2))
		require.True(t, a.last().Snapshot)
		other := attach(t, r, "other", nil)
		other.subscribe("t")
		tell(t, r, "t", 5, 5)
		require.Equal(t, numbered(5, 5), other.heard("t"), "a slow provider holds up nobody else")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, calls, "calls for the same one are collapsed")
		for _, c := range []*reader{a, b} {
			require.Equal(t, got{Type: "snapshot", Topic: "t", AsOf: 3, Data: json.RawMessage(`{"sum":6}`)}, c.all()[1])
			require.Equal(t, numbered(4, 5), c.heard("t"))
		}

		answer = func() (uint64, []byte, error) { return 0, nil, errors.New("no") }
		c := attach(t, r, "c", nil)
		c.subscribe("t", history(2))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "snapshot_unavailable", c.all()[1].Code)
		require.Equal(t, "t", c.all()[1].Topic)
		require.Equal(t, numbered(4, 5), c.heard("t"), "the retained frames follow")

		_, err := r.PutTopicSnapshot(context.Background(), "t", protocol.Cursor{Seq: 5}, []byte(`"stored"`))
		require.NoError(t, err)
		d := attach(t, r, "d", nil)
		d.subscribe("t", history(9))
		require.Equal(t, got{Type: "snapshot", Topic: "t", AsOf: 5, Data: json.RawMessage(`"stored"`)}, d.all()[1])
		tell(t, r, "t", 6, 6)
		require.Equal(t, numbered(6, 6), d.heard("t"))
	})
}

func TestP19_ADeletedTopicEndsItsSubscriptions(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		named, pattern := attach(t, r, "named", nil), attach(t, r, "pattern", nil)
		named.subscribe("t")
		pattern.subscribe("*")
		tell(t, r, "t", 1, 2)
		require.NoError(t, r.DeleteTopic(context.Background(), "t"))
		synctest.Wait()
		require.Equal(t, got{Type: "unsubscribed", Topic: "t"}, named.last())
		tell(t, r, "t", 1, 1)
		require.Equal(t, numbered(1, 2), named.heard("t"))
		require.Equal(t, append(numbered(1, 2), numbered(1, 1)...), pattern.heard("t"), "born again, it is followed from its first frame")
		require.Equal(t, []string{"pattern"}, followers(t, r, "t"))
	})
}

func TestP25_AHeldSubscriptionNoLongerAllowedEnds(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		for _, topic := range []string{"a", "b", "c.*"} {
			c.subscribe(topic)
		}
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "2", Transport: "test", MaySubscribe: func(topic string) bool { return topic == "b" }}, p)
		synctest.Wait()
		st, err := r.State(context.Background(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"b"}, st.Subscriptions)
		require.Contains(t, p.texts(), `{"type":"unsubscribed","topic":"c.*"}`)
		tell(t, r, "a", 1, 1)
		tell(t, r, "c.1", 1, 1)
		tell(t, r, "b", 1, 1)
		require.Equal(t, []uint64{1}, p.seqs())
	})
}

func TestP32_AFollowedTopicKeepsItsNumbers(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		c.subscribe("followed")
		before := tell(t, r, "followed", 1, 2)
		tell(t, r, "alone", 1, 2)
		time.Sleep(25 * time.Hour)
		sweep(r)
		time.Sleep(25 * time.Hour)
		sweep(r)
		synctest.Wait()
		list, err := r.Topics(context.Background(), "", 10)
		require.NoError(t, err)
		require.Len(t, list.Topics, 1, "nobody follows the other")
		after := tell(t, r, "followed", 3, 3)
		require.Equal(t, before.Epoch, after.Epoch)
		require.Equal(t, numbered(1, 3), c.heard("followed"))
	})
}

func TestP18_ARepeatedPublishToATopicIsADuplicate(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		in := Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}, Credential: "me", Key: "k"}
		first, err := r.PublishTopic(context.Background(), "t", in)
		require.NoError(t, err)
		again, err := r.PublishTopic(context.Background(), "t", in)
		require.NoError(t, err)
		require.True(t, again.Duplicate)
		require.Equal(t, first.Seq, again.Seq)
	})
}

func TestP19_SubscribingWithoutAConnection(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		ctx := context.Background()
		reply, err := r.Message(ctx, "c", protocol.Message{Type: protocol.TypeSubscribe, Topic: "t", History: -1})
		require.NoError(t, err)
		require.Contains(t, string(reply), `{"type":"subscribed","topic":"t","epoch":`)
		tell(t, r, "t", 1, 2)
		page, err := r.Read(ctx, "c", Read{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, `{"seq":2,"topic":"t","topic_seq":2,"type":"x","n":2}`, string(page.Frames[1]))
		reply, err = r.Message(ctx, "c", protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "t"})
		require.NoError(t, err)
		require.Equal(t, `{"type":"unsubscribed","topic":"t"}`, string(reply))
		_, err = r.Message(ctx, "nobody", protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "t"})
		require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
	})
}

func TestP19_AReapedFollowerFollowsNoMore(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		c.subscribe("t")
		c.subscribe("*")
		c.peer.link.Gone(true)
		tell(t, r, "t", 1, 1)
		time.Sleep(25 * time.Hour)
		tell(t, r, "t", 2, 2)
		sweep(r)
		synctest.Wait()
		require.EqualValues(t, 0, r.counters.Clients.Load(), "frames of topics keep nobody (P-28)")
		require.Empty(t, followers(t, r, "t"))
		tell(t, r, "t", 3, 3)
		require.EqualValues(t, 0, r.counters.Clients.Load())
		require.Empty(t, r.patterns.match("t"))
	})
}

// TestTogether: news that waits is told as one, and where it cannot be, followers are told where the log is.
func TestTogether(t *testing.T) {
	frame := func(after uint64, n int) *session.Pulled {
		p := &session.Pulled{Topic: "t", After: after, Head: after + uint64(n)}
		for range n {
			p.Frames = append(p.Frames, body(t, `{"type":"x"}`))
		}
		return p
	}
	side := newTopicSide(false)
	require.True(t, side.add(frame(0, 2)))
	require.False(t, side.add(frame(2, 3)))
	one := side.take()
	require.EqualValues(t, 0, one.After)
	require.Len(t, one.Frames, 5)
	require.EqualValues(t, 5, one.Head)
	require.False(t, side.add(frame(5, 1)))
	require.False(t, side.add(frame(9, 1)))
	one = side.take()
	require.Empty(t, one.Frames)
	require.EqualValues(t, 10, one.Head)
	require.Nil(t, side.take())
	for i := range 10 * keepNews {
		side.add(frame(uint64(i), 1))
		require.LessOrEqual(t, len(side.news), keepNews)
	}
	require.EqualValues(t, 10*keepNews, side.take().Head)
	require.True(t, slices.Equal(side.news, nil))
}

// TestP19_ATopicSleepsWhileItsFollowersDoNot: the topic that comes back knows nobody, and goes on telling those who were awake all the time.
func TestP19_ATopicSleepsWhileItsFollowersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		named, pattern := attach(t, r, "named", nil), attach(t, r, "pattern", nil)
		named.subscribe("t")
		pattern.subscribe("*")
		for n := 1; n <= 9; n++ {
			tell(t, r, "t", n, n)
			require.Equal(t, numbered(1, n), named.heard("t"))
			require.Equal(t, numbered(1, n), pattern.heard("t"))
			if n%3 == 0 {
				time.Sleep(11 * time.Minute)
				synctest.Wait()
				require.Nil(t, r.look(topicName("t")), "it sleeps; its followers, which are attached, do not")
			}
		}
	})
}

// TestP32_ATopicThatSleptIsDeleted: it knows none of its followers any more, and ends their subscriptions all the same; those of sleepers too.
func TestP32_ATopicThatSleptIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		awake, sleeper := attach(t, r, "awake", nil), attach(t, r, "sleeper", nil)
		for _, c := range []*reader{awake, sleeper} {
			c.subscribe("t")
		}
		sleeper.peer.link.Gone(true)
		tell(t, r, "t", 1, 2)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		require.Nil(t, r.look(topicName("t")))
		require.Nil(t, r.look("sleeper"))
		require.NoError(t, r.DeleteTopic(context.Background(), "t"))
		synctest.Wait()
		require.Equal(t, got{Type: "unsubscribed", Topic: "t"}, awake.last())
		tell(t, r, "t", 1, 1)
		require.Equal(t, numbered(1, 2), awake.heard("t"))
		back := attach(t, r, "sleeper", nil)
		tell(t, r, "t", 2, 2)
		require.Equal(t, numbered(1, 2), back.heard("t"), "of the first life")
		for _, c := range []*reader{awake, back} {
			st, err := r.State(context.Background(), c.id)
			require.NoError(t, err)
			require.Empty(t, st.Subscriptions)
		}
		require.Empty(t, followers(t, r, "t"))
	})
}
