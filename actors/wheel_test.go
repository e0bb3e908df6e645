package actors

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numberedTimer is a Timed that the wheel's tests tell apart.
type numberedTimer int

func (numberedTimer) Due(time.Duration) {}

func TestWheelAgainstANaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tick := rapid.SampledFrom([]time.Duration{1, 7, time.Second}).Draw(t, "tick")
		w := wheel{tick: tick}
		model := map[numberedTimer]time.Duration{}
		var now time.Duration
		var next numberedTimer
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				// Around now, within the round, and many rounds away; also what has passed.
				deadline := now + time.Duration(rapid.Int64Range(-3, 4*wheelSlots).Draw(t, "ticks"))*tick + time.Duration(rapid.Int64Range(0, int64(tick)-1).Draw(t, "rest"))
				w.add(next, deadline)
				model[next] = deadline
				next++
			} else {
				step := rapid.OneOf(rapid.Int64Range(-2, 5), rapid.Int64Range(wheelSlots-2, 3*wheelSlots)).Draw(t, "move")
				now = max(now, now+time.Duration(step)*tick+time.Duration(rapid.Int64Range(0, int64(tick)-1).Draw(t, "part")))
				got := []numberedTimer{}
				for _, d := range w.advance(now, nil) {
					got = append(got, d.(numberedTimer))
				}
				want := []numberedTimer{}
				for n, deadline := range model {
					if deadline <= now {
						want = append(want, n)
						delete(model, n)
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				require.Equal(t, want, got, "at %d", now)
			}
			require.Equal(t, len(model), w.size)
		}
	})
}

func TestWheelHoldsNoOwnerThatWasDue(t *testing.T) {
	w := wheel{tick: time.Second}
	w.add(numberedTimer(1), 0)
	w.add(numberedTimer(2), time.Millisecond)
	require.Len(t, w.advance(0, nil), 1)
	slot := w.slots[0]
	require.Equal(t, []wheelEntry{{numberedTimer(2), time.Millisecond}, {}}, slot[:2])
	require.Len(t, w.advance(time.Second, nil), 1)
	require.Equal(t, []wheelEntry{{}, {}}, slot[:2])
}

func TestWheelGivesUpTheMemoryOfABurst(t *testing.T) {
	w := wheel{tick: time.Second}
	for i := range 2 * spareKept {
		w.add(numberedTimer(i), 5*time.Second)
	}
	for i := range 2 * sparesKept {
		w.add(numberedTimer(i), time.Duration(10+i)*time.Second)
	}
	require.Len(t, w.advance(60*time.Second, nil), 2*spareKept+2*sparesKept)
	require.Zero(t, w.size)
	for i := range w.slots {
		require.Nil(t, w.slots[i])
	}
	require.Len(t, w.spare, sparesKept)
	for _, s := range w.spare {
		require.LessOrEqual(t, cap(s), spareKept)
	}
}
