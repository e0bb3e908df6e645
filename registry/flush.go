package registry

import (
	"sync"
	"time"
)

const (
	// flushAlone is up to how many clients a flusher goes on without a pause.
	flushAlone = 32
	// maxFlushPause bounds the pause.
	maxFlushPause = 5 * time.Millisecond
)

// flusher runs the turns in which clients write what publishers have left for them (session.Effects.Defer). It is a goroutine while there is any: frames that
// are published in quick succession cost one wake-up in all, and those of one client leave together.
//
// When it has had many clients in one round and the next round waits already, it is what everything waits for: then it pauses for as long as the round took. What
// gathers meanwhile costs no more writes, and so it catches up by having less to do.
type flusher struct {
	mu      sync.Mutex
	waiting []*client
	spare   []*client
	running bool
}

// flush has c's connections, of which there is one, written to soon.
func (r *Registry) flush(c *client) {
	f := &r.flushers[c.more.peers[0].gen%uint64(len(r.flushers))]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, c)
	if !f.running {
		f.running = true
		go f.run()
	}
}

func (f *flusher) run() {
	for all := f.take(); all != nil; all = f.take() {
		began := time.Now()
		for _, c := range all {
			c.do(flushedMail{})
		}
		clear(all)
		if len(all) > flushAlone && f.behind() {
			time.Sleep(min(time.Since(began), maxFlushPause))
		}
	}
}

// take returns those that wait; nil: nobody, and the goroutine ends.
func (f *flusher) take() (all []*client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.running = false
		return nil
	}
	all, f.waiting, f.spare = f.waiting, f.spare[:0], f.waiting
	return all
}

func (f *flusher) behind() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting) > 0
}
