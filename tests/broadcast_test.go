package tests

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func (e *endpoint) broadcast(n int) (p protocol.TopicPublished) {
	e.t.Helper()
	r := e.do("POST", "/v1/broadcast", []byte(numbered(n, 10)))
	require.Equal(e.t, 200, r.status, "%s", r)
	require.NoError(e.t, json.Unmarshal(r.body, &p))
	require.Equal(e.t, protocol.AllTopic, p.Topic)
	return p
}

// TestP32_Broadcast: everybody gets it, who is away when he returns, also after a kill; nobody's own frames wait for it, and nobody is pushed out by it.
func TestP32_Broadcast(t *testing.T) {
	t.Parallel()
	// _all itself sleeps as well, and is woken by the next publish: the pauses between those are to be shorter than this.
	h := newHome(t, "--max-frames", "1200", "--sleep-after", "2s")
	e := h.start()
	here, away := e.follow("here", nil), e.follow("away", nil)
	e.publish("here", `{"type":"hi"}`)
	e.publish("away", `{"type":"hi"}`)
	here.next()
	away.next()
	require.NoError(t, away.c.Close(t.Context()))
	e.publish("absent", `{"type":"own","n":0}`)
	require.Eventually(t, func() bool { return e.metric("restante_clients_awake ") < 4 }, patience, pollEvery)
	wakes := e.metric("restante_wakes_total ")

	const flood = 900 // half of an outbox, and half of that again
	var last protocol.TopicPublished
	for n := 1; n <= flood; n++ {
		last = e.broadcast(n)
		if n%100 == 0 {
			e.publish("here", fmt.Sprintf(`{"type":"own","n":%d}`, n))
		}
	}
	require.EqualValues(t, flood, last.Seq)
	require.Equal(t, wakes, e.metric("restante_wakes_total "), "it wakes no sleeper")
	own, all := 0, uint64(0)
	for own < flood/100 || all < flood {
		f := here.next()
		if f.Type == "own" {
			own++
			continue
		}
		require.Equal(t, protocol.AllTopic, f.Topic)
		require.Equal(t, all+1, f.TopicSeq)
		all++
	}
	h.now.kill()

	e = h.start()
	back := e.follow("away", func(cfg *client.Config) { cfg.Cursor = away.c.Cursor() })
	back.hears(protocol.AllTopic, 1, flood)
	absent := e.follow("absent", nil)
	require.Equal(t, "own", absent.next().Type, "what was published directly is there still")
	absent.hears(protocol.AllTopic, 1, flood)
	born := e.follow("born", nil)
	e.publish("born", `{"type":"hi"}`)
	require.Equal(t, "hi", born.next().Type, "whoever is born later begins there")
	require.EqualValues(t, flood+1, e.broadcast(1).Seq)
	for _, a := range []*app{back, absent, born} {
		a.hears(protocol.AllTopic, flood+1, flood+1)
	}
	h.stop()
	h.check()
}
