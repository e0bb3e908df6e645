package janitor

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// given is one shard that was given out.
type given struct {
	shard int
	at    time.Duration
}

// fakeSweeper answers for each shard as answer says; nil answers at once with one client kept.
type fakeSweeper struct {
	sys    *actors.System
	shards int
	answer func(i int, done func(protocol.Sweep))

	mu    sync.Mutex
	given []given
	open  map[int]int // answers that are owed, by shard
	twice bool        // a shard was given out before it was done
}

func (f *fakeSweeper) Shards() int { return f.shards }

func (f *fakeSweeper) SweepShard(i int, done func(protocol.Sweep)) {
	f.mu.Lock()
	f.given = append(f.given, given{i, f.sys.Now()})
	if f.open == nil {
		f.open = map[int]int{}
	}
	f.twice = f.twice || f.open[i] > 0
	f.open[i]++
	f.mu.Unlock()
	answered := func(s protocol.Sweep) {
		f.mu.Lock()
		f.open[i]--
		f.mu.Unlock()
		done(s)
	}
	if f.answer != nil {
		f.answer(i, answered)
		return
	}
	answered(protocol.Sweep{Clients: 1, Kept: 1})
}

// seen returns what has been given out so far, and forgets it.
func (f *fakeSweeper) seen() []given {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.given
	f.given = nil
	return all
}

func (f *fakeSweeper) doubled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.twice
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns the log so far, and forgets it.
func (l *logBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	l.b.Reset()
	return s
}

// house is a system with a janitor in a bubble.
type house struct {
	sys *actors.System
	log *logBuffer
	f   *fakeSweeper
	j   *Janitor
}

func inHouse(t *testing.T, f *fakeSweeper, o Options, run func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := new(logBuffer)
		sys := actors.Start(actors.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		f.sys = sys
		j, err := Start(sys, f, o)
		require.NoError(t, err)
		run(t, &house{sys, log, f, j})
		require.NoError(t, sys.Stop(t.Context()))
		require.False(t, f.doubled(), "a shard was given out again before it was done")
	})
}

// pass lets d pass in the bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// result is the outcome of a Sweep on another goroutine.
type result struct {
	report protocol.Sweep
	err    error
}

func (h *house) sweepSoon(ctx context.Context) <-chan result {
	c := make(chan result, 1)
	go func() {
		r, err := h.j.Sweep(ctx)
		c <- result{r, err}
	}()
	return c
}
