package actors

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// watchTimer notes when it was due. It is called by the keepalive actor only.
type watchTimer struct {
	deadline time.Duration
	fired    []time.Duration
	onDue    func()
}

func (w *watchTimer) Due(now time.Duration) {
	w.fired = append(w.fired, now)
	if w.onDue != nil {
		w.onDue()
	}
}

func TestP16_TenThousandDeadlinesDoNotFireInOneTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, span = 10_000, 25 * time.Second
		s := Start(Options{Logger: new(logBuffer).logger()})
		timers := make([]watchTimer, n)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range timers {
			timers[i].deadline = time.Duration(random.Int64N(int64(span)))
			s.At(&timers[i], timers[i].deadline)
		}
		time.Sleep(span + 2*DefaultTick) // the bubble's clock
		synctest.Wait()
		perTick := map[time.Duration]int{}
		for i := range timers {
			w := &timers[i]
			require.Len(t, w.fired, 1, "each once")
			late := w.fired[0] - w.deadline
			require.GreaterOrEqual(t, late, time.Duration(0), "never early")
			require.LessOrEqual(t, late, DefaultTick, "at most one tick late")
			perTick[w.fired[0]/DefaultTick]++
		}
		require.GreaterOrEqual(t, len(perTick), 25)
		for tick, fired := range perTick {
			require.Less(t, fired, 2*n/25, "tick %d", tick)
		}
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestADeadlineMayBeRegisteredAnewFromDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{Tick: 10 * time.Millisecond})
		w := &watchTimer{}
		w.onDue = func() { s.At(w, s.Now()+25*time.Second) }
		s.At(w, 0)
		time.Sleep(101 * time.Second)
		synctest.Wait()
		require.Len(t, w.fired, 5)
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAFailingOwnerCostsNoOtherItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := Start(Options{Logger: log.logger()})
		timers := make([]watchTimer, 20)
		for i := range timers {
			if i%2 == 0 {
				timers[i].onDue = func() { panic("in Due") }
			}
			s.At(&timers[i], time.Second/2)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i := range timers {
			require.Len(t, timers[i].fired, 1)
		}
		require.EqualValues(t, 10, s.Counters().Panics.Load())
		require.Contains(t, log.String(), "in Due")
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestNoTickIsMissedOrDoubledAfterAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{Tick: time.Second})
		stall := make(chan struct{})
		first := &watchTimer{onDue: func() { <-stall }}
		s.At(first, time.Second)
		timers := make([]watchTimer, 700) // more than a round
		for i := range timers {
			s.At(&timers[i], time.Duration(i)*time.Second)
		}
		time.Sleep(1000 * time.Second)
		close(stall)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i := range timers {
			require.Len(t, timers[i].fired, 1, "deadline %d s", i)
		}
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAtAfterStopHoldsNothing(t *testing.T) {
	s := Start(Options{})
	require.NoError(t, s.Stop(t.Context()))
	s.At(&watchTimer{}, 0)
	require.Empty(t, s.intake.entries)
}
