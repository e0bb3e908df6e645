package stand

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = int64(time.Millisecond)

// paced starts a publisher at a rate, with a clock that stands still.
func paced(t *testing.T, rate string) (caller, *recorder, *manual) {
	r, m := &recorder{}, newManual(1000)
	c := stood(t, r, m)
	c.ok(`{}`, "POST", "/bench/start", `{"work":"unicast","prefix":"u-","clients":2,"bytes":240,"rate":`+rate+`}`)
	return c, r, m
}

// asleep waits until the publisher waits, and returns what it has published since, by the time that each was due at.
func asleep(t *testing.T, r *recorder, m *manual, until int64) map[int64]int {
	t.Helper()
	require.Equal(t, 1000+until*ms, <-m.waits)
	due := map[int64]int{}
	for _, p := range r.taken() {
		require.Zero(t, (p.t-1000)%ms)
		due[(p.t-1000)/ms]++
	}
	return due
}

// stopped stops a publisher that waits: its sleep ends, but no time passes.
func stopped(c caller, m *manual, want string) {
	c.t.Helper()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		c.ok(want, "POST", "/bench/stop", "")
	}()
	for {
		select {
		case m.waking <- m.now():
		case <-m.waits:
		case <-asked:
			return
		}
	}
}

func TestPacedFramesCarryTheTimeOfTheirTick(t *testing.T) {
	c, r, m := paced(t, "3500")
	require.Empty(t, asleep(t, r, m, 1), "the first tick has not come yet")
	m.waking <- 1000 + ms
	require.Equal(t, map[int64]int{1: 3}, asleep(t, r, m, 2))
	m.waking <- 1000 + 2*ms + ms/2
	require.Equal(t, map[int64]int{2: 4}, asleep(t, r, m, 3), "the remainder is carried")
	m.waking <- 1000 + 3*ms
	require.Equal(t, map[int64]int{3: 3}, asleep(t, r, m, 4))
	stopped(c, m, `{"published":10}`)
}

func TestMissedTicksAreCaughtUpWithAtOnce(t *testing.T) {
	c, r, m := paced(t, "2000")
	require.Empty(t, asleep(t, r, m, 1))
	m.waking <- 1000 + 5*ms + 1
	require.Equal(t, map[int64]int{1: 2, 2: 2, 3: 2, 4: 2, 5: 2}, asleep(t, r, m, 6))
	stopped(c, m, `{"published":10}`)
}

func TestASecondHoldsItsRate(t *testing.T) {
	for _, rate := range []int64{1, 7, 999, 1000, 1001, 12_345, maxRate} {
		j := job{work: work{Rate: int(rate)}}
		for _, s := range []int64{1, 2, 3600, 1_000_000} {
			require.Equal(t, s*rate, j.until(s*1000))
		}
		for n := int64(1); n < 3000; n++ {
			got := j.until(n) - j.until(n-1)
			require.True(t, got == rate/1000 || got == rate/1000+1, "%d in one tick at %d a second", got, rate)
		}
	}
}

func TestPacedTakesNoCredits(t *testing.T) {
	c, r, m := paced(t, "1")
	require.Empty(t, asleep(t, r, m, 1))
	status, text := c.call("POST", "/bench/credit?n=1", "")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, "rate 0")
	stopped(c, m, `{"published":0}`)
}
