package tests

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// A topic keeps its epoch and head while anyone follows it, however long it is idle; one that nobody follows is reaped.
func TestP32_AFollowedTopicIsNotReaped(t *testing.T) {
	t.Parallel()
	e := serve(t, "--max-age", "300ms", "--client-ttl", "300ms", "--janitor-interval", "200ms")
	c := e.reader("c")
	c.subscribe(`"topic":"followed"`)
	p := e.tellNumbered("followed", 1, 5)
	c.hears("followed", 1, 5)
	e.tellNumbered("alone", 1, 5)
	require.Eventually(t, func() bool { return e.do("GET", topicPath("alone", ""), nil).status == 404 }, patience, pollEvery)
	st := get[protocol.TopicState](e.endpoint, topicPath("followed", ""))
	require.Equal(t, p.Epoch, st.Epoch)
	require.EqualValues(t, 5, st.Head)
	e.tellNumbered("followed", 6, 6)
	c.hears("followed", 6, 6)
	require.NotEqual(t, p.Epoch, e.tellNumbered("alone", 1, 1).Epoch)
}

// Broadcast reaches two hundred clients, half of which are away, each frame once, while their own frames go on arriving; its answer is _all's epoch and seq.
func TestP32_BroadcastStarvesNobody(t *testing.T) {
	t.Parallel()
	const clients, flood = 200, 60
	e := serve(t, "--max-frames", "100") // half of it is less than the flood
	here := make([]*socket, clients)
	for i := range clients {
		id := fmt.Sprintf("c%d", i)
		if here[i] = e.reader(id); i%2 == 1 {
			here[i].cut()
		}
	}
	epoch := ""
	for n := 1; n <= flood; n++ {
		p := e.broadcast(n)
		require.EqualValues(t, n, p.Seq)
		require.True(t, epoch == "" || epoch == p.Epoch)
		epoch = p.Epoch
		if n%20 == 0 {
			for i := range clients {
				e.publish(fmt.Sprintf("c%d", i), numbered(n, 0))
			}
		}
	}
	for i, s := range here {
		if i%2 == 1 {
			s = e.attach(fmt.Sprintf("c%d", i), "since", s.cursor())
		}
		all, own := 0, 0
		for all < flood || own < flood/20 {
			m := s.next()
			if m.Seq == 0 {
				continue
			}
			f := readTopicFrame(t, []byte(m.Raw))
			if f.Topic == "" {
				own++
				require.Equal(t, own*20, f.N)
			} else {
				all++
				require.Equal(t, topicFrame{protocol.AllTopic, uint64(all), "n", all}, f)
			}
			s.send(`{"type":"ack","seq":%d}`, m.Seq)
		}
		require.Empty(t, s.sync())
	}
}
