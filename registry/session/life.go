package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// ending is a life on its way out: by deletion or by the janitor. What comes meanwhile is the next life's (P-28).
type ending struct {
	to       any // who asked for the deletion; nil for the janitor
	asked    bool
	deferred []Publish
	attaches []early
	event    EventKind
}

// early is an attach that waits for the next life, with what its client has written already (P-6: handled after hello, in order).
type early struct {
	in       Attach
	messages []earlyMessage
}

type earlyMessage struct {
	m   protocol.Message
	bad *protocol.Error
}

// of returns the attach of connection gen, nil for none.
func (e *ending) of(gen uint64) *early {
	if e != nil {
		for i := range e.attaches {
			if e.attaches[i].in.Gen == gen {
				return &e.attaches[i]
			}
		}
	}
	return nil
}

// drain is a broker on its way out (P-23).
type drain struct {
	by      time.Duration
	retryMS int64
	why     *protocol.Error // what new work is refused with; nil for the plain draining
}

// refusal is what new work is told; id is that of a send, "" for none.
func (d *drain) refusal(id string) *protocol.Error {
	if d.why == nil {
		return drainingError(id)
	}
	e := *d.why
	e.ID = id
	return &e
}

// Judge is the janitor's question (P-28). It prunes by age, lets old records go, and ends the life of a client that has no
// connection, nothing under way, and was idle for the TTL. kept says that it stays.
//
// followed says of a topic that somebody follows it: then it stays (P-32).
func (s *Session) Judge(now time.Duration, followed bool, fx *Effects) (kept bool) {
	defer s.settle(now, fx)
	s.prune(now, fx)
	s.expire(now)
	if s.x != nil {
		s.endPlaces(now, fx)
	}
	if s.kept != nil {
		s.kept.clean = s.kept.clean || s.dirty()
	}
	x := s.x
	busy := x != nil && len(x.attached)+len(x.places)+len(x.pending)+len(x.waits)+len(x.reads) > 0 ||
		x != nil && (x.ask != 0 || x.ending != nil || x.drain != nil || x.following.joining())
	if busy || followed || s.cfg.ClientTTL <= 0 || now-s.active < s.cfg.ClientTTL {
		return true
	}
	s.more(fx).ending = &ending{event: EventReaped}
	s.endIfIdle(fx)
	return false
}

// Delete closes the client's connections with 4504 and ends its life; to is answered when that is confirmed. Where the janitor is
// ending it already, that serves.
func (s *Session) Delete(now time.Duration, to any, fx *Effects) {
	defer s.settle(now, fx)
	x := s.more(fx)
	if x.ending != nil {
		if x.ending.to == nil {
			x.ending.to = to
		} else {
			fx.fail(to, protocol.Errorf(protocol.CodeConflict, "the client is being deleted already"))
		}
		return
	}
	for len(x.attached) > 0 {
		s.close(now, x.attached[0], protocol.CloseClientDeleted, fx)
	}
	x.places = nil
	s.cutJoins(now, protocol.Errorf(protocol.CodeNotFound, "the client was deleted meanwhile"), fx)
	s.cutWaits(protocol.ShortGone, fx)
	s.cutReads(protocol.Errorf(protocol.CodeNotFound, "the client was deleted meanwhile"), fx)
	x.ending = &ending{to: to, event: EventDeleted}
	s.endIfIdle(fx)
}

// cutReads answers every read as things stand. One that needs the store for that goes on waiting for it, or fails with e where that is given.
// One whose epoch may not be shown fails in any case (P-26).
func (s *Session) cutReads(e *protocol.Error, fx *Effects) {
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if r.unborn && !s.known() {
			if e == nil {
				e = s.x.drain.refusal("")
			}
			fx.fail(r.to, e)
			return true
		}
		if r.log && r.awaiting {
			if e == nil {
				e = s.x.drain.refusal("")
			}
			fx.fail(r.to, e)
			return true
		}
		r.awaiting, r.wait, r.unborn = false, false, false
		if e != nil && (r.fetching != 0 || r.cold(s)) {
			fx.fail(r.to, e)
			return true
		}
		return r.fetching == 0 && s.answerRead(r, r.snapshot, fx)
	})
}

// endIfIdle asks the store to forget the client once nothing of it is pending or being read any more.
func (s *Session) endIfIdle(fx *Effects) {
	if s.x == nil || s.x.ending == nil || s.x.ending.asked || len(s.x.pending) > 0 || s.kept != nil && s.kept.reading > 0 {
		return
	}
	s.cutWaits(protocol.ShortGone, fx)
	s.x.ending.asked = true
	if g := s.x.following; g != nil {
		for _, f := range g.follows {
			fx.Pulls = append(fx.Pulls, Pull{Topic: f.topic, Kind: PullLeave})
		}
		for _, p := range g.patterns {
			fx.Pulls = append(fx.Pulls, Pull{Topic: p.name, Kind: PullLeave})
		}
	}
	s.commit(Commit{Delete: true}, pending{deletes: true}, fx)
}

// abandonEnding goes on with the old life, since the store could not end it, and serves those who came meanwhile: they never fail for it (P-28).
func (s *Session) abandonEnding(now time.Duration, e *protocol.Error, fx *Effects) {
	end := s.x.ending
	s.x.ending = nil
	fx.fail(end.to, e)
	s.resume(fx)
	s.serve(now, end, fx)
}

