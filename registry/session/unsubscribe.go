package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// notice is a frame of the broker's that has its place in the sequence: after the frame seq.
type notice struct {
	seq  uint64
	body protocol.Body
}

// Unsubscribe ends the subscription to one topic's name or to one pattern, held or not (P-19). in.To, if it is not nil, is answered with what is
// written on every connection, too.
func (s *Session) Unsubscribe(now time.Duration, in Subscribe, fx *Effects) {
	defer s.settle(now, fx)
	s.more(fx)
	var e *protocol.Error
	switch {
	case s.x.drain != nil:
		e = s.x.drain.refusal("")
	case s.x.ending != nil:
		e = protocol.Errorf(protocol.CodeConflict, "the client is being deleted")
	}
	if e != nil {
		s.refuseAsker(now, asker{in.To, in.Gen}, in.Topic, e, fx)
		return
	}
	if in.To != nil {
		s.active = now
	}
	s.release(now, in.Topic, fx)
	s.commit(Commit{}, pending{appended: appended{to: in.To}, sub: &change{leaves: in.Topic, seq: s.box.Tail(), gen: in.Gen}}, fx)
}

// release lets go of a subscription; the store is told with the next update.
func (s *Session) release(now time.Duration, topic string, fx *Effects) {
	g := s.x.following
	if g == nil {
		return
	}
	meanwhile := protocol.Errorf(protocol.CodeConflict, "it was unsubscribed meanwhile")
	if p := g.pattern(topic); p != nil {
		s.dropPattern(p, fx)
		if p.join != nil {
			s.endJoin(now, p.join, topic, meanwhile, fx)
			p.join = nil
		}
		for _, f := range slices.Clone(g.follows) {
			if !f.named && (f.join == nil || f.join.in.Topic == "") && protocol.Matches(topic, f.topic) && !g.matched(f.topic) {
				s.part(f, fx)
			}
		}
		return
	}
	f := g.find(topic)
	if f == nil || !f.named && (f.join == nil || f.join.in.Topic == "") { // nothing, or followed by a pattern alone
		return
	}
	if j := f.join; j != nil && j.in.Topic != "" {
		s.endJoin(now, j, topic, meanwhile, fx)
		f.join, f.pull = nil, 0
		if j.of != nil {
			s.lessLeft(now, j.of, fx)
		}
	}
	f.named = false
	switch {
	case !g.matched(topic):
		s.part(f, fx)
	case f.told:
		g.soil(f)
		s.offer(f, fx)
	default:
		s.part(f, fx) // it never stood; its next frame brings it back
		s.born(topic, fx)
	}
}

// part ends a follow and tells the topic.
func (s *Session) part(f *follow, fx *Effects) {
	s.x.following.drop(f)
	f.join, f.pull = nil, 0
	fx.Pulls = append(fx.Pulls, Pull{Topic: f.topic, Kind: PullLeave})
}

func (s *Session) dropPattern(p *pattern, fx *Effects) {
	g := s.x.following
	fx.Pulls = append(fx.Pulls, Pull{Topic: p.name, Kind: PullLeave})
	if i := slices.Index(g.patterns, p); i >= 0 {
		g.patterns = slices.Delete(g.patterns, i, i+1)
	}
	if p.told {
		g.unheld = append(g.unheld, p.name)
	}
}

// maxNotices is how many may wait on one connection: a reader that is as slow as that comes back and resumes.
const maxNotices = 1024

// announceEnd writes unsubscribed on every connection, after the frame seq.
func (s *Session) announceEnd(now time.Duration, topic string, seq uint64, fx *Effects) {
	b := protocol.EncodeUnsubscribed(topic)
	for _, a := range slices.Clone(s.x.attached) {
		if len(a.notices) >= maxNotices {
			s.end(now, a, protocol.CloseSlowConsumer, fx)
			continue
		}
		a.notices = append(a.notices, notice{seq, b})
		s.pause(a, fx)
	}
	s.pumpAll(now, fx)
}

// revoke ends the subscriptions that may not be held any more (P-25).
func (s *Session) revoke(now time.Duration, may func(topic string) bool, fx *Effects) {
	g := s.x.following
	if g == nil || may == nil {
		return
	}
	var gone []string
	for _, f := range g.follows {
		if f.named && !may(f.topic) {
			gone = append(gone, f.topic)
		}
	}
	for _, p := range g.patterns {
		if !may(p.name) {
			gone = append(gone, p.name)
		}
	}
	for _, t := range gone {
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: protocol.CodeForbidden})
		s.release(now, t, fx)
		s.commit(Commit{}, pending{sub: &change{leaves: t, seq: s.box.Tail()}}, fx)
	}
}

// subscriptions are what the client has subscribed to, in byte order.
func (s *Session) subscriptions() (all []string) {
	if s.x == nil || s.x.following == nil {
		return nil
	}
	for _, f := range s.x.following.follows {
		if f.named {
			all = append(all, f.topic)
		}
	}
	for _, p := range s.x.following.patterns {
		all = append(all, p.name)
	}
	slices.Sort(all)
	return all
}
