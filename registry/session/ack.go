package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// place is what a lost connection leaves behind: its ack mark counts in the least until the time, and until then moves as it did (P-11). The place
// of one that an earlier process has lost has no connectionID.
type place struct {
	connectionID  string
	cursor, acked uint64
	until         time.Duration
}

// ack moves one connection's ack mark (P-11).
func (s *Session) ack(now time.Duration, a *attachment, seq uint64, fx *Effects) {
	switch {
	case seq > a.cursor:
		s.refuse(now, a, protocol.Errorf(protocol.CodeAckAhead, "ack of %d, but the last frame sent here is %d", seq, a.cursor), fx)
	case seq >= a.acked:
		s.moveAck(now, &a.acked, seq, fx)
	}
}

// moveAck moves a mark up to seq, and takes the least anew.
func (s *Session) moveAck(now time.Duration, mark *uint64, seq uint64, fx *Effects) {
	if seq > *mark {
		*mark = seq
		fx.event(EventAck, 1)
	}
	s.applied(seq, fx)
	s.retake(now, fx)
}

// applied notes that some reader has applied everything up to seq.
func (s *Session) applied(seq uint64, fx *Effects) {
	if seq > s.acked {
		s.acked = seq
		s.answerWaits(fx)
	}
}

// retake takes the least ack of the places held anew, and prunes up to it, less the acked frames that are retained on purpose (P-14).
// With no place held there is no least, and nothing goes.
func (s *Session) retake(now time.Duration, fx *Effects) {
	if s.x == nil {
		return
	}
	if least, ok := s.least(now); ok {
		s.dropAcked(least, fx)
	}
}

func (s *Session) dropAcked(least uint64, fx *Effects) {
	if least > s.cfg.RetainAcked {
		n, bytes := s.box.DropTo(s.pinned(least - s.cfg.RetainAcked))
		s.gone(bytes)
		fx.event(EventPrunedAcked, n)
		if n > 0 {
			s.answerWaits(fx)
		}
	}
}

func (s *Session) least(now time.Duration) (least uint64, ok bool) {
	take := func(n uint64) {
		if !ok || n < least {
			least, ok = n, true
		}
	}
	for _, a := range s.x.attached {
		take(a.acked)
	}
	for _, p := range s.x.places {
		if p.until > now {
			take(p.acked)
		}
	}
	return least, ok
}

// endPlaces lets go of the places whose time is over.
func (s *Session) endPlaces(now time.Duration, fx *Effects) {
	x, n := s.x, 0
	for _, p := range x.places {
		if p.until > now {
			x.places[n] = p
			n++
		}
	}
	if n == len(x.places) {
		return
	}
	x.places = x.places[:n]
	if n == 0 {
		x.places = nil
	}
	s.retake(now, fx)
}

// AckBy is POST …/ack: cursor is the reader's, connectionID "" for none. It answers to with the plain "done".
// Without a connection it is bounded by head and prunes to the least of itself and the places held.
func (s *Session) AckBy(now time.Duration, cursor protocol.Cursor, connectionID string, to any, fx *Effects) {
	defer s.settle(now, fx)
	if cursor.Epoch != "" && cursor.Epoch != s.Epoch().String() {
		fx.fail(to, s.otherEpoch())
		return
	}
	s.active = now
	if connectionID != "" {
		a, p := s.attachedAs(connectionID), s.placeOf(connectionID, now)
		var sent uint64
		switch {
		case a != nil:
			a.seen, sent = now, a.cursor // a reader of events has no other way to say anything (P-15)
		case p != nil:
			sent = p.cursor
		default:
			fx.fail(to, protocol.Errorf(protocol.CodeNotFound, "no connection %q is attached", connectionID))
			return
		}
		switch {
		case cursor.Seq > sent:
			fx.fail(to, protocol.Errorf(protocol.CodeAckAhead, "ack of %d, but the last frame sent there is %d", cursor.Seq, sent))
			return
		case a != nil:
			s.ack(now, a, cursor.Seq, fx)
		case cursor.Seq >= p.acked:
			s.moveAck(now, &p.acked, cursor.Seq, fx)
		}
	} else {
		if head := s.box.Head(); cursor.Seq > head {
			fx.fail(to, protocol.Errorf(protocol.CodeAckAhead, "ack of %d, but the head is %d", cursor.Seq, head))
			return
		}
		least := cursor.Seq
		if s.x != nil {
			if held, ok := s.least(now); ok {
				least = min(least, held)
			}
		}
		fx.event(EventAck, 1)
		s.applied(cursor.Seq, fx)
		s.dropAcked(least, fx)
	}
	fx.Replies = append(fx.Replies, Reply{To: to})
}

func (s *Session) otherEpoch() *protocol.Error {
	return protocol.Errorf(protocol.CodeEpochMismatch, "the outbox is of epoch %s", s.Epoch())
}

// placeOf is the place that the lost connection of that name holds; nil for none. It is valid until the next change of the places.
func (s *Session) placeOf(connectionID string, now time.Duration) *place {
	if s.x != nil {
		for i := range s.x.places {
			if p := &s.x.places[i]; p.connectionID == connectionID && p.until > now {
				return p
			}
		}
	}
	return nil
}

func (s *Session) attachedAs(connectionID string) *attachment {
	if s.x != nil {
		for _, a := range s.x.attached {
			if a.connectionID == connectionID {
				return a
			}
		}
	}
	return nil
}