// serve takes in what came while a life was ending.
func (s *Session) serve(now time.Duration, end *ending, fx *Effects) {
	for _, p := range end.deferred {
		s.Publish(now, p, fx)
	}
	for _, w := range end.attaches {
		fx.Pauses = append(fx.Pauses, Pause{w.in.Gen, false})
		s.Attach(now, w.in, fx)
		for _, m := range w.messages {
			s.Message(now, w.in.Gen, m.m, m.bad, fx)
		}
	}
}

// Ended takes leave of the old life, after fx.Retire: what is counted, and who is answered. It returns whether a next life
// must begin at once, because somebody waits for it.
func (s *Session) Ended(fx *Effects) (next bool) {
	end := s.x.ending
	n := int(s.box.Len())
	if end.event == EventReaped {
		fx.event(EventPrunedReaped, n)
	} else {
		fx.event(EventPrunedDeleted, n)
	}
	fx.event(end.event, 1)
	if end.to != nil {
		fx.Replies = append(fx.Replies, Reply{To: end.to})
	}
	return len(end.deferred)+len(end.attaches) > 0
}

// Reborn begins the next life in the same actor, under a new epoch, with what was kept for it. A drain goes on, and so does a provider call,
// whose answer is not this life's.
func (s *Session) Reborn(now time.Duration, fx *Effects) {
	old := s.x
	*s = New(s.cfg, now)
	if old.drain != nil || old.ask != 0 {
		s.x = &extra{drain: old.drain, ask: old.ask, asked: old.asked, outdated: old.ask != 0}
	}
	s.serve(now, old.ending, fx)
	s.settle(now, fx)
}

// Drain tells every attachment to come back elsewhere or later: each is written what there is for it, then goaway, then closed
// with 4002, at the latest by the time (P-23). Waits and long-polls are answered as they stand; new work is refused, with why where that is given.
func (s *Session) Drain(now, by time.Duration, retryMS int64, why *protocol.Error, fx *Effects) {
	defer s.settle(now, fx)
	x := s.more(fx)
	if x.drain != nil {
		return
	}
	x.drain = &drain{by: by, retryMS: min(retryMS, protocol.MaxGoaway.Milliseconds()), why: why}
	s.cutWaits(protocol.ShortDraining, fx)
	s.cutReads(nil, fx)
	s.cutJoins(now, x.drain.refusal(""), fx)
	s.pumpAll(now, fx)
}

// closeDraining ends what is still attached at the end of the drain time.
func (s *Session) closeDraining(now time.Duration, fx *Effects) {
	for len(s.x.attached) > 0 {
		a := s.x.attached[0]
		if a.batch == nil {
			if !s.known() {
				a.out = nil // there has been no hello, and cannot be (P-26)
			}
			a.batch = append(a.out, protocol.Piece{Body: protocol.EncodeGoaway(s.x.drain.retryMS)})
			fx.Writes = append(fx.Writes, Write{a.gen, a.batch})
		}
		s.end(now, a, protocol.CloseDraining, fx)
	}
}

// Recover follows a panic of the actor while it handled an input of this session: the outbox stays, everything that was
// under way is failed, every connection is closed with 4003, and the epoch is given up, since what was half done is not known.
// A deletion that the store has been asked for is the exception: it cannot be taken back, and so the life ends.
func (s *Session) Recover(now time.Duration, fx *Effects) {
	if s.kept != nil && s.x != nil && s.x.ending != nil && s.x.ending.asked {
		fx.Retire = len(s.x.pending) == 0 // confirmed already
		s.settle(now, fx)
		return
	}
	e := protocol.Errorf(protocol.CodeInternal, "the client's actor failed and was resumed")
	if s.x != nil {
		s.failAppends(now, e, fx)
	}
	s.box.Truncate()
	s.newEpoch(now, fx)
	if s.x != nil && s.x.ending != nil {
		s.abandonEnding(now, e, fx)
	}
	s.settle(now, fx)
}

// newEpoch gives the retained frames a new epoch: seqs of the old one may have been seen with other contents (P-26).
func (s *Session) newEpoch(now time.Duration, fx *Effects) {
	fx.event(EventRestarted, 1)
	if s.x != nil {
		if len(s.x.pending) > 0 {
			s.failAppends(now, outcomeUnknown(), fx)
		}
		s.cutWaits(protocol.ShortGone, fx)
		s.cutReads(protocol.Errorf(protocol.CodeInternal, "the outbox was given a new epoch meanwhile"), fx)
		for len(s.x.attached) > 0 {
			s.close(now, s.x.attached[0], protocol.CloseClientRestarted, fx)
		}
		s.x.void = s.x.token
	}
	s.bits = s.cfg.NewEpoch()
	s.endEpoch()
	if s.kept != nil {
		s.kept.known = false
	}
	if s.x != nil && s.x.following != nil {
		s.cutJoins(now, protocol.Errorf(protocol.CodeInternal, "the outbox was given a new epoch meanwhile"), fx)
		s.resume(fx) // what was under way was asked for in the epoch that is over
	}
}
