package pebble_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// patience is how long an answer may take before it counts as never given.
const patience = 30 * time.Second

// client is a client's actor, as far as a store can tell. It notes each answer to an update; a second one to the same, or one out of turn, is
// noted in wrong.
type client struct {
	id    string
	is    store.State // as of the last update given
	token uint64
	given map[uint64]protocol.Body // by seq

	mu       sync.Mutex
	answers  []error // of the tokens 1 and on
	first    error   // the first of them that is none
	heads    []uint64
	wrong    error
	answered chan struct{}
	loaded   chan loaded
	bodies   chan found
	data     chan found
}

type loaded struct {
	c   *store.Client
	err error
}

type found struct {
	bodies []protocol.Body
	data   []byte
	err    error
}

func newClient(id string) *client {
	return &client{id: id, given: map[uint64]protocol.Body{}, answered: make(chan struct{}, 1),
		loaded: make(chan loaded, 4), bodies: make(chan found, 4), data: make(chan found, 4)}
}

func (c *client) ClientID() string { return c.id }

func (c *client) Confirmed(token uint64, err error) {
	c.mu.Lock()
	if want := uint64(len(c.answers)) + 1; token != want && c.wrong == nil {
		c.wrong = fmt.Errorf("%s: update %d was answered when %d was due", c.id, token, want)
	}
	c.answers = append(c.answers, err)
	if c.first == nil {
		c.first = err
	}
	c.mu.Unlock()
	select {
	case c.answered <- struct{}{}:
	default:
	}
}

func (c *client) Loaded(l *store.Client, err error) { c.loaded <- loaded{l, err} }
func (c *client) Bodies(_ uint64, b []protocol.Body, err error) {
	c.bodies <- found{bodies: b, err: err}
}
func (c *client) SnapshotData(_, _ uint64, b []byte, err error) {
	c.data <- found{data: b, err: err}
}

// publish gives one update with so many frames of about size bytes, and drops and cleans all but the last keep.
func (c *client) publish(s store.Store, frames, size int, keep uint64) {
	u := store.Update{Was: c.is, Is: c.is, At: 1}
	u.Is.Epoch = 5
	if frames > 0 {
		u.First = c.is.Head + 1
	}
	for range frames {
		u.Is.Head++
		b := protocol.Body(fmt.Sprintf(`{"type":"f","n":%d,"fill":"%0*d"}`, u.Is.Head, size, u.Is.Head*2654435761))
		c.given[u.Is.Head] = b
		u.Bodies = append(u.Bodies, b)
		u.Is.Bytes += int64(len(b)) + protocol.FrameOverhead
	}
	for u.Is.Head-u.Is.Floor > keep {
		u.Is.Floor++
		u.Is.Bytes -= int64(len(c.given[u.Is.Floor])) + protocol.FrameOverhead
	}
	u.Is.Cleaned = u.Is.Floor
	c.give(s, u)
}

func (c *client) give(s store.Store, u store.Update) {
	c.token++
	u.Token = c.token
	c.is = u.Is
	c.mu.Lock()
	c.heads = append(c.heads, u.Is.Head)
	c.mu.Unlock()
	if now, err := s.Commit(c, &u); now {
		c.Confirmed(u.Token, err)
	}
}

// wait waits for every answer, and returns the first error.
func (c *client) wait(t testing.TB) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		c.mu.Lock()
		n, first, wrong := len(c.answers), c.first, c.wrong
		c.mu.Unlock()
		require.NoError(t, wrong)
		if n == int(c.token) {
			return first
		}
		select {
		case <-c.answered:
		case <-late.C:
			require.Failf(t, "no answer", "%s: %d of %d updates were never answered", c.id, int(c.token)-n, c.token)
		}
	}
}

// kept is the head that was last confirmed.
func (c *client) kept() (head uint64) {
	for i, err := range c.answers {
		if err == nil {
			head = c.heads[i]
		}
	}
	return head
}

func take[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.Fail(t, "no answer")
		panic("unreachable")
	}
}

// load loads the client from k.
func (c *client) load(t testing.TB, k store.Keeper, hot int64) (*store.Client, error) {
	t.Helper()
	k.Load(c, hot)
	l := take(t, c.loaded)
	return l.c, l.err
}
