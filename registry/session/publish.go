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

// Publish appends Bodies, all or none. Record names the call for repeats; nil for none. Whoever gave To gets exactly one Reply.
type Publish struct {
	To     any
	Bodies []protocol.Body
	Record *RecordKey
	Sum    Sum // of Bodies; counts only with Record
	Level  Level
}

// pending is one call's frames between their append and the store's word. followers are repeats that share its outcome.
type pending struct {
	token       uint64
	first, last uint64
	to          any
	level       Level
	record      *RecordKey
	followers   []follower
	deletes     bool // the commit that ends the life
}

type follower struct {
	to    any
	level Level
}

// wait is a publisher that was stored and waits for more. first and last are its frames.
type wait struct {
	to          any
	level       Level
	first, last uint64
	duplicate   bool
}

// Publish takes a call's frames in. It never blocks on, and never fails because of, a reader (P-13).
func (s *Session) Publish(now time.Duration, p Publish, fx *Effects) {
	defer s.settle(fx)
	x := s.x
	switch {
	case x != nil && x.drain != nil:
		fx.fail(p.To, drainingError(""))
		return
	case x != nil && x.ending != nil:
		x.ending.deferred = append(x.ending.deferred, p) // for the next life (P-28)
		return
	}
	if p.Record != nil && x != nil && s.repeat(now, p, fx) {
		return
	}
	if e := s.tooMuch(p.Bodies); e != nil {
		fx.fail(p.To, e)
		return
	}
	var c Commit
	for _, b := range p.Bodies {
		c.Last = s.box.Append(b, now)
	}
	c.First = c.Last - uint64(len(p.Bodies)) + 1
	c.Record, c.Sum = p.Record, p.Sum
	x = s.more(fx)
	if p.Record != nil {
		fx.event(EventRecordPushed, x.remember(s.cfg, now, *p.Record, record{sum: p.Sum, first: c.First, last: c.Last, at: now}))
	}
	s.commit(c, pending{first: c.First, last: c.Last, to: p.To, level: p.Level, record: p.Record}, fx)
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
	c.Floor, c.Acked = s.box.Floor(), s.acked
	x.pending = append(x.pending, p)
	fx.Commits = append(fx.Commits, c)
}

// tooMuch refuses a call of more than a tenth of the outbox's bounds (P-2); a single frame is always taken, since the newest frame always stays.
func (s *Session) tooMuch(bodies []protocol.Body) *protocol.Error {
	if len(bodies) == 1 {
		return nil
	}
	if most := s.cfg.Bounds.Frames / 10; s.cfg.Bounds.Frames > 0 && len(bodies) > most {
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

// Confirmed is the store's word on the oldest update under way. A failed one takes everything behind it along, and consumes
// no seq; where its outcome is unknown, the epoch goes too (P-26).
func (s *Session) Confirmed(now time.Duration, token uint64, err error, unknown bool, fx *Effects) {
	defer s.settle(fx)
	x := s.x
	if x == nil || len(x.pending) == 0 || x.pending[0].token != token {
		s.late(now, token, err == nil || unknown, fx)
		return
	}
	if err != nil {
		e := protocol.AsError(err)
		s.failAppends(e, fx)
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
	s.confirm(now, p, fx)
	s.endIfIdle(fx)
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

func (s *Session) confirm(now time.Duration, p pending, fx *Effects) {
	before := s.box.Bytes()
	s.box.Confirm(p.last)
	n := int(p.last - p.first + 1)
	fx.Events = append(fx.Events, Event{Kind: EventPublished, N: n, Bytes: s.box.Bytes() - before - int64(n)*protocol.FrameOverhead})
	s.active = now
	s.await(wait{to: p.to, level: p.level, first: p.first, last: p.last}, fx)
	for _, f := range p.followers {
		fx.event(EventDuplicate, 1)
		s.await(wait{to: f.to, level: f.level, first: p.first, last: p.last, duplicate: true}, fx)
	}
	s.pumpAll(now, fx)
	s.prune(now, fx)
	s.answerReads(fx)
}

// failAppends answers everything that is pending with e; none of it has a seq any more.
func (s *Session) failAppends(e *protocol.Error, fx *Effects) {
	x := s.x
	fx.event(EventCommitFailed, len(x.pending))
	x.owed += len(x.pending)
	x.records.forget(x.pending)
	for _, p := range x.pending {
		fx.fail(p.to, e)
		for _, f := range p.followers {
			fx.fail(f.to, e)
		}
	}
	x.pending = nil
	s.box.Truncate()
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

// await answers w at once where its level is reached, else it waits.
func (s *Session) await(w wait, fx *Effects) {
	if w.to == nil {
		return
	}
	if s.answerWait(w, fx) {
		return
	}
	if s.x.drain != nil {
		s.answer(w, s.level(w.last), protocol.ShortDraining, fx)
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
	case s.written >= seq:
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
	fx.Replies = append(fx.Replies, Reply{To: w.to, Stored: &Stored{
		Epoch: s.epoch, First: w.first, Last: w.last, Status: l.String(), Reason: reason, Duplicate: w.duplicate,
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
func (s *Session) GiveUp(to any, fx *Effects) {
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
		s.x.reads = keepUnless(s.x.reads, func(r read) bool {
			if r.to != to {
				return false
			}
			s.answerRead(r, nil, fx)
			return true
		})
	}
	s.settle(fx)
}

// prune applies the bounds (P-13), and closes nobody: an attachment whose next frame went learns it when it is next offered a batch.
func (s *Session) prune(now time.Duration, fx *Effects) {
	keep := s.box.Head()
	if s.x != nil {
		for _, a := range s.x.attached {
			keep = min(keep, a.cursor)
		}
	}
	p := s.box.Prune(s.cfg.Bounds, now, keep)
	fx.event(EventPrunedCount, p.Count)
	fx.event(EventPrunedBytes, p.Bytes)
	fx.event(EventPrunedAge, p.Age)
	if p.Frames() > 0 {
		s.answerWaits(fx)
	}
}
