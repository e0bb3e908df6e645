package actors

import (
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// maxFailing bounds the names whose failures are remembered for strategies that count them. Beyond it the one forgotten
// is any, and is only judged more mildly.
const maxFailing = 4096

// name is the address and id of an Owner.
type name struct{ address, id string }

// roll remembers what the library keeps inside each actor, for the few owners that have any of it: who watches them, and
// how often they failed. An owner that is neither watched nor failing costs nothing.
type roll struct {
	mu       sync.Mutex
	watchers map[name]*actor.PIDSet
	failing  map[name]*actor.RestartStatistics
	size     atomic.Int64 // of both maps, so that Closed is free while they are empty
}

func (r *roll) watch(n name, watcher *actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.watchers[n]
	if set == nil {
		if r.watchers == nil {
			r.watchers = map[name]*actor.PIDSet{}
		}
		set = actor.NewPIDSet()
		r.watchers[n] = set
		r.size.Add(1)
	}
	set.Add(watcher)
}

// unwatch reports whether watcher was watching n.
func (r *roll) unwatch(n name, watcher *actor.PID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.watchers[n]
	if set == nil || !set.Remove(watcher) {
		return false
	}
	if set.Empty() {
		delete(r.watchers, n)
		r.size.Add(-1)
	}
	return true
}

// failures returns what is remembered of n, which only n's own turn may change.
func (r *roll) failures(n name) *actor.RestartStatistics {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rs := r.failing[n]; rs != nil {
		return rs
	}
	return actor.NewRestartStatistics()
}

// keepFailures remembers rs if a strategy has counted anything in it.
func (r *roll) keepFailures(n name, rs *actor.RestartStatistics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, kept := r.failing[n]
	switch {
	case rs.FailureCount() > 0 && !kept:
		if r.failing == nil {
			r.failing = map[name]*actor.RestartStatistics{}
		}
		if len(r.failing) >= maxFailing {
			for other := range r.failing {
				delete(r.failing, other)
				r.size.Add(-1)
				break
			}
		}
		r.failing[n] = rs
		r.size.Add(1)
	case rs.FailureCount() == 0 && kept:
		delete(r.failing, n)
		r.size.Add(-1)
	}
}

// remove forgets n and returns who watched it.
func (r *roll) remove(n name) []*actor.PID {
	if r.size.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.failing[n]; ok {
		delete(r.failing, n)
		r.size.Add(-1)
	}
	set := r.watchers[n]
	if set == nil {
		return nil
	}
	delete(r.watchers, n)
	r.size.Add(-1)
	return set.Values()
}
