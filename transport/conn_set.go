package transport

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// connSet holds the open connections, from the upgrade until their sockets are closed and nothing of them runs, and the open streams of events. The zero value is ready.
// The list runs through the connections themselves, so that being in it costs two pointers.
type connSet struct {
	mu     sync.Mutex
	first  *conn
	n      int // streams counted in
	closed bool
	idle   chan struct{} // made by a wait, closed when n falls to zero

	streams map[*stream]struct{}
}

// addStream takes s in; false: the set takes no more.
func (s *connSet) addStream(x *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.streams == nil {
		s.streams = map[*stream]struct{}{}
	}
	s.streams[x] = struct{}{}
	s.n++
	x.h.sys.Counters().Connections.Add(1)
	return true
}

func (s *connSet) removeStream(x *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, x)
	x.h.sys.Counters().Connections.Add(-1)
	s.less()
}

// less counts one down. mu is held.
func (s *connSet) less() {
	if s.n--; s.n == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// add takes c in; false: the set takes no more.
func (s *connSet) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if c.set.next = s.first; s.first != nil {
		s.first.set.prev = c
	}
	s.first = c
	s.n++
	c.h.sys.Counters().Connections.Add(1)
	return true
}

func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.set.prev != nil {
		c.set.prev.set.next = c.set.next
	} else {
		s.first = c.set.next
	}
	if c.set.next != nil {
		c.set.next.set.prev = c.set.prev
	}
	c.set.prev, c.set.next = nil, nil
	c.h.sys.Counters().Connections.Add(-1)
	s.less()
}

func (s *connSet) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// close lets nobody in any more, and returns those that are.
func (s *connSet) close() ([]*conn, []*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	all := make([]*conn, 0, s.n)
	for c := s.first; c != nil; c = c.set.next {
		all = append(all, c)
	}
	return all, slices.Collect(maps.Keys(s.streams))
}

// empty returns a channel that is closed once the set is empty; nil: it is.
func (s *connSet) empty() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	return s.idle
}

// CloseAll ends every connection at once: with 1001 where that can be written without waiting, and by reset where a write is stuck.
// Upgrades from here on are answered 503, draining. It does not wait; WaitConns does.
func (h *Handler) CloseAll() {
	conns, streams := h.conns.close()
	for _, c := range conns {
		c.Tell(c, evAbort)
	}
	for _, s := range streams {
		s.abort()
	}
}

// WaitConns returns nil once no connection is open and no goroutine of any is left, or ctx's error. It closes none.
func (h *Handler) WaitConns(ctx context.Context) error {
	idle := h.conns.empty()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
