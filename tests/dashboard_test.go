package tests

import (
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// TestP19_TheDashboard plays the dashboard: agents that say what they do, each on a topic of its own; screens that follow all of them, whenever an agent is
// born; and a late joiner who wants the whole history of one, which is far longer than an outbox.
func TestP19_TheDashboard(t *testing.T) {
	t.Parallel()
	const events, agents, each = 128_000, 5, 40
	binary, err := plainBinary()
	require.NoError(t, err)
	e := start(t, binary, nil, "--topic-frames", "131072", "--max-frames", "10000")

	screens := make([]*app, 3)
	for i := range screens {
		screens[i] = e.follow(fmt.Sprintf("screen-%d", i), nil)
		screens[i].subscribe("agents.*", client.SubscribeOptions{})
	}
	var all sync.WaitGroup
	for a := range agents {
		all.Go(func() {
			for n := 1; n <= each; n++ {
				if _, err := e.tryTell(t.Context(), fmt.Sprintf("agents.a%d", a), numbered(n, 10)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, s := range screens {
		got := map[string]uint64{}
		for range agents * each {
			f := s.next()
			require.Equal(t, got[f.Topic]+1, f.TopicSeq, "%s", f.Raw)
			got[f.Topic] = f.TopicSeq
		}
		require.Len(t, got, agents)
	}

	// The long one's history; the screens, which are not to be flooded, look no more.
	for _, s := range screens {
		require.NoError(t, s.c.Unsubscribe(t.Context(), "agents.*"))
	}
	for n := 1; n <= events; n += 1000 {
		frames := make([]string, 0, 100)
		for i := n; i < n+1000; i++ {
			if frames = append(frames, numbered(i, 10)); len(frames) == 100 {
				e.tell("agents.long", frames...)
				frames = frames[:0]
			}
		}
	}
	whole := events
	late := e.follow("late", nil)
	s := late.subscribe("agents.long", client.SubscribeOptions{History: &whole})
	require.EqualValues(t, events, *s.Head)
	require.EqualValues(t, 0, *s.Floor)
	late.hears("agents.long", 1, events)
	e.tellNumbered("agents.long", events+1, events+1)
	late.hears("agents.long", events+1, events+1)
	require.LessOrEqual(t, e.state("late").Frames, uint64(10_000))

	// And what one agent did is there to be read, by whoever does not follow it.
	frames, end := e.log("agents.a3", "")
	require.Len(t, frames, each)
	require.Equal(t, each, frames[each-1].N)
	list := get[protocol.TopicList](e.endpoint, "/v1/topics?limit=2&cursor="+url.QueryEscape("agents.a1"))
	require.Equal(t, []string{"agents.a2", "agents.a3"}, []string{list.Topics[0].Topic, list.Topics[1].Topic})
	require.Equal(t, "agents.a3", list.Cursor)
	require.False(t, end.Closed)
}
