package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// Subscribe is one subscribe or unsubscribe of the client (P-19): of a connection, or To is answered. History is negative where none was asked for.
type Subscribe struct {
	Topic   string
	Since   *protocol.Cursor
	History int
	To      any    // nil: Gen is a connection's
	Gen     uint64 // 0 with To
}

// join is a subscription that does not stand yet: for one topic, or for a pattern while its topics are being joined.
type join struct {
	in       Subscribe
	askers   []asker
	answer   protocol.Subscribed
	held     bool     // the client follows the topic already
	decided  bool     // answer says what the topic said
	awaiting bool     // for the topic's snapshot
	cursor   uint64   // where the follow begins
	left     int      // of a pattern: how many topics are being joined, and 1 while they are being listed
	of       *pattern // the topic is joined for it; nil for a subscription of its own
}

// asker is who waits for subscribed.
type asker struct {
	to  any
	gen uint64
}

// Subscribe begins a subscription. Its answer comes when it stands, that is, when the store has confirmed it.
func (s *Session) Subscribe(now time.Duration, in Subscribe, fx *Effects) {
	defer s.settle(now, fx)
	who := asker{in.To, in.Gen}
	g := s.followings(fx)
	var e *protocol.Error
	switch {
	case s.x.drain != nil:
		e = s.x.drain.refusal("")
	case s.x.ending != nil:
		e = protocol.Errorf(protocol.CodeConflict, "the client is being deleted")
	case in.To != nil && g.askers() >= MaxWaiting:
		e = &protocol.Error{Code: protocol.CodeOverloaded, Message: "too many subscribes wait on this client", RetryAfterMS: 1000}
	case len(g.patterns)+len(g.follows) >= MaxSubscriptions && len(s.subscriptions()) >= MaxSubscriptions && g.find(in.Topic) == nil && g.pattern(in.Topic) == nil:
		e = protocol.Errorf(protocol.CodeOverloaded, "a client may have %d subscriptions", MaxSubscriptions)
	}
	if in.To != nil {
		s.active = now
	}
	if e != nil {
		s.refuseAsker(now, who, in.Topic, e, fx)
		return
	}
	s.waitFor(who, fx)
	if protocol.IsPattern(in.Topic) {
		s.subscribePattern(now, in, who, fx)
		return
	}
	f := g.find(in.Topic)
	switch {
	case f == nil:
		f = g.add(&follow{topic: in.Topic, join: &join{in: in}})
		s.ask(f, Pull{Kind: PullJoin, Since: in.Since, Make: true}, fx)
	case f.join == nil: // held, by its name or by a pattern: its place does not change
		f.join = &join{in: in, held: true}
		s.ask(f, Pull{Kind: PullJoin, Make: true}, fx) // an answer under way is not waited for: what it brings will be asked for again
	case f.join.in.Topic == "" && !f.join.decided: // being joined for a pattern
		f.join.in = in
		s.ask(f, Pull{Kind: PullJoin, Since: in.Since, Make: true}, fx)
	case f.join.in.Topic == "":
		f.join.in, f.named = in, true
		g.soil(f)
		s.commit(Commit{}, pending{}, fx)
	}
	f.join.askers = append(f.join.askers, who)
	if f.join.decided && f.join.awaiting {
		s.answerAsker(now, who, f.join.answer, fx) // the snapshot is still to come, for this one too
		f.join.askers = f.join.askers[:len(f.join.askers)-1]
	}
}

// waitFor counts a reply to come on the asker's connection (P-27).
func (s *Session) waitFor(who asker, fx *Effects) {
	if a := s.x.find(who.gen); a != nil {
		a.sending++
		s.pause(a, fx)
	}
}

func (g *following) askers() (n int) {
	for _, f := range g.follows {
		if f.join != nil {
			n += len(f.join.askers)
		}
	}
	for _, p := range g.patterns {
		if p.join != nil {
			n += len(p.join.askers)
		}
	}
	return n
}

