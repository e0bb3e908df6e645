package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
)

// topicWorld is a broker that is killed again and again while topics are published to, and the followers that must get every frame once.
type topicWorld struct {
	t      *testing.T
	home   *home
	e      *endpoint
	topics []string

	mu        sync.Mutex
	confirmed map[string]uint64 // the last topic_seq that a publisher was told
}

// publish publishes to a topic, one keyed frame after the other, until ctx ends; a publish that the kill cut off is repeated.
func (w *topicWorld) publish(ctx context.Context, topic string) {
	for n := 1; ctx.Err() == nil; n++ {
		for ctx.Err() == nil {
			r, err := w.e.try(ctx, "POST", topicPath(topic, "/frames"), []byte(numbered(n, 40)), "Idempotency-Key", fmt.Sprintf("%s-%d", topic, n))
			if err == nil && r.status == 200 {
				break
			}
			time.Sleep(pollEvery)
		}
		if ctx.Err() == nil {
			w.mu.Lock()
			w.confirmed[topic] = uint64(n)
			w.mu.Unlock()
		}
	}
}

// complete waits until a follower has been handed every confirmed frame of the topics, each once and in order.
func (w *topicWorld) complete(name string, a *app, want map[string]uint64) {
	w.t.Helper()
	got := map[string]uint64{}
	missing := func() bool {
		for topic, n := range want {
			if got[topic] < n {
				return true
			}
		}
		return false
	}
	for missing() {
		f := a.next()
		require.Equal(w.t, got[f.Topic]+1, f.TopicSeq, "%s: %s", name, f.Raw)
		if f.Topic != "c" { // those have no keys
			require.EqualValues(w.t, f.TopicSeq, readTopicFrame(w.t, f.Raw).N, "a frame that was published once is there once: %s", f.Raw)
		}
		got[f.Topic] = f.TopicSeq
	}
}

// TestP19_KilledBetweenATopicAndItsFollowers kills the broker at any moment, also right behind a publish's answer, when the topic has the frame and
// most outboxes do not: followers that read, that are away, and that sleep get every frame once, by name and by pattern.
func TestP19_KilledBetweenATopicAndItsFollowers(t *testing.T) {
	t.Parallel()
	const rounds, sleepers = 12, 60
	h := newHome(t, "--sleep-after", "300ms", "--topic-frames", "100000")
	w := &topicWorld{t: t, home: h, e: &endpoint{t: t, url: "http://" + h.addr}, topics: []string{"a", "b.1", "b.2"}, confirmed: map[string]uint64{}}
	rnd := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	e := h.start()
	apps := map[string]*app{}
	for i, subscriptions := range [][]string{{"a", "b.1", "b.2"}, {">"}, {"b.*", "a", "b.1"}} {
		name := fmt.Sprintf("reader-%d", i)
		apps[name] = e.follow(name, nil)
		for _, s := range subscriptions {
			apps[name].subscribe(s, client.SubscribeOptions{})
		}
	}
	for i := range sleepers { // who subscribe and are gone
		r := e.do("POST", fmt.Sprintf("/v1/clients/sleeper-%d/messages", i), []byte(`{"type":"subscribe","topic":"a"}`))
		require.Equal(t, 200, r.status, "%s", r)
		if i%2 == 0 {
			r = e.do("POST", fmt.Sprintf("/v1/clients/sleeper-%d/messages", i), []byte(`{"type":"subscribe","topic":"b.*"}`))
			require.Equal(t, 200, r.status, "%s", r)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, topic := range w.topics {
		all.Go(func() { w.publish(ctx, topic) })
	}
	for range rounds {
		time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
		if rnd.IntN(2) == 0 { // right behind an answer
			_, _ = w.e.tryTell(t.Context(), "c", numbered(1, 10))
		}
		h.now.kill()
		h.start()
	}
	time.Sleep(200 * time.Millisecond)
	stop()
	all.Wait()
	want := map[string]uint64{}
	for _, topic := range w.topics {
		frames, _ := w.e.log(topic, "")
		want[topic] = uint64(len(frames))
		require.GreaterOrEqual(t, want[topic], w.confirmed[topic], "what was confirmed is there")
		require.Positive(t, want[topic])
	}
	t.Logf("%d kills, topics with %v frames", rounds, want)
	for name, a := range apps {
		w.complete(name, a, want)
	}
	h.now.kill()
	h.start()
	for i := range sleepers {
		name := fmt.Sprintf("sleeper-%d", i)
		expect := map[string]uint64{"a": want["a"]}
		if i%2 == 0 {
			expect["b.1"], expect["b.2"] = want["b.1"], want["b.2"]
		}
		w.complete(name, w.e.follow(name, nil), expect)
	}
	h.stop()
	h.check()
}
