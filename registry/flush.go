package registry

import "sync"

// flusher runs the turns in which clients write what publishers have left for them. It is a goroutine while there is any: frames that are published in quick
// succession cost one wake-up in all, and those of one client leave together.
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
		for _, c := range all {
			c.do(flushedMail{})
		}
		clear(all)
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
