package session

import "slices"

// told are the entries about subscriptions that an update changes.
type told struct {
	follows  []Followed
	patterns []Held
}

// untell takes back what updates that failed were to change: the store has its entries as they were before.
func (s *Session) untell(failed []pending) {
	g := s.x.following
	for _, p := range slices.Backward(failed) {
		if p.told == nil {
			continue
		}
		for _, c := range p.told.follows {
			f := g.find(c.Topic)
			s.kept.entry(c.Gone, c.New)
			switch {
			case c.New && f != nil:
				f.told = false
			case c.New:
				g.ended = slices.DeleteFunc(g.ended, func(t string) bool { return t == c.Topic })
			case c.Gone && f != nil:
				f.told = true
			case c.Gone:
				g.ended = append(g.ended, c.Topic)
			}
		}
		for _, c := range p.told.patterns {
			q := g.pattern(c.Pattern)
			s.kept.entry(c.Gone, !c.Gone)
			switch {
			case q != nil:
				q.told = c.Gone
			case c.Gone:
				g.unheld = append(g.unheld, c.Pattern)
			default:
				g.unheld = slices.DeleteFunc(g.unheld, func(t string) bool { return t == c.Pattern })
			}
		}
	}
}

// untold reports whether the store's entries are not as they should be.
func (g *following) untold() bool {
	return g != nil && len(g.stale)+len(g.ended)+len(g.unheld) > 0
}

// entry counts what the store has about subscriptions.
func (k *kept) entry(more, less bool) {
	if more {
		k.follows++
	} else if less {
		k.follows--
	}
}

// tellFollowing fills in which subscriptions an update is to keep, and notes that the store knows them. c is not used where no store keeps the client.
func (s *Session) tellFollowing(c *Commit) {
	g := s.x.following
	switch {
	case g == nil:
		return
	case s.kept == nil: // nobody is told
		for _, f := range g.stale {
			f.stale, f.told = false, true
		}
		clear(g.stale)
		g.stale, g.ended, g.unheld = g.stale[:0], nil, nil
		return
	}
	if c.Delete {
		for _, f := range g.follows {
			if f.told {
				g.ended = append(g.ended, f.topic)
			}
		}
		for _, p := range g.patterns {
			if p.told {
				g.unheld = append(g.unheld, p.name)
			}
		}
	} else {
		for _, f := range g.stale {
			if f.stale = false; g.find(f.topic) == f {
				c.Follows = append(c.Follows, Followed{Topic: f.topic, Cursor: f.cursor, Named: f.named, New: !f.told})
				f.told = true
			}
		}
		for _, p := range g.patterns {
			if !p.told {
				c.Patterns = append(c.Patterns, Held{Pattern: p.name})
				p.told = true
			}
		}
	}
	for _, t := range g.ended {
		c.Follows = append(c.Follows, Followed{Topic: t, Gone: true})
	}
	for _, p := range g.unheld {
		c.Patterns = append(c.Patterns, Held{Pattern: p, Gone: true})
	}
	clear(g.stale)
	g.stale, g.ended, g.unheld = g.stale[:0], nil, nil
}
