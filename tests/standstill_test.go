package tests

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// subscribeAway subscribes a client that has no connection.
func (e *endpoint) subscribeAway(id, topic string) {
	e.t.Helper()
	r := e.do("POST", "/v1/clients/"+id+"/messages", []byte(fmt.Sprintf(`{"type":"subscribe","topic":%q}`, topic)))
	require.Equal(e.t, 200, r.status, "%s", r)
	require.Contains(e.t, string(r.body), `"type":"subscribed"`)
}

// TestP19_TopicsFillHalfAnOutbox: past that the subscription stands still, what is published directly keeps its room, and as the reader catches up the
// rest of the log comes, in order and without a hole.
func TestP19_TopicsFillHalfAnOutbox(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-frames", "100")
	e.subscribeAway("away", "t")
	e.tellEach("t", 1, 200)
	e.eventually("away", "half full", func(s protocol.State) bool { return s.Head == 50 })
	for n := 1; n <= 50; n++ {
		e.publish("away", fmt.Sprintf(`{"type":"own","n":%d}`, n))
	}
	st := e.state("away")
	require.EqualValues(t, 100, st.Head, "the topic has put in nothing more")
	require.Zero(t, st.Floor, "and nothing has been pushed out")

	c := e.attach("away")
	own := 0
	for topic := uint64(0); topic < 200 || own < 50; {
		m := c.next()
		if m.Seq == 0 {
			continue
		}
		if m.Type == "own" {
			own++
			require.Equal(t, own, m.N)
		} else {
			topic++
			require.Equal(t, topic, readTopicFrame(t, []byte(m.Raw)).TopicSeq, m.Raw)
		}
		if m.Seq%25 == 0 {
			c.send(`{"type":"ack","seq":%d}`, m.Seq)
		}
	}
	c.ack(c.last)
	c.goesOn("t", 200)
}

// TestP19_AReaderWhoStopsAckingStandsStill: what counts is the greatest ack, and before the first what was sent.
func TestP19_AReaderWhoStopsAckingStandsStill(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-frames", "100")
	c := e.reader("c")
	c.subscribe(`"topic":"t"`)
	e.tellEach("t", 1, 120)
	c.hears("t", 1, 120) // it never acked, and is sent all there is
	c.ack(120)
	e.tellEach("t", 121, 220)
	c.hears("t", 121, 170)
	require.Empty(t, c.sync(), "fifty above the ack, and no more")
	require.EqualValues(t, 170, e.state("c").Head)
	c.send(`{"type":"ack","seq":130}`)
	c.hears("t", 171, 180)
	require.Empty(t, c.sync())
	e.publish("c", `{"type":"own"}`)
	require.Equal(t, "own", c.next().Type, "its own frames do not stand still")
	c.send(`{"type":"ack","seq":%d}`, c.last)
	c.hears("t", 181, 220)
	c.goesOn("t", 220)
}

// TestP19_WhatTheLogHasLostIsAHole: a follower stands still for longer than the log retains; the library says what is missing, and goes on behind it.
func TestP19_WhatTheLogHasLostIsAHole(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-frames", "100", "--topic-frames", "80")
	e.subscribeAway("away", "t")
	e.tellEach("t", 1, 200)
	e.eventually("away", "half full", func(s protocol.State) bool { return s.Head == 50 })
	var mu sync.Mutex
	var holes []client.TopicHole
	a := e.follow("away", func(cfg *client.Config) {
		cfg.OnTopicHole = func(h client.TopicHole) {
			mu.Lock()
			defer mu.Unlock()
			holes = append(holes, h)
		}
	})
	a.hears("t", 1, 50)
	a.hears("t", 121, 200)
	mu.Lock()
	require.Equal(t, []client.TopicHole{{Topic: "t", From: 51, To: 120}}, holes)
	mu.Unlock()
	e.tellEach("t", 201, 201)
	a.hears("t", 201, 201)
}

// TestP19_ManyTopicsShareTheHalf: one that floods does not keep what another says from a reader who catches up.
func TestP19_ManyTopicsShareTheHalf(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-frames", "100")
	for _, topic := range []string{"loud", "soft"} {
		e.subscribeAway("away", topic)
	}
	e.tellEach("loud", 1, 300)
	e.tellEach("soft", 1, 3)
	a := e.follow("away", nil) // which acks only after 500 frames, or 5 s
	got := map[string]uint64{}
	for got["loud"] < 300 || got["soft"] < 3 {
		f := a.next()
		require.Equal(t, got[f.Topic]+1, f.TopicSeq, "%s", f.Raw)
		got[f.Topic] = f.TopicSeq
	}
	e.tellEach("soft", 4, 4)
	a.hears("soft", 4, 4)
}
