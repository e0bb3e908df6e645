package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Publish appends Bodies, all or none. Record names the call for repeats; nil for none. Whoever gave To gets exactly one Reply. Where the session
// is a topic's, Topic names it, and Closes says that nothing may follow (P-32).
type Publish struct {
	Topic  string
	Closes bool
	To     any
	Bodies []protocol.Body
	Record *RecordKey
	Sum    Sum // of Bodies; counts only with Record
	Level  Level
}

// pending is one update between its commit and the store's word: a call's frames, a snapshot, or what rides along alone. followers are
// repeats that share its outcome.
type pending struct {
	token uint64
	appended
	record    *RecordKey
	followers []follower
	told      *told     // entries about subscriptions that it changes; nil for none
	sub       *change   // of what the client has subscribed to; nil for none
	closes    bool      // the frame that closes the topic
	snapshots bool      // the commit that stores snapshot, or drops the stored one where that is nil
	snapshot  *snapshot // see there
	deletes   bool      // the commit that ends the life
	lazy      bool      // it may be lost with the process
}

// appended are frames that have a seq and are not confirmed yet; 0 for none. to, where it is not nil, waits for them, up to level.
type appended struct {
	first, last uint64
	to          any
	level       Level
	follow      *follow // whose cursor moves to cursor with the frames; nil where they are no topic's
	cursor      uint64
}

type follower struct {
	to    any
	level Level
}

// Publish takes a call's frames in. It never blocks on, and never fails because of, a reader (P-13).
func (s *Session) Publish(now time.Duration, p Publish, fx *Effects) {
	defer s.settle(now, fx)
	x := s.x
	switch {
	case x != nil && x.drain != nil:
		fx.fail(p.To, x.drain.refusal(""))
		return
	case x != nil && x.ending != nil:
		x.ending.deferred = append(x.ending.deferred, p) // for the next life (P-28)
		return
	}
	if p.Record != nil && x != nil && s.repeat(now, p, fx) {
		return
	}
	if s.Closed() {
		fx.fail(p.To, protocol.Errorf(protocol.CodeConflict, "the topic is closed"))
		return
	}
	if e := s.tooMuch(p.Bodies); e != nil {
		fx.fail(p.To, e)
		return
	}
	s.active = now // as of this update: a kill right behind it must not leave the frames to the janitor
	var last uint64
	for _, b := range p.Bodies {
		if p.Topic != "" {
			b = protocol.WithTopic(b, p.Topic, s.box.Tail()+1)
		}
		last = s.box.Append(b, now)
		if s.kept != nil {
			s.kept.ahead += int64(len(b)) + protocol.FrameOverhead
		}
	}
	first := last - uint64(len(p.Bodies)) + 1
	if p.Record != nil {
		s.more(fx)
		fx.event(EventRecordPushed, s.remember(now, *p.Record, record{sum: p.Sum, first: first, last: last, at: now}))
	}
	if p.Closes {
		s.more(fx).closed = true
	}
	a := appended{first: first, last: last, to: p.To, level: p.Level}
	if !s.instant(now, &a, fx) {
		s.more(fx)
		s.commit(Commit{First: first, Last: last, Record: p.Record, Sum: p.Sum}, pending{appended: a, record: p.Record, closes: p.Closes}, fx)
	}
}

// instant confirms frames where the store has nothing to say about them.
func (s *Session) instant(now time.Duration, a *appended, fx *Effects) bool {
	if !s.cfg.Instant || s.x != nil && len(s.x.pending) > 0 {
		return false
	}
	if s.x != nil {
		s.tellFollowing(nil)
	}
	s.confirm(now, a, nil, fx)
	return true
}

// Appended appends to dst the bodies that a Commit's seqs stand for.
func (s *Session) Appended(dst []protocol.Body, first, last uint64) []protocol.Body {
	return s.box.Appended(dst, first, last)
}

// commit asks the store for one update; what rides along with every update is filled in here.
func (s *Session) commit(c Commit, p pending, fx *Effects) {
	x := s.x
	x.token++
	c.Token, p.token = x.token, x.token
	s.tellFollowing(&c)
	if len(c.Follows)+len(c.Patterns) > 0 {
		p.told = &told{c.Follows, c.Patterns}
	}
	if s.kept != nil && !c.Delete {
		s.tell(&c, fx)
	}
	x.pending = append(x.pending, p)
	fx.Commits = append(fx.Commits, c)
}

// tooMuch refuses a call of more than a tenth of the outbox's bounds (P-2); a single frame is always taken, since the newest frame always stays.
func (s *Session) tooMuch(bodies []protocol.Body) *protocol.Error {
	if len(bodies) == 1 {
		return nil
	}
	if most := max(1, s.cfg.Bounds.Frames/10); s.cfg.Bounds.Frames > 0 && len(bodies) > most {
		return protocol.Errorf(protocol.CodeTooLarge, "a call may hold %d frames here, a tenth of the outbox; this one has %d", most, len(bodies))
	}
	size := int64(0)
	for _, b := range bodies {
		size += int64(len(b)) + protocol.FrameOverhead
	}
	if most := s.cfg.Bounds.Bytes / 10; s.cfg.Bounds.Bytes > 0 && size > most {
		return protocol.Errorf(protocol.CodeTooLarge, "a call may hold %d bytes here with overhead, a tenth of the outbox; this one has %d", most, size)
	}
	return nil
}
