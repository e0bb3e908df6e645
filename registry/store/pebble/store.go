// Package pebble is the store on disk: it keeps clients in a database of github.com/cockroachdb/pebble, in a directory of its own.
// What lies in it, and what it promises, is written in docs/STORE.md.
//
// Updates gather in an open group, and one goroutine commits group after group, each with one sync at most. A few goroutines read.
// A store that cannot write, or cannot read what it must have, fails as a whole and for the rest of the process (see Store.Failed).
package pebble

import (
	"log/slog"
	"sync"
	"sync/atomic"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// Store is a store.Keeper on disk. Open makes one.
type Store struct {
	db         *crdb.DB
	dir        string
	log        *slog.Logger
	guard      *guard
	sync       Sync
	generation generation
	release    func() // what else holds the directory or a goroutine, once the library is closed

	mu      sync.Mutex
	work    sync.Cond // for the committing goroutine: a group is open, or there is an end
	open    *group    // what gathers
	spare   *group    // emptied, for the next
	totals  sums
	ended   bool // the committing goroutine has ended, in good order
	closing bool
	closed  bool

	applying *group // what is being applied, whose updates wait for it
	// confirming is held over the answers to a group, so that a failure's answers come behind them.
	confirming sync.Mutex
	// visible is held while a group is being applied, so that nobody shows what is not confirmed yet.
	visible chan struct{}

	asked   sync.Cond // for the readers
	asks    []*ask
	reading []*ask // what each reader is at, nil for nothing

	left   sync.Cond // for Close
	inside int       // calls that block, and our goroutines, under way

	bodies atomic.Uint64 // the N of the last shared body
	hours  atomic.Uint32 // the first hour whose shared bodies are kept
	dirty  chan struct{} // with SyncInterval: something is applied and not synced
	// applied and synced number the last group that was applied without a sync, and the last one known to be synced.
	applied, synced atomic.Uint64

	groups, syncs     atomic.Uint64 // since the store was opened
	stalls, stallSaid atomic.Int64  // how often commits had to wait, and when that was said last

	failure  *protocol.Error
	why      string // what failure says of the cause, and what to do about it
	failed   chan struct{}
	over     bool          // the failure has been answered to all who waited
	answered chan struct{} // closed when over

	once    sync.Once
	done    chan struct{} // closed when Close has come to its end
	doneErr error
}

// Generation is that of the epochs, at least 1 (P-26): it grows at each opening of a store that was not closed in good order and did not
// sync each group.
func (s *Store) Generation() uint32 { return s.generation.number }

// Totals are those of all clients as of the last update given.
func (s *Store) Totals() store.Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals.Totals
}

// Commit puts u into the open group. The answer comes through o, except after the end of the store, when it is given at once.
func (s *Store) Commit(o store.Owner, u *store.Update) (now bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return true, s.failure
	case s.ended:
		return true, errClosed
	case s.failure != nil: // those before it are being answered: it is answered behind them
		s.open.waiting = append(s.open.waiting, waiter{o, u.Token})
		return false, nil
	}
	s.open.put(o.ClientID(), u, s.generation.number)
	s.totals.count(o.ClientID(), u)
	s.join(o, u.Token, !u.Lazy)
	return false, nil
}

// join has o wait for the open group, which is synced where sync says so. mu is held.
func (s *Store) join(o store.Owner, token uint64, sync bool) {
	s.open.waiting = append(s.open.waiting, waiter{o, token})
	s.open.sync = s.open.sync || sync
	s.work.Signal()
}

// Share puts body into the open group. The id differs from those of every process before.
func (s *Store) Share(body protocol.Body, at int64) store.BodyID {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := store.BodyID{Hour: hourOf(at), N: s.bodies.Add(1)}
	if s.failure == nil && !s.ended {
		s.open.share(id, body)
		s.work.Signal()
	}
	return id
}

// Close commits what is under way, notes that the store was closed in good order, and closes it. A failed store gives its error, and does
// not wait for a disk that hangs.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.doneErr = s.close()
		close(s.done)
	})
	<-s.done
	return s.doneErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closing = true
	s.work.Broadcast()
	s.asked.Broadcast()
	for s.inside > 0 && s.failure == nil {
		s.left.Wait()
	}
	failed := s.failure != nil
	s.mu.Unlock()

	var err error
	if !failed {
		shut := make(chan error, 1)
		go func() { shut <- s.shut() }()
		select {
		case err = <-shut:
		case <-s.failed:
		}
	}
	s.mu.Lock()
	s.closed = s.failure == nil
	s.mu.Unlock()
	if !s.closed {
		<-s.answered
		err = s.Err()
	}
	s.guard.stop()
	s.release()
	return err
}

// shut writes the last word of a store in good order, and closes the library.
func (s *Store) shut() (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.onLibrary(asError(p))
		}
	}()
	g := s.generation
	g.clean = true
	if err := s.mark(s.db, g); err != nil {
		return err
	}
	return s.db.Close()
}

// enter begins a call that blocks, which Close waits for; leave ends it.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failure != nil:
		return s.failure
	case s.closing:
		return errClosed
	}
	s.inside++
	return nil
}

// run runs f in a goroutine that Close waits for.
func (s *Store) run(f func()) {
	s.inside++
	go func() {
		f()
		s.leave()
	}()
}

func (s *Store) leave() {
	s.mu.Lock()
	s.inside--
	s.left.Broadcast()
	s.mu.Unlock()
}
