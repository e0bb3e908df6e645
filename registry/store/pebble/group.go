package pebble

import (
	"fmt"
	"time"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/registry/store"
)

// keepWaiting is room for how many updates a group keeps for the next.
const keepWaiting = 16384

// waiter is an update, or an owner's own, that waits for its group.
type waiter struct {
	owner store.Owner
	token uint64
}

// group is what is committed together: the updates, encoded as they were given, and who waits for them.
type group struct {
	batch   *crdb.Batch
	waiting []waiter
	sync    bool // one of them is more than lazy
	number  uint64
	key     []byte
	end     []byte
}

func newGroup(db *crdb.DB) *group { return &group{batch: db.NewBatch()} }

func (g *group) empty() bool { return g.batch.Empty() && len(g.waiting) == 0 }

// reset empties g for use again. The batch itself lets go of memory that a rare large group took.
func (g *group) reset() {
	g.batch.Reset()
	clear(g.waiting)
	if cap(g.waiting) > keepWaiting {
		g.waiting = nil
	}
	g.waiting, g.sync = g.waiting[:0], false
}

// commitAll is the committing goroutine: it takes what has gathered, applies it, confirms it, and goes on with what gathered meanwhile.
func (s *Store) commitAll() {
	var last *group
	for {
		s.mu.Lock()
		if last != nil {
			s.spare, last = last, nil
		}
		for s.failure == nil && !s.closing && s.open.empty() {
			s.work.Wait()
		}
		if s.failure != nil || s.open.empty() {
			s.ended = s.failure == nil
			s.mu.Unlock()
			return
		}
		g := s.open
		s.open, s.spare, s.applying = s.spare, nil, g
		s.totals.group++
		g.number = s.totals.group
		s.totals.synced = s.synced.Load()
		g.set(keyTotals, appendTotals(g.end[:0], s.totals)) // the last thing in it: see journal.go
		s.mu.Unlock()

		if err := s.apply(g); err != nil {
			s.onLibrary(err)
			return
		}

		s.mu.Lock()
		if s.failure != nil { // whoever answers the failure answers g's too
			s.mu.Unlock()
			return
		}
		s.applying = nil
		s.confirming.Lock()
		s.mu.Unlock()
		for _, w := range g.waiting {
			w.owner.Confirmed(w.token, nil)
		}
		s.confirming.Unlock()
		g.reset()
		last = g
	}
}

// apply has the library take g, with one sync where g and the store's setting want it.
func (s *Store) apply(g *group) (err error) {
	s.visible <- struct{}{}
	defer func() {
		if p := recover(); p != nil {
			err = asError(p)
		}
		<-s.visible
	}()
	s.groups.Add(1)
	if s.sync.mode == modeAlways && g.sync {
		s.syncs.Add(1)
		if err = s.db.Apply(g.batch, crdb.Sync); err == nil {
			s.synced.Store(g.number)
		}
		return err
	}
	if err := s.db.Apply(g.batch, crdb.NoSync); err != nil {
		return err
	}
	s.applied.Store(g.number)
	if s.dirty != nil && g.sync {
		select {
		case s.dirty <- struct{}{}:
		default: // a sync is due already
		}
	}
	return nil
}

// syncAll is the goroutine of SyncInterval: what has been applied is synced within the interval.
func (s *Store) syncAll(stop <-chan struct{}) {
	due := time.NewTimer(s.sync.every)
	due.Stop()
	defer due.Stop()
	for {
		select {
		case <-s.dirty:
		case <-stop:
			return
		}
		due.Reset(s.sync.every)
		select {
		case <-due.C:
		case <-stop:
			return // Close syncs
		}
		if err := s.syncNow(); err != nil {
			s.onLibrary(err)
			return
		}
	}
}

// syncNow has the log synced as far as it has been written.
func (s *Store) syncNow() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = asError(p)
		}
	}()
	number := s.applied.Load()
	s.syncs.Add(1)
	if err = s.db.LogData([]byte{0}, crdb.Sync); err == nil {
		s.synced.Store(number)
	}
	return err
}

// asError is what a panic of the library says.
func asError(p any) error {
	if err, ok := p.(error); ok {
		return err
	}
	return fmt.Errorf("%v", p)
}
