package janitor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

func TestOptionsDefaults(t *testing.T) {
	for name, c := range map[string]struct{ in, want Options }{
		"zero":              {Options{}, Options{Interval: time.Hour, Spread: time.Minute}},
		"short interval":    {Options{Interval: 10 * time.Second}, Options{Interval: 10 * time.Second, Spread: time.Second}},
		"not spread":        {Options{Spread: -1}, Options{Interval: time.Hour}},
		"spread too far":    {Options{Interval: time.Minute, Spread: time.Hour}, Options{Interval: time.Minute, Spread: time.Minute}},
		"never by itself":   {Options{Interval: -1}, Options{Interval: -1}},
		"never, but spread": {Options{Interval: -1, Spread: time.Minute}, Options{Interval: -1}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.in.withDefaults()) })
	}
}

func TestP28_ASweepBeginsEveryHour(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 4}, Options{Spread: -1}, func(t *testing.T, h *house) {
		pass(time.Hour - time.Second)
		require.Empty(t, h.f.seen())
		for n := range 3 {
			pass(30 * time.Minute)
			seen := h.f.seen()
			require.Len(t, seen, 4)
			for i, g := range seen {
				require.Equal(t, i, g.shard)
				require.GreaterOrEqual(t, g.at, time.Duration(n+1)*time.Hour)
			}
			require.EqualValues(t, n+1, h.sys.Counters().Sweeps.Load())
			require.Contains(t, h.log.take(), `msg="janitor: swept" scheduled=true clients=4 reaped=0 kept=4 pruned=0`)
			pass(30 * time.Minute)
			require.Empty(t, h.f.seen())
		}
	})
}

func TestAScheduledSweepIsSpread(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 60}, Options{}, func(t *testing.T, h *house) {
		pass(time.Hour + 2*time.Minute)
		seen := h.f.seen()
		require.Len(t, seen, 60)
		for i, g := range seen {
			require.Equal(t, i, g.shard)
			wanted := seen[0].at + time.Duration(i)*time.Second
			require.GreaterOrEqual(t, g.at, wanted)
			require.LessOrEqual(t, g.at, wanted+actors.DefaultTick)
		}
		require.EqualValues(t, 1, h.sys.Counters().Sweeps.Load())
		require.Contains(t, h.log.take(), "clients=60")
	})
}

func TestNeverByItself(t *testing.T) {
	inHouse(t, &fakeSweeper{shards: 4}, Options{Interval: -1}, func(t *testing.T, h *house) {
		pass(48 * time.Hour)
		require.Empty(t, h.f.seen())
		r, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, r.Clients)
	})
}

func TestASweeperThatAnswersLateDelaysTheNextSweepAndLosesNothing(t *testing.T) {
	late := func(i int, done func(protocol.Sweep)) {
		time.AfterFunc(90*time.Minute, func() { done(protocol.Sweep{Clients: 10 + i, Reaped: 1}) })
	}
	inHouse(t, &fakeSweeper{shards: 2, answer: late}, Options{Spread: -1}, func(t *testing.T, h *house) {
		pass(2*time.Hour + time.Minute)
		require.Len(t, h.f.seen(), 2, "no second sweep on top of the first")
		require.Contains(t, h.log.take(), "has not ended")
		require.Zero(t, h.sys.Counters().Sweeps.Load())
		pass(45 * time.Minute)
		require.EqualValues(t, 1, h.sys.Counters().Sweeps.Load())
		require.Contains(t, h.log.take(), "clients=21 reaped=2 kept=0 pruned=0 took_ms=5400000")
		pass(30 * time.Minute)
		require.Len(t, h.f.seen(), 2, "the one at three hours begins")
	})
}

func TestAShardThatPanicsOrAnswersTwiceEndsNoSweep(t *testing.T) {
	var again func()
	odd := func(i int, done func(protocol.Sweep)) {
		if i == 0 {
			panic("bad shard")
		}
		done(protocol.Sweep{Clients: 5, Pruned: 3})
		again = func() { done(protocol.Sweep{Clients: 5}) }
	}
	f := &fakeSweeper{shards: 2, answer: odd}
	inHouse(t, f, Options{}, func(t *testing.T, h *house) {
		r, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, protocol.Sweep{Clients: 5, Pruned: 3}, r)
		require.EqualValues(t, 1, h.sys.Counters().Panics.Load())
		require.Contains(t, h.log.take(), "bad shard")
		again()
		pass(0)
		require.EqualValues(t, 1, h.sys.Counters().Dropped[actors.DropStale].Load())
	})
}

func TestASweepOfNoShards(t *testing.T) {
	inHouse(t, &fakeSweeper{}, Options{}, func(t *testing.T, h *house) {
		r, err := h.j.Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, r)
		pass(time.Hour + 2*time.Minute)
		require.EqualValues(t, 2, h.sys.Counters().Sweeps.Load())
	})
}
