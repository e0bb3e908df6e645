package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// TestP32_WhatPatternsTakeIn: "*" is one level and ">" the rest, for topics that were there and for those that are born later, awake or asleep.
func TestP32_WhatPatternsTakeIn(t *testing.T) {
	t.Parallel()
	h := newHome(t, "--sleep-after", "100ms")
	e := h.start()
	topics := []string{"a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "a.b.c.d", "~:@-_"}
	matches := map[string][]string{
		"*":       {"a", "b", "~:@-_"},
		">":       topics,
		"a.*":     {"a.b", "a.c"},
		"a.>":     {"a.b", "a.c", "a.b.c", "a.x.c", "a.b.c.d"},
		"*.b":     {"a.b", "b.b"},
		"a.*.c":   {"a.b.c", "a.x.c"},
		"*.*":     {"a.b", "a.c", "b.b"},
		"*.b.>":   {"a.b.c", "a.b.c.d"},
		"a.b":     {"a.b"},
		"A.*":     nil,
		"a.*.*.*": {"a.b.c.d"},
	}
	old := topics[:4]
	for _, topic := range old {
		e.tell(topic, numbered(1, 10))
	}
	ids := map[string]string{}
	for pattern := range matches {
		ids[pattern] = fmt.Sprintf("c%d", len(ids))
		e.subscribeAway(ids[pattern], pattern)
	}
	require.Eventually(t, func() bool { return e.metric("restante_clients_awake ") == 0 }, patience, pollEvery)
	for _, topic := range topics[4:] { // born now
		e.tell(topic, numbered(1, 10))
	}
	for _, topic := range topics {
		e.tell(topic, numbered(2, 10))
	}
	for pattern, want := range matches {
		c := e.attach(ids[pattern])
		frames := 0
		for _, topic := range want {
			if frames += 2; contains(old, topic) {
				frames-- // of what was there before the pattern, only what is live
			}
		}
		got := map[string]uint64{}
		for _, f := range c.heard(frames) {
			require.Contains(t, want, f.Topic, pattern)
			if got[f.Topic] == 0 && contains(old, f.Topic) {
				got[f.Topic] = 1
			}
			require.Equal(t, got[f.Topic]+1, f.TopicSeq, "%s: %s", pattern, f.Topic)
			got[f.Topic] = f.TopicSeq
		}
		require.Len(t, got, len(want), pattern)
		require.Empty(t, c.sync(), "%s: each once, and nothing else", pattern)
		c.cut()
	}
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// TestP32_OnceHoweverManyMatch: a topic's frame comes once while any of four subscriptions matches it, and not at all when the last is gone.
func TestP32_OnceHoweverManyMatch(t *testing.T) {
	t.Parallel()
	e := serve(t)
	c := e.reader("c")
	all := []string{"a.b", "a.*", "a.>", ">"}
	for _, s := range all {
		m := c.subscribe(`"topic":%q`, s)
		if protocol.IsPattern(s) {
			require.Equal(t, fmt.Sprintf(`{"type":"subscribed","topic":%q,"resume":"fresh"}`, s), m.Raw)
			require.Equal(t, protocol.ResumeUpToDate, c.subscribe(`"topic":%q`, s).Resume)
		}
	}
	require.Len(t, get[protocol.TopicState](e.endpoint, topicPath("a.b", "")).Followers, 1)
	for i, s := range all {
		e.tellEach("a.b", 20*i+1, 20*i+20)
		c.hears("a.b", 20*i+1, 20*i+20)
		require.Empty(t, c.sync())
		c.send(`{"type":"unsubscribe","topic":%q}`, s)
		require.Contains(t, c.nextOf("unsubscribed").Raw, `"topic":"`+s+`"`)
	}
	e.tell("a.b", numbered(81, 10))
	e.tell("a.new", numbered(1, 10))
	require.Empty(t, c.sync())
	require.Empty(t, get[protocol.TopicState](e.endpoint, topicPath("a.b", "")).Followers)
	// And the other way round: first by the pattern, then by the name, which then keeps it.
	c.subscribe(`"topic":"a.*"`)
	c.goesOn("a.b", 81)
	require.Equal(t, protocol.ResumeUpToDate, c.subscribe(`"topic":"a.b","history":50`).Resume, "it is held by the pattern")
	c.send(`{"type":"unsubscribe","topic":"a.*"}`)
	c.nextOf("unsubscribed")
	c.goesOn("a.b", 82)
}

// TestP32_BornWhileAPatternIsSubscribedTo: of a topic that is born before the answer a reader has what came from then on, and of one born later all.
func TestP32_BornWhileAPatternIsSubscribedTo(t *testing.T) {
	t.Parallel()
	e := serve(t)
	const writers, each, frames = 4, 30, 3
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				for n := 1; n <= frames; n++ {
					if _, err := e.tryTell(t.Context(), fmt.Sprintf("job.%d.%d", w, i), numbered(n, 10)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var readers []*socket
	born := map[*socket]map[string]bool{}
	for i := range 12 {
		c := e.reader(fmt.Sprintf("c%d", i))
		c.send(`{"type":"subscribe","topic":"job.>"}`)
		early := map[string]bool{}
		for m := c.next(); m.Type != "subscribed"; m = c.next() {
			require.NotZero(t, m.Seq, m.Raw)
			require.FailNow(t, "a frame before subscribed", m.Raw)
		}
		for _, s := range get[protocol.TopicList](e.endpoint, "/v1/topics?limit=1000").Topics {
			early[s.Topic] = true
		}
		readers, born[c] = append(readers, c), early
	}
	all.Wait()
	for _, c := range readers {
		got := map[string]uint64{}
		c.sync()
		page := e.page(c.hello.ClientID, "limit=1000")
		for _, raw := range page.Frames {
			f := readTopicFrame(t, raw)
			if got[f.Topic] == 0 && born[c][f.Topic] {
				got[f.Topic] = f.TopicSeq - 1
			}
			require.Equal(t, got[f.Topic]+1, f.TopicSeq, "%s", raw)
			got[f.Topic] = f.TopicSeq
		}
		for w := range writers {
			for i := range each {
				topic := fmt.Sprintf("job.%d.%d", w, i)
				require.True(t, got[topic] == frames || born[c][topic] && got[topic] == 0, "%s: %d", topic, got[topic])
			}
		}
	}
}

// TestP32_WhoFollowsATopic pages through the followers, by name and by pattern, in memory and in the store.
func TestP32_WhoFollowsATopic(t *testing.T) {
	t.Parallel()
	h := newHome(t, "--sleep-after", "100ms")
	for name, e := range map[string]*endpoint{"memory": serve(t).endpoint, "store": h.start().endpoint} {
		for i := range 25 {
			e.subscribeAway(fmt.Sprintf("c%02d", i), []string{"a.b", "a.*", ">"}[i%3])
		}
		e.subscribeAway("other", "b.*")
		e.tell("a.b", numbered(1, 10))
		e.eventually("c24", "told", func(s protocol.State) bool { return s.Head == 1 })
		var ids []string
		pages := 0
		for cursor, more := "", true; more; pages++ {
			st := get[protocol.TopicState](e, topicPath("a.b", "?limit=10&cursor="+url.QueryEscape(cursor)))
			require.Equal(t, "a.b", st.Topic)
			require.EqualValues(t, 1, st.Head)
			require.EqualValues(t, 1, st.Frames)
			for _, f := range st.Followers {
				ids = append(ids, f.ClientID)
			}
			cursor, more = st.Cursor, st.Cursor != ""
		}
		require.Equal(t, 3, pages, name)
		require.Len(t, ids, 25, name)
		for i, id := range ids {
			require.Equal(t, fmt.Sprintf("c%02d", i), id)
		}
	}
}

// TestP32_MaxTopics: one more is overloaded for who publishes and who subscribes, those that are there go on, and one that is deleted makes room.
func TestP32_MaxTopics(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-topics", "3")
	c := e.reader("c")
	for _, topic := range []string{"a", "b", "c"} {
		c.subscribe(`"topic":%q`, topic)
	}
	r := e.do("POST", topicPath("d", "/frames"), []byte(numbered(1, 10)))
	require.Equal(t, protocol.CodeOverloaded, r.problem(t).Code)
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	c.send(`{"type":"subscribe","topic":"d"}`)
	m := c.nextOf("error")
	require.Equal(t, protocol.CodeOverloaded, m.Code)
	require.Contains(t, m.Raw, `"topic":"d"`)
	c.goesOn("a", 0)
	require.Equal(t, http.StatusNoContent, e.do("DELETE", topicPath("b", ""), nil).status)
	require.Contains(t, c.nextOf("unsubscribed").Raw, `"topic":"b"`)
	c.subscribe(`"topic":"d"`)
	c.goesOn("d", 0)
}
