package broker

import (
	"context"
	"sync"
)

// readers counts the attachments within the process that have something to read, so that Drain can wait for them.
type readers struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n gets to 0; nil while nobody waits
}

func (r *readers) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
}

func (r *readers) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// wait returns nil when there is none, else ctx's error.
func (r *readers) wait(ctx context.Context) error {
	r.mu.Lock()
	if r.n == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
