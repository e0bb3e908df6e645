package janitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// slow answers each shard after a while.
func slow(d time.Duration) func(int, func(protocol.Sweep)) {
	return func(i int, done func(protocol.Sweep)) {
		time.AfterFunc(d, func() { done(protocol.Sweep{Clients: 3, Reaped: 1, Kept: 2, Pruned: i}) })
	}
}

func TestASweepOnDemandIsAtOnceAndReports(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 4, answer: slow(250 * time.Millisecond)}, Options{}, func(t *testing.T, h *house) {
		before := h.sys.Now()
		r, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, protocol.Sweep{Clients: 12, Reaped: 4, Kept: 8, Pruned: 6, TookMS: 250}, r)
		seen := h.f.seen()
		require.Len(t, seen, 4)
		for _, g := range seen {
			require.Equal(t, before, g.at, "not spread")
		}
		require.EqualValues(t, 1, h.sys.Counters().Sweeps.Load())
	})
}

func TestSweepsOnDemandAtTheSameTimeAreOne(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 4, answer: slow(time.Second)}, Options{}, func(t *testing.T, h *house) {
		var all []<-chan result
		for range 5 {
			all = append(all, h.sweepSoon(t.Context()))
			pass(100 * time.Millisecond)
		}
		for _, c := range all {
			r := <-c
			require.NoError(t, r.err)
			require.Equal(t, 12, r.report.Clients)
		}
		require.Len(t, h.f.seen(), 4)
		require.EqualValues(t, 1, h.sys.Counters().Sweeps.Load())
		_, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, h.f.seen(), 4, "a later one is a sweep of its own")
	})
}

func TestASweepOnDemandCutsAScheduledOneShortAndJudgesEverybody(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 60, answer: slow(3 * time.Second)}, Options{}, func(t *testing.T, h *house) {
		pass(time.Hour + 10*time.Second + time.Millisecond)
		begun := h.f.seen()
		require.NotEmpty(t, begun)
		require.Less(t, len(begun), 60)
		_ = h.log.take()

		one, two := h.sweepSoon(t.Context()), h.sweepSoon(t.Context())
		synctest.Wait()
		require.Empty(t, h.f.seen(), "not before the shards that are under way have answered")
		for _, c := range []<-chan result{one, two} {
			r := <-c
			require.NoError(t, r.err)
			require.Equal(t, 180, r.report.Clients, "everybody, also those whom the scheduled one had judged")
			require.EqualValues(t, 3000, r.report.TookMS)
		}
		require.Len(t, h.f.seen(), 60)
		text := h.log.take()
		require.Contains(t, text, "cut short")
		require.Contains(t, text, "scheduled=false")
		require.EqualValues(t, 1, h.sys.Counters().Sweeps.Load())

		pass(30 * time.Minute)
		require.Empty(t, h.f.seen(), "nothing is left of the one that was cut")
		pass(32 * time.Minute)
		require.Len(t, h.f.seen(), 60, "the next scheduled one comes as ever")
	})
}

func TestAScheduledSweepThatFindsOneOnDemandIsCoveredByIt(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 2, answer: slow(10 * time.Minute)}, Options{Spread: -1}, func(t *testing.T, h *house) {
		pass(55 * time.Minute)
		c := h.sweepSoon(t.Context())
		pass(20 * time.Minute)
		require.NoError(t, (<-c).err)
		require.Len(t, h.f.seen(), 2)
		require.NotContains(t, h.log.take(), "has not ended")
		pass(time.Hour)
		require.Len(t, h.f.seen(), 2)
	})
}

func TestACallerMayLeaveAndTheSweepGoesOn(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 2, answer: slow(time.Minute)}, Options{}, func(t *testing.T, h *house) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.j.Sweep(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		r, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 60_000, r.TookMS, "the same sweep")
		require.Len(t, h.f.seen(), 2)
	})
}

func TestStopInMidSweep(t *testing.T) {
	for _, when := range []string{"on demand", "waiting for a scheduled one"} {
		t.Run(when, func(t *testing.T) {
			inHouse(t, &fakeSweeper{shards: 8, answer: slow(time.Hour)}, Options{}, func(t *testing.T, h *house) {
				if when != "on demand" {
					pass(time.Hour + 10*time.Second)
					require.NotEmpty(t, h.f.seen())
				}
				c := h.sweepSoon(t.Context())
				synctest.Wait()
				require.NoError(t, h.sys.Stop(t.Context()))
				r := <-c
				require.Equal(t, protocol.CodeDraining, protocol.AsError(r.err).Code)
				require.Contains(t, h.log.take(), "stopped in mid-sweep")
				_, err := h.j.Sweep(t.Context())
				require.Equal(t, protocol.CodeDraining, protocol.AsError(err).Code)
				pass(2 * time.Hour) // the shards answer, and nobody is there
				require.Zero(t, h.sys.Counters().Sweeps.Load())
				require.Zero(t, h.sys.Counters().Dropped[actors.DropLetter].Load())
			})
		})
	}
}

func TestStartOnAStoppedSystem(t *testing.T) {
	sys := actors.Start(actors.Options{})
	require.NoError(t, sys.Stop(t.Context()))
	_, err := Start(sys, &fakeSweeper{}, Options{})
	require.ErrorIs(t, err, actors.ErrStopped)
}
