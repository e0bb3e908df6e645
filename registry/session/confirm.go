package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// Confirmed is the store's word on the oldest update under way. A failed one takes everything behind it along, and consumes
// no seq; where its outcome is unknown, the epoch goes too (P-26).
func (s *Session) Confirmed(now time.Duration, token uint64, err error, unknown bool, fx *Effects) {
	defer s.settle(now, fx)
	x := s.x
	if x == nil || len(x.pending) == 0 || x.pending[0].token != token {
		s.late(now, token, err == nil || unknown, fx)
		return
	}
	if err != nil {
		e := protocol.AsError(err)
		s.failAppends(now, e, fx)
		x.owed-- // this one has come
		if unknown {
			s.newEpoch(now, fx)
		}
		s.afterFailure(now, e, fx)
		return
	}
	p := x.pending[0]
	x.pending[0] = pending{}
	if len(x.pending) == 1 {
		x.pending = x.pending[:0]
	} else {
		x.pending = x.pending[1:]
	}
	if p.deletes {
		fx.Retire = true
		return
	}
	introduces := false
	if s.kept != nil && !s.kept.known && !p.lazy {
		s.kept.known, introduces = true, true
		fx.Defer = false // who has waited for the epoch is written to in any case, and before the bounds are applied
	}
	switch {
	case p.snapshots:
		s.keptSnapshot(now, p, fx)
	case p.first > 0:
		s.confirm(now, &p.appended, p.followers, fx)
	case p.sub != nil:
		s.changed(now, p, fx)
	}
	if introduces {
		s.introduce(now, fx)
	}
	s.askNew(p, fx)
	s.endIfIdle(fx)
	if s.kept != nil {
		s.keep(now, fx)
	}
}

// askNew asks the topics once more that the store knows of as followed only now: one that has gone to sleep and come back in the meantime has found its followers
// in the store, and this one not among them.
func (s *Session) askNew(p pending, fx *Effects) {
	if s.kept == nil || p.told == nil || s.x.following == nil || s.x.drain != nil || s.x.ending != nil {
		return
	}
	for _, c := range p.told.follows {
		if f := s.x.following.find(c.Topic); c.New && f != nil && f.join == nil && f.pull == 0 {
			s.askAgain(f, fx)
		}
	}
}

// introduce serves those who had to wait for the epoch to be known.
func (s *Session) introduce(now time.Duration, fx *Effects) {
	if s.x == nil {
		return
	}
	s.pumpAll(now, fx)
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if !r.unborn {
			return false
		}
		r.unborn = false
		return !r.wait && !r.awaiting && s.answerRead(r, r.snapshot, fx)
	})
}

// late takes the word on an update that had been given up behind a failed one. Had the store kept it, its seq may have been given
// out again: the numbering cannot be trusted any more, unless an epoch has ended since.
func (s *Session) late(now time.Duration, token uint64, kept bool, fx *Effects) {
	void := false
	if x := s.x; x != nil {
		x.owed = max(0, x.owed-1)
		void = token <= x.void
	}
	if kept && !void {
		s.newEpoch(now, fx)
		s.afterFailure(now, outcomeUnknown(), fx)
	}
}

func outcomeUnknown() *protocol.Error {
	return protocol.Errorf(protocol.CodeInternal, "the outcome of a write is unknown; the outbox was given a new epoch")
}

// confirm shows the frames of p, and answers who waits for them and for repeats of them.
func (s *Session) confirm(now time.Duration, p *appended, repeats []follower, fx *Effects) {
	before := s.box.Bytes()
	s.box.Confirm(p.last)
	if s.kept != nil {
		s.kept.ahead -= s.box.Bytes() - before
	}
	n := int(p.last - p.first + 1)
	if p.follow == nil {
		fx.Events = append(fx.Events, Event{Kind: EventPublished, N: n, Bytes: s.box.Bytes() - before - int64(n)*protocol.FrameOverhead})
		s.active = now
	} else { // which is no reason to live longer (P-28)
		fx.event(EventTopic, n)
		p.follow.stored = p.cursor
		if s.x.following != nil {
			s.forgetAll(p.follow)
		}
	}
	if s.cfg.Topic {
		if fx.First == 0 {
			fx.First = p.first
		}
		fx.Last = p.last
	}
	s.await(wait{to: p.to, level: p.level, first: p.first, last: p.last}, fx)
	for _, f := range repeats {
		fx.event(EventDuplicate, 1)
		s.await(wait{to: f.to, level: f.level, first: p.first, last: p.last, duplicate: true}, fx)
	}
	if fx.Defer && s.deferrable() {
		fx.Deferred = true
	} else {
		s.pumpAll(now, fx)
	}
	s.prune(now, fx)
	s.answerReads(fx)
	s.spill(fx) // not before the readers that keep up have had it from memory
}

// failAppends answers everything that is pending with e; none of it has a seq any more.
func (s *Session) failAppends(now time.Duration, e *protocol.Error, fx *Effects) {
	x := s.x
	failing := x.pending
	x.owed += len(x.pending)
	x.records.forget(x.pending)
	x.latest = x.snapshot
	if s.kept != nil {
		s.kept.ahead = 0
	}
	failed := 0
	for _, p := range x.pending {
		if s.kept != nil && p.record != nil && p.first > s.kept.told.RecordsCleaned {
			s.kept.records-- // the store lets go of it with the frames
		}
		if p.first > 0 || p.snapshots || p.deletes || p.sub != nil {
			failed++ // what rides along alone is nobody's
		}
		if p.closes {
			x.closed = false
		}
		fx.fail(p.to, e)
		for _, f := range p.followers {
			fx.fail(f.to, e)
		}
	}
	fx.event(EventCommitFailed, failed)
	x.pending = nil
	s.box.Truncate()
	if x.following == nil && slices.ContainsFunc(failing, func(p pending) bool { return p.told != nil }) {
		x.following = &following{} // the store is still to be told what it was to be told
	}
	if g := x.following; g != nil {
		s.untell(failing)
		g.undo()
		if g.all != nil {
			s.move(g.all, g.all.stored)
		}
		for _, p := range failing {
			if p.sub != nil {
				s.unchanged(now, p.sub, e, fx)
			}
		}
	}
}

// afterFailure goes on once nothing is pending any more, because e ended it: a deletion that was among it is off, one that waited for it
// is asked for now, and a draining reader has nothing more to wait for.
func (s *Session) afterFailure(now time.Duration, e *protocol.Error, fx *Effects) {
	switch {
	case s.x == nil:
	case s.x.ending != nil && s.x.ending.asked:
		s.abandonEnding(now, e, fx)
	case s.x.ending != nil:
		s.endIfIdle(fx)
	case s.x.drain != nil:
		s.pumpAll(now, fx)
	}
}
