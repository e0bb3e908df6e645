package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// stand has the store keep the subscription.
func (s *Session) stand(f *follow, fx *Effects) {
	j := f.join
	f.cursor, f.stored = j.cursor, j.cursor
	f.named = j.in.Topic != ""
	s.x.following.soil(f)
	s.commit(Commit{}, pending{sub: &change{follow: f, join: j}}, fx)
}

// change is an update of what the client has subscribed to: one of the three.
type change struct {
	follow *follow // stands, as join wanted
	join   *join
	// pattern is kept, and its topics are to be listed.
	pattern *pattern
	// leaves is no longer held; seq is the last frame that may be of it. gen is the connection that asked for it, 0 for none.
	leaves string
	seq    uint64
	gen    uint64
}

// changed takes the store's word on a change.
func (s *Session) changed(now time.Duration, p pending, fx *Effects) {
	switch c := p.sub; {
	case c.follow != nil:
		s.stands(now, c.follow, c.join, fx)
	case c.pattern == nil:
		s.announceEnd(now, c.leaves, c.seq, fx)
		if p.to != nil {
			fx.Replies = append(fx.Replies, Reply{To: p.to, Frame: protocol.EncodeUnsubscribed(c.leaves)})
		}
	case c.pattern.join != nil: // not released meanwhile
		fx.Pulls = append(fx.Pulls, Pull{Topic: c.pattern.name, Kind: PullList})
	}
}

// unchanged is changed for an update that failed.
func (s *Session) unchanged(now time.Duration, c *change, e *protocol.Error, fx *Effects) {
	switch {
	case c.follow != nil && c.follow.join == c.join:
		if c.join.held {
			c.follow.named = false
		}
		s.refuseJoin(now, c.follow, e, fx)
	case c.pattern != nil && c.pattern.join != nil:
		s.dropPattern(c.pattern, fx)
		s.endJoin(now, c.pattern.join, c.pattern.name, e, fx)
		c.pattern.join = nil
	case c.gen != 0:
		s.refuseAsker(now, asker{gen: c.gen}, c.leaves, e, fx)
	}
}

// stands is called when the store has confirmed a subscription.
func (s *Session) stands(now time.Duration, f *follow, j *join, fx *Effects) {
	if f.join != j {
		return
	}
	f.join = nil
	for _, who := range j.askers {
		s.answerAsker(now, who, j.answer, fx)
	}
	if j.of != nil {
		s.lessLeft(now, j.of, fx)
	}
	s.offer(f, fx)
}