// subscribePattern keeps the pattern first, then joins the topics that there are: one that is born meanwhile is found by one or the other.
func (s *Session) subscribePattern(now time.Duration, in Subscribe, who asker, fx *Effects) {
	g := s.x.following
	p := g.pattern(in.Topic)
	switch {
	case p == nil:
		p = &pattern{name: in.Topic, join: &join{in: in, left: 1, answer: protocol.Subscribed{Topic: in.Topic, Resume: protocol.ResumeFresh}}}
		if i := slices.Index(g.unheld, p.name); i >= 0 { // the entry is still there
			g.unheld = slices.Delete(g.unheld, i, i+1)
			p.told = true
		}
		g.patterns = append(g.patterns, p)
		s.commit(Commit{}, pending{sub: &change{pattern: p}}, fx)
	case p.join == nil:
		s.answerAsker(now, who, protocol.Subscribed{Topic: in.Topic, Resume: protocol.ResumeUpToDate}, fx)
		return
	}
	p.join.askers = append(p.join.askers, who)
}

// Listed brings the topics that there are and that the pattern matches. Where the subscription is new they are followed from now on; else they
// were born while nobody listened.
func (s *Session) Listed(now time.Duration, name string, topics []string, err *protocol.Error, fx *Effects) {
	defer s.settle(now, fx)
	if s.x == nil || s.x.ending != nil {
		return
	}
	g := s.x.following
	p := g.pattern(name)
	if p == nil {
		return
	}
	if p.join == nil {
		for _, t := range topics {
			s.born(t, fx)
		}
		return
	}
	if err != nil {
		s.dropPattern(p, fx)
		s.endJoin(now, p.join, name, err, fx)
		return
	}
	for _, t := range topics {
		if g.find(t) == nil {
			p.join.left++
			s.ask(g.add(&follow{topic: t, join: &join{of: p}}), Pull{Kind: PullJoin}, fx)
		}
	}
	s.lessLeft(now, p, fx)
}

// lessLeft notes that one of a pattern's topics has been joined, and answers when it was the last. Then what has waited for it goes on.
func (s *Session) lessLeft(now time.Duration, p *pattern, fx *Effects) {
	if p.join == nil {
		return
	}
	if p.join.left--; p.join.left > 0 {
		return
	}
	j := p.join
	p.join = nil
	for _, who := range j.askers {
		s.answerAsker(now, who, j.answer, fx)
	}
	for _, f := range s.x.following.follows {
		s.offer(f, fx)
	}
}

// joined takes in what the topic said to a join, or its snapshot.
func (s *Session) joined(now time.Duration, f *follow, p *Pulled, fx *Effects) {
	j := f.join
	switch {
	case j.awaiting:
		s.joinWith(now, f, p, fx)
		return
	case p.Err != nil:
		s.refuseJoin(now, f, p.Err, fx)
		return
	}
	f.head = p.Head
	j.decided = true
	floor, head := p.Floor, p.Head
	j.answer = protocol.Subscribed{Topic: f.topic, Epoch: p.Epoch, Resume: p.Resume, Reason: p.Reason, Floor: &floor, Head: &head, Closed: p.Closed}
	switch {
	case j.held:
		j.answer.Resume, j.answer.Reason = protocol.ResumeUpToDate, ""
		if f.named {
			s.stands(now, f, j, fx)
			return
		}
		f.named = true
		s.x.following.soil(f)
		s.commit(Commit{}, pending{sub: &change{follow: f, join: j}}, fx)
		return
	case j.in.Since != nil && p.Resume != protocol.ResumeTooOld:
		j.cursor = j.in.Since.Seq
	case j.in.Since != nil:
		j.cursor = p.Floor
	case j.in.Topic != "" && j.in.History >= 0:
		j.cursor = p.Head - min(uint64(j.in.History), p.Head-p.Floor)
	default:
		j.cursor = p.Head
	}
	history := j.in.Topic != "" && j.in.History >= 0 || j.in.Since != nil && p.Resume == protocol.ResumeTooOld
	if history && p.Snapshot {
		j.awaiting, j.answer.Snapshot = true, true
		for _, who := range j.askers {
			s.answerAsker(now, who, j.answer, fx)
		}
		j.askers = nil
		s.ask(f, Pull{Kind: PullSnapshot}, fx)
		return
	}
	s.stand(f, fx)
}

