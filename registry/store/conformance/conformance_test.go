package conformance

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/restante/restante/registry/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// late is a store that keeps nothing and answers from a goroutine of its own, as one with a disk does. bend lets it break a promise.
type late struct {
	mu     sync.Mutex
	broken bool
	queue  chan func()
	done   sync.WaitGroup
	once   sync.Once
	bend   func(token uint64, confirm func(token uint64, err error)) bool
}

func newLate(bend func(uint64, func(uint64, error)) bool) *late {
	l := &late{queue: make(chan func(), 1000), bend: bend}
	l.done.Go(func() {
		for do := range l.queue {
			do()
		}
	})
	return l
}

var errBroken = errors.New("the disk is broken")

func (l *late) Generation() uint32 { return 7 }

func (l *late) Commit(o store.Owner, u *store.Update) (bool, error) {
	token := u.Token
	l.queue <- func() {
		l.mu.Lock()
		var err error
		if l.broken {
			err = errBroken
		}
		l.mu.Unlock()
		if l.bend == nil || !l.bend(token, o.Confirmed) {
			o.Confirmed(token, err)
		}
	}
	return false, nil
}

func (l *late) Close() error {
	l.once.Do(func() { close(l.queue) })
	l.done.Wait()
	return nil
}

func (l *late) breakDown() {
	l.mu.Lock()
	l.broken = true
	l.mu.Unlock()
}

func TestAStoreThatKeepsItsPromises(t *testing.T) {
	Run(t, func(testing.TB) Opened {
		l := newLate(nil)
		reopen := func() (store.Store, error) {
			err := l.Close()
			l = newLate(nil)
			return l, err
		}
		return Opened{Store: l, Break: l.breakDown, Reopen: reopen}
	})
}

// inside answers within the call of Commit.
type inside struct{}

func (inside) Generation() uint32 { return 1 }
func (inside) Close() error       { return nil }
func (inside) Commit(o store.Owner, u *store.Update) (bool, error) {
	o.Confirmed(u.Token, nil)
	return false, nil
}

// shifting changes its generation while it is open.
type shifting struct{ n uint32 }

func (s *shifting) Generation() uint32                              { s.n++; return s.n }
func (s *shifting) Close() error                                    { return nil }
func (s *shifting) Commit(store.Owner, *store.Update) (bool, error) { return true, nil }

func TestBrokenPromisesAreSeen(t *testing.T) {
	bent := func(bend func(uint64, func(uint64, error)) bool) Opened {
		l := newLate(bend)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		return Opened{Store: l, Break: l.breakDown}
	}
	for _, c := range []struct {
		name string
		hold func(Opened) error
		o    Opened
		want string
	}{
		{"answered twice", answeredInOrder, bent(func(n uint64, confirm func(uint64, error)) bool {
			confirm(n, nil)
			return false
		}), "was answered when"},
		{"out of order", answeredInOrder, bent(func(n uint64, confirm func(uint64, error)) bool {
			if n%2 == 0 {
				confirm(n, nil)
				confirm(n-1, nil)
			}
			return true
		}), "was answered when"},
		{"not kept", manyOwners, bent(func(n uint64, confirm func(uint64, error)) bool {
			confirm(n, errBroken)
			return true
		}), "the disk is broken"},
		{"kept behind a failed one", failsBehind, bent(func(n uint64, confirm func(uint64, error)) bool {
			if n == 1 || n > 9 {
				confirm(n, nil)
				return true
			}
			return false
		}), "behind a failed one"},
		{"nothing fails", failsBehind, bent(func(n uint64, confirm func(uint64, error)) bool {
			confirm(n, nil)
			return true
		}), "no commit failed"},
		{"close answers nobody", closeAnswers, bent(func(uint64, func(uint64, error)) bool { return true }), "0 answers to 50"},
		{"answered within the call", answeredInOrder, Opened{Store: inside{}}, "from within a Commit"},
		{"another generation", generation, Opened{Store: &shifting{}}, "the generation went from"},
	} {
		t.Run(c.name, func(t *testing.T) { require.ErrorContains(t, c.hold(c.o), c.want) })
	}
}
