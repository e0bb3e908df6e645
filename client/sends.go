package client

import (
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

// sendLife is how long a send is repeated before it is given up as unknown (P-30).
const sendLife = 24 * time.Hour

// pending is a send that waits for its receipt.
type pending struct {
	PendingSend
	// on is the connection that it was written on; 0 for none.
	on uint64
	// after is when it may be written again.
	after time.Time
	tries tries
	// done takes the result where a caller waits for it; nil for a send that was found in the store.
	done chan SendResult
}

// sends are the sends without a receipt, in the order of their calls. At most one for each target is under way, so that a target
// gets them in that order even if one of them must be repeated.
type sends struct {
	backoff Backoff
	most    int

	mu   sync.Mutex
	list []*pending
	// ended is why there will be no more; nil while there may be.
	ended error
	// changed holds a token when the earliest end of a send may have changed.
	changed chan struct{}
}

func newSends(s settings) *sends {
	return &sends{backoff: s.Backoff, most: s.MaxPending, changed: make(chan struct{}, 1)}
}

// room says why no more sends are taken; nil if they are.
func (s *sends) room() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended != nil:
		return s.ended
	case s.most > 0 && len(s.list) >= s.most:
		return ErrTooManySends
	}
	return nil
}

// add takes p in, unless there is no room for it.
func (s *sends) add(p *pending) error {
	p.tries = tries{Backoff: s.backoff, n: 1} // the first try is Send itself
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended != nil:
		return s.ended
	case s.most > 0 && len(s.list) >= s.most:
		return ErrTooManySends
	}
	s.list = append(s.list, p)
	signal(s.changed)
	return nil
}

// load makes the list that of the store, which holds what is in the list and before it what an earlier process has left.
func (s *sends) load(kept []PendingSend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	have := make(map[string]*pending, len(s.list))
	for _, p := range s.list {
		have[p.ID] = p
	}
	s.list = s.list[:0]
	for _, k := range kept {
		p := have[k.ID]
		if p == nil {
			p = &pending{PendingSend: k, tries: tries{Backoff: s.backoff, n: 1}}
		}
		s.list = append(s.list, p)
	}
	signal(s.changed)
}

// due marks the sends that are to be written now on that connection as under way and returns them, with the time of the next one. What is
// larger than the broker takes is returned apart, to be refused here: the broker would close the connection for it.
func (s *sends) due(connection uint64, maxFrame int, now time.Time) (out, tooLarge []*pending, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var busy map[string]bool
	for _, p := range s.list {
		if busy[p.To] {
			continue
		}
		if busy == nil {
			busy = make(map[string]bool)
		}
		switch {
		case len(p.Frame) > maxFrame:
			tooLarge = append(tooLarge, p)
			continue
		case p.on == connection:
		case p.after.After(now):
			if next.IsZero() || p.after.Before(next) {
				next = p.after
			}
		default:
			p.on = connection
			out = append(out, p)
		}
		busy[p.To] = true
	}
	return out, tooLarge, next
}

// again puts a send back that was answered with a code after which it is repeated. false: there is no such send.
func (s *sends) again(id string, wait time.Duration, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.list {
		if p.ID == id {
			p.on = 0
			p.after = now.Add(max(wait, p.tries.next()))
			return true
		}
	}
	return false
}

// remove takes the send of that id out; nil if there is none.
func (s *sends) remove(id string) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(p *pending) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	p := s.list[i]
	s.list = slices.Delete(s.list, i, i+1)
	return p
}

// expired takes out what has had no answer for sendLife, and says when the next one will be so; zero for none.
func (s *sends) expired(now time.Time) (out []*pending, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(p *pending) bool {
		end := p.At.Add(sendLife)
		if !end.After(now) {
			out = append(out, p)
			return true
		}
		if next.IsZero() || end.Before(next) {
			next = end
		}
		return false
	})
	return out, next
}

// end takes no more sends, and tells those who wait; what is in the store stays there.
func (s *sends) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	s.ended = why
	for _, p := range s.list {
		if p.done != nil {
			p.done <- SendResult{PendingSend: p.PendingSend, Err: why}
		}
	}
	s.list = nil
}

// retried says after which errors a send is repeated (P-30). A code that this library does not know is final.
func retried(c protocol.Code) bool {
	switch c {
	case protocol.CodeOverloaded, protocol.CodeRateLimited, protocol.CodeDraining, protocol.CodeInternal:
		return true
	}
	return false
}
