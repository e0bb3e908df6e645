package registry

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// offline makes a registry in memory whose n clients follow one topic and are away, and returns once all of them do.
func offline(tb testing.TB, n int) *Registry {
	tb.Helper()
	r := start(tb, testConfig(), nil)
	for i := range n {
		_, err := r.Message(context.Background(), fmt.Sprintf("%036d", i), protocol.Message{Type: protocol.TypeSubscribe, Topic: "t", History: -1})
		require.NoError(tb, err)
	}
	return r
}

// publishTo publishes one frame of so many bytes to the topic, and returns when all its followers have been told.
func publishTo(tb testing.TB, r *Registry, bytes int) {
	tb.Helper()
	text := fmt.Sprintf(`{"type":"x","fill":"%s"}`, strings.Repeat("x", bytes-len(`{"type":"x","fill":""}`)))
	_, err := r.PublishTopic(context.Background(), "t", Publish{Bodies: []protocol.Body{body(tb, text)}})
	require.NoError(tb, err)
	for side := r.look(topicName("t")).more.topic; side.telling(); {
		runtime.Gosched()
	}
}

// BenchmarkFanOutOffline publishes one frame of 1 KB to 10,000 followers that are away, whose outboxes are empty: what it adds to the heap, and how much of
// the processor it takes.
func BenchmarkFanOutOffline(b *testing.B) {
	const followers = 10_000
	for range b.N {
		b.StopTimer()
		r := offline(b, followers)
		before := heapNow()
		b.StartTimer()
		publishTo(b, r, 1024)
		b.StopTimer()
		after := heapNow()
		require.EqualValues(b, followers, r.counters.TopicFrames.Load())
		b.ReportMetric(float64(after.HeapAlloc)-float64(before.HeapAlloc), "heap-B")
		b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/followers, "B/follower")
		runtime.KeepAlive(r)
	}
}
