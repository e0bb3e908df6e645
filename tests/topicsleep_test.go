package tests

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestP19_ATopicSleepsWhileItsFollowersDoNot: it is woken by a publish, and goes on telling those who have been there all the time, not only the first time.
func TestP19_ATopicSleepsWhileItsFollowersDoNot(t *testing.T) {
	t.Parallel()
	h := newHome(t, "--sleep-after", "100ms")
	e := h.start()
	named, pattern := e.reader("named"), e.reader("pattern")
	named.subscribe(`"topic":"a.b"`)
	pattern.subscribe(`"topic":"a.*"`)
	for round := range 3 {
		for n := 3*round + 1; n <= 3*round+3; n++ {
			e.tell("a.b", numbered(n, 10))
			named.hears("a.b", n, n)
			pattern.hears("a.b", n, n)
		}
		require.Eventually(t, func() bool { return e.metric("restante_sleeps_total ") >= float64(round+1) }, patience, pollEvery, "the topic never sleeps; its followers, which are attached, do not")
	}
	require.Empty(t, named.sync())
	require.Empty(t, pattern.sync())
}
