package registry

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fewPublishes is how many publishes in a millisecond write to their readers themselves. A frame that comes alone waits for nothing and wakes nobody.
	fewPublishes = 16
	// crowdLasts is for how many milliseconds a crowd is expected to go on: a publisher that waits for its readers has gaps.
	crowdLasts = 5

	// flushAlone is up to how many clients a flusher goes on without a pause.
	flushAlone = 32
	// pauseRounds is how many times as long as the round before it a pause is, and maxFlushPause what it is at most.
	pauseRounds   = 2
	maxFlushPause = 5 * time.Millisecond
	// probeEvery is how many rounds a flusher whose pauses gather nothing goes on without one.
	probeEvery = 64
)

// crowd tells publishes that come alone from those that come in a crowd. It counts those of the millisecond that it is; a count that is a little wrong does no harm.
type crowd struct {
	at atomic.Int64 // which millisecond
	n  atomic.Int64
	is atomic.Bool // the millisecond before was crowded
}

// joins notes one more, and reports whether it is in a crowd.
func (c *crowd) joins(now time.Duration) bool {
	if at, was := now.Milliseconds(), c.at.Load(); was != at {
		c.at.Store(at)
		c.is.Store(c.n.Swap(0) > fewPublishes && at <= was+crowdLasts)
	}
	return c.n.Add(1) > fewPublishes || c.is.Load()
}

// flusher runs the turns in which clients write what publishers have left for them (session.Effects.Defer). It is a goroutine while there is any: frames that
// are published in quick succession cost one wake-up in all, and those of one client leave together.
//
// When it has had many clients in one round and the next round waits already, it is what everything waits for: then it pauses for twice as long as the round took. What
// gathers meanwhile for the same clients costs no more writes, and so it catches up by having less to do. Where nothing gathers, it does not pause.
type flusher struct {
	mu      sync.Mutex
	waiting []*client
	frames  int // calls whose frames wait
	spare   []*client
	running bool

	skip int // rounds without a pause that are still to come; the goroutine's
}

// flush has c's connections, of which there is one, written to soon.
func (r *Registry) flush(c *client) {
	f := &r.flushers[c.more.peers[0].gen%uint64(len(r.flushers))]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames++
	if c.more.flushing {
		return
	}
	c.more.flushing = true
	f.waiting = append(f.waiting, c)
	if !f.running {
		f.running = true
		go f.run()
	}
}

func (f *flusher) run() {
	paused := false
	for all, frames := f.take(); all != nil; all, frames = f.take() {
		began := time.Now()
		for _, c := range all {
			c.do(flushedMail{})
		}
		clear(all)
		if paused && 4*frames < 5*len(all) {
			f.skip = probeEvery
		}
		if paused = len(all) > flushAlone && f.pauses(); paused {
			time.Sleep(min(pauseRounds*time.Since(began), maxFlushPause))
		}
	}
}

// take returns those that wait, and for how many calls; nil: nobody, and the goroutine ends.
func (f *flusher) take() (all []*client, frames int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.running = false
		return nil, 0
	}
	all, f.waiting, f.spare = f.waiting, f.spare[:0], f.waiting
	frames, f.frames = f.frames, 0
	return all, frames
}

// pauses reports whether a pause is due after a round with many clients.
func (f *flusher) pauses() bool {
	if f.skip > 0 {
		f.skip--
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting) > 0
}
