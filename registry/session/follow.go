package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// MaxSubscriptions is how many topics and patterns one client may have subscribed to.
const MaxSubscriptions = 4096

// What one pull asks for at most, so that a late joiner's history comes in pieces.
const (
	pullFrames = 512
	pullBytes  = 256 << 10
)

// followings returns what the client follows, made where there is nothing.
func (s *Session) followings(fx *Effects) *following {
	x := s.more(fx)
	if x.following == nil {
		x.following = &following{}
	}
	return x.following
}

// mark is up to where the readers have applied everything (P-19).
func (s *Session) mark() uint64 {
	if s.acked > 0 {
		return s.acked
	}
	return s.sent
}

// ask asks f's topic; what else is filled in here.
func (s *Session) ask(f *follow, p Pull, fx *Effects) {
	g := s.x.following
	g.asked++
	f.pull = g.asked
	p.Topic, p.Token, p.Life = f.topic, g.asked, s.bits
	fx.Pulls = append(fx.Pulls, p)
}

// offer has f go on from its cursor, as far as there is room.
func (s *Session) offer(f *follow, fx *Effects) {
	if f.pull != 0 || f.join != nil || f.cursor >= f.head || s.x.following.waits(f) || s.x.ending != nil || s.x.drain != nil {
		return
	}
	frames, bytes := s.box.Room(s.cfg.Bounds, s.mark())
	if frames == 0 {
		s.x.following.stalled = true
		return
	}
	s.ask(f, Pull{Kind: PullFrames, After: f.cursor, Frames: min(frames, pullFrames), Bytes: int(min(bytes, pullBytes))}, fx)
}

// offerAll has those go on that stand still.
func (s *Session) offerAll(fx *Effects) {
	g := s.x.following
	if g == nil || !g.stalled || s.x.ending != nil || s.x.drain != nil {
		return
	}
	if frames, _ := s.box.Room(s.cfg.Bounds, s.mark()); frames == 0 {
		return
	}
	g.stalled = false
	for _, f := range g.follows {
		s.offer(f, fx)
	}
	if g.all != nil {
		s.offer(g.all, fx)
	}
}

// News is what a topic says by itself: its log goes on. frames are those after p.After, as many as it sent along.
func (s *Session) News(now time.Duration, p *Pulled, fx *Effects) {
	defer s.settle(now, fx)
	if s.x != nil && (s.x.ending != nil || s.x.drain != nil) {
		return
	}
	f := s.hears(p, fx)
	if f == nil {
		return
	}
	f.head = max(f.head, p.Head) // it may come behind a later answer, but no answer comes behind later news
	if f.join == nil && f.pull == 0 {
		s.goOn(now, f, p, fx)
	}
	s.forgetAll(f)
}

// hears returns the follow that p is for. A topic that is not followed is told so.
func (s *Session) hears(p *Pulled, fx *Effects) *follow {
	if p.Topic == protocol.AllTopic {
		if p.Head <= s.all {
			return nil
		}
		g := s.followings(fx)
		if g.all == nil {
			g.all = &follow{topic: protocol.AllTopic, cursor: s.all, stored: s.all}
		}
		return g.all
	}
	if s.x != nil {
		if f := s.x.following.find(p.Topic); f != nil {
			f.topic = p.Topic // the same text, in the one place that all followers share
			return f
		}
	}
	fx.Pulls = append(fx.Pulls, Pull{Topic: p.Topic, Kind: PullLeave})
	return nil
}

// forgetAll lets go of the broadcast's follow when it has caught up: the cursor is all that stays.
func (s *Session) forgetAll(f *follow) {
	if g := s.x.following; g.all == f && f.pull == 0 && f.stored >= f.head {
		g.all = nil
	}
}

// Pulled is a topic's answer to the Pull with its token.
func (s *Session) Pulled(now time.Duration, p *Pulled, fx *Effects) {
	defer s.settle(now, fx)
	if p.Life != s.bits || s.x == nil || s.x.following == nil {
		return
	}
	g := s.x.following
	f := g.find(p.Topic)
	if p.Topic == protocol.AllTopic {
		f = g.all
	}
	if f == nil || f.pull != p.Token {
		return
	}
	f.pull = 0
	switch {
	case f.join != nil:
		s.joined(now, f, p, fx)
	case p.Err == nil:
		if f.cursor > p.Head { // the log has lost its end with an unclean stop, and goes on below (P-26)
			s.move(f, p.Head)
			f.stored = min(f.stored, p.Head)
		}
		f.head = p.Head
		s.goOn(now, f, p, fx)
	case p.Err.Code == protocol.CodeNotFound:
		s.lose(now, f, fx)
	default:
		f.head = f.cursor // the broker is ending; the cursor stays
	}
	s.forgetAll(f)
	s.keepOn(now, fx)
}

