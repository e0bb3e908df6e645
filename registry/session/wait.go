package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Level is how far a publisher wants its frames to have come before it is answered.
type Level uint8

// The levels of the HTTP table's wait.
const (
	LevelStored Level = iota
	LevelSent
	LevelAcked
)

func (l Level) String() string {
	return [...]string{protocol.StatusStored, protocol.StatusSent, protocol.StatusAcked}[l]
}

// wait is a publisher that was stored and waits for more. first and last are its frames.
type wait struct {
	to          any
	level       Level
	first, last uint64
	duplicate   bool
}

// await answers w at once where its level is reached, else it waits.
func (s *Session) await(w wait, fx *Effects) {
	if w.to == nil {
		return
	}
	if s.answerWait(w, fx) {
		return
	}
	if s.more(fx).drain != nil {
		s.answer(w, s.level(w.last), protocol.ShortDraining, fx)
		return
	}
	if len(s.x.waits) >= MaxWaiting {
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: protocol.CodeOverloaded})
		s.answer(w, s.level(w.last), protocol.ShortOverloaded, fx)
		return
	}
	fx.Settled = append(fx.Settled, w.to)
	s.x.waits = append(s.x.waits, w)
}

// level is how far the frame seq has come.
func (s *Session) level(seq uint64) Level {
	switch {
	case s.acked >= seq:
		return LevelAcked
	case s.x != nil && s.x.written >= seq:
		return LevelSent
	}
	return LevelStored
}

// answerWait answers w if its level is reached, or cannot be reached any more.
func (s *Session) answerWait(w wait, fx *Effects) bool {
	l := s.level(w.last)
	switch {
	case l >= w.level:
		s.answer(w, w.level, "", fx)
	case s.box.Floor() >= w.last:
		s.answer(w, l, protocol.ShortPruned, fx)
	default:
		return false
	}
	return true
}

func (s *Session) answer(w wait, l Level, reason string, fx *Effects) {
	fx.Replies = append(fx.Replies, Reply{To: w.to, Stored: Stored{
		Epoch: s.Epoch(), First: w.first, Last: w.last, Status: l.String(), Reason: reason, Duplicate: w.duplicate,
	}})
}

// answerWaits answers the publishers whose level has been reached.
func (s *Session) answerWaits(fx *Effects) {
	if s.x == nil || len(s.x.waits) == 0 {
		return
	}
	s.x.waits = keepUnless(s.x.waits, func(w wait) bool { return s.answerWait(w, fx) })
}

// cutWaits answers every waiting publisher with what was reached.
func (s *Session) cutWaits(reason string, fx *Effects) {
	for _, w := range s.x.waits {
		s.answer(w, s.level(w.last), reason, fx)
	}
	s.x.waits = nil
}

// keepUnless keeps the items, in order, for which done says no; it lets go of the slice when none is left.
func keepUnless[T any](items []T, done func(T) bool) []T {
	kept := items[:0]
	for _, it := range items {
		if !done(it) {
			kept = append(kept, it)
		}
	}
	clear(items[len(kept):])
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// giveUp lets whoever gave to be answered as soon as it is stored.
func (p *pending) giveUp(to any) {
	if p.to == to {
		p.level = LevelStored
	}
	for i := range p.followers {
		if p.followers[i].to == to {
			p.followers[i].level = LevelStored
		}
	}
}

// giveUp lets whoever gave to be answered by the next life as soon as it is stored there.
func (e *ending) giveUp(to any) {
	for i := range e.deferred {
		if e.deferred[i].To == to {
			e.deferred[i].Level = LevelStored
		}
	}
}

// GiveUp answers whoever gave to with what has been reached by now: its time is over, or its caller is gone.
func (s *Session) GiveUp(now time.Duration, to any, fx *Effects) {
	if s.x != nil {
		for i := range s.x.pending {
			s.x.pending[i].giveUp(to)
		}
		if s.x.ending != nil {
			s.x.ending.giveUp(to)
		}
		s.x.waits = keepUnless(s.x.waits, func(w wait) bool {
			if w.to != to {
				return false
			}
			s.answer(w, s.level(w.last), protocol.ShortTimeout, fx)
			return true
		})
		s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
			if r.to != to {
				return false
			}
			r.awaiting, r.wait = false, false
			return r.fetching == 0 && s.answerRead(r, r.snapshot, fx) // the store, if it is asked, answers soon
		})
	}
	s.settle(now, fx)
}