// joinWith goes on with the topic's snapshot, or without it. It goes to every connection: all of them read what follows. Where the connection that
// asked for it has gone and no other is there, the subscription is off; its client subscribes again.
func (s *Session) joinWith(now time.Duration, f *follow, p *Pulled, fx *Effects) {
	j := f.join
	j.awaiting = false
	if len(s.x.attached) == 0 {
		if j.in.To == nil {
			s.x.following.drop(f)
			return
		}
		s.stand(f, fx)
		return
	}
	var b protocol.Body
	if p.Err != nil {
		e := *p.Err
		e.Topic = f.topic
		b = protocol.EncodeError(&e)
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: e.Code})
	} else {
		b = protocol.EncodeTopicSnapshot(f.topic, p.AsOf, p.Data)
		j.cursor = p.AsOf
	}
	for _, a := range s.x.attached {
		if a.closing == 0 {
			a.out = append(a.out, protocol.Piece{Body: b})
		}
	}
	s.pumpAll(now, fx)
	s.stand(f, fx)
}

// refuseJoin ends a subscription before it stood. One that is held otherwise goes on.
func (s *Session) refuseJoin(now time.Duration, f *follow, e *protocol.Error, fx *Effects) {
	j := f.join
	f.join, f.pull = nil, 0
	g := s.x.following
	switch {
	case e.Code == protocol.CodeNotFound && f.told:
		s.lose(now, f, fx)
	case !f.told:
		g.drop(f)
		if s.x.ending == nil {
			s.born(f.topic, fx) // where a pattern is held that matches it
		}
	default:
		s.offer(f, fx)
	}
	s.endJoin(now, j, f.topic, e, fx)
	if j.of != nil {
		s.lessLeft(now, j.of, fx)
	}
}

// cutJoins ends every subscription that does not stand yet.
func (s *Session) cutJoins(now time.Duration, e *protocol.Error, fx *Effects) {
	g := s.x.following
	if g == nil {
		return
	}
	for _, p := range slices.Clone(g.patterns) {
		if j := p.join; j != nil {
			p.join = nil
			s.dropPattern(p, fx)
			s.endJoin(now, j, p.name, e, fx)
		}
	}
	for _, f := range slices.Clone(g.follows) {
		if f.join != nil {
			s.refuseJoin(now, f, e, fx)
		}
	}
}

// endJoin tells all who wait for it that a subscription does not come to be.
func (s *Session) endJoin(now time.Duration, j *join, topic string, e *protocol.Error, fx *Effects) {
	for _, who := range j.askers {
		s.refuseAsker(now, who, topic, e, fx)
		if a := s.x.find(who.gen); a != nil && a.closing == 0 {
			a.sending--
			s.pause(a, fx)
		}
	}
	j.askers = nil
}

func (s *Session) answerAsker(now time.Duration, who asker, m protocol.Subscribed, fx *Effects) {
	b := protocol.EncodeSubscribed(m)
	if who.to != nil {
		fx.Replies = append(fx.Replies, Reply{To: who.to, Frame: b})
		return
	}
	if a := s.x.find(who.gen); a != nil && a.closing == 0 {
		a.sending--
		s.reply(now, a, b, fx)
	}
}

func (s *Session) refuseAsker(now time.Duration, who asker, topic string, e *protocol.Error, fx *Effects) {
	refused := *e
	refused.Topic = topic
	if who.to != nil {
		fx.fail(who.to, &refused)
		return
	}
	if a := s.x.find(who.gen); a != nil && a.closing == 0 {
		s.refuse(now, a, &refused, fx)
	}
}