// keepOn is keep, where a store has the client.
func (s *Session) keepOn(now time.Duration, fx *Effects) {
	if s.kept != nil {
		s.keep(now, fx)
	}
}

// move sets f's cursor.
func (s *Session) move(f *follow, cursor uint64) {
	f.cursor = cursor
	if g := s.x.following; f == g.all {
		s.all = cursor
	} else {
		g.soil(f)
	}
}

// goOn takes what p brings, and asks for what comes after it. The cursor is kept in the same update as the frames (P-19).
func (s *Session) goOn(now time.Duration, f *follow, p *Pulled, fx *Effects) {
	c := s.take(now, f, p, fx)
	s.offer(f, fx)
	if c.First == 0 {
		return
	}
	a := appended{first: c.First, last: c.Last, follow: f, cursor: f.cursor}
	if !s.instant(now, &a, fx) {
		s.commit(c, pending{appended: a}, fx)
	}
}

// take appends what p brings after f's cursor, as far as there is room, and returns what the store is to be asked for. What the log has lost
// is passed over.
func (s *Session) take(now time.Duration, f *follow, p *Pulled, fx *Effects) (c Commit) {
	if p.After > f.cursor && p.Floor > f.cursor {
		fx.event(EventMissed, int(p.Floor-f.cursor))
		s.move(f, p.Floor)
	}
	if p.After > f.cursor || p.After+uint64(len(p.Frames)) <= f.cursor || s.x.following.waits(f) { // not what comes next, or not yet
		return c
	}
	skip := int(f.cursor - p.After)
	frames, room := s.box.Room(s.cfg.Bounds, s.mark())
	n := 0
	for _, b := range p.Frames[skip:] {
		if n >= frames || room <= 0 {
			break
		}
		room -= int64(len(b)) + protocol.FrameOverhead
		c.Last = s.box.Append(b, now)
		if s.kept != nil {
			s.kept.ahead += int64(len(b)) + protocol.FrameOverhead
		}
		n++
	}
	if n == 0 {
		s.x.following.stalled = true
		return c
	}
	c.First = c.Last - uint64(n) + 1
	if p.Shared != nil {
		c.Shared = p.Shared[skip : skip+n]
	}
	s.move(f, p.After+uint64(skip+n))
	return c
}

// Born says that there is a topic now; it is followed from its first frame where a pattern of the client's matches it (P-32).
func (s *Session) Born(now time.Duration, topic string, fx *Effects) {
	s.born(topic, fx)
	s.settle(now, fx)
}

// born is Born in the midst of an input.
func (s *Session) born(topic string, fx *Effects) {
	if s.x == nil || s.x.ending != nil {
		return
	}
	g := s.x.following
	if g == nil || g.find(topic) != nil || !g.matched(topic) {
		return
	}
	s.askAgain(g.add(&follow{topic: topic}), fx)
}

// askAgain asks f's topic for what came after its cursor, if anything did.
func (s *Session) askAgain(f *follow, fx *Effects) {
	s.ask(f, Pull{Kind: PullFrames, After: f.cursor, Frames: pullFrames, Bytes: pullBytes}, fx)
}

// resume has every topic asked for what came while nobody listened: after a restore, or when what was under way is void.
func (s *Session) resume(fx *Effects) {
	if s.x == nil || s.x.following == nil || s.x.drain != nil || s.x.ending != nil {
		return
	}
	g := s.x.following
	for _, f := range g.follows {
		if f.join == nil {
			s.askAgain(f, fx)
		}
	}
	if g.all != nil {
		s.askAgain(g.all, fx)
	}
}

// lose ends the subscription to a topic that is gone (P-32); a pattern stays, for the topic's next life.
func (s *Session) lose(now time.Duration, f *follow, fx *Effects) {
	told := f.told
	s.x.following.drop(f)
	if f.named {
		s.announceEnd(now, f.topic, s.box.Tail(), fx)
	}
	if told {
		s.commit(Commit{Lazy: s.known()}, pending{lazy: s.known()}, fx)
	}
}

// TopicGone says that a topic that the client may follow has been deleted or reaped.
func (s *Session) TopicGone(now time.Duration, topic string, fx *Effects) {
	if s.x != nil && s.x.ending == nil {
		if f := s.x.following.find(topic); f != nil {
			if f.join != nil {
				s.refuseJoin(now, f, protocol.Errorf(protocol.CodeNotFound, "the topic was deleted meanwhile"), fx)
			} else {
				s.lose(now, f, fx)
			}
		}
	}
	s.settle(now, fx)
}
