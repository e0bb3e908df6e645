package session

import (
	"slices"
	"strings"

	"github.com/restante/restante/protocol"
)

// follow is a cursor in one topic's log (P-19): one, however many subscriptions match the topic.
type follow struct {
	topic  string
	named  bool   // the client has subscribed to the topic's name, not only to a pattern
	cursor uint64 // the last frame of it that was appended here, perhaps not confirmed
	stored uint64 // the last one that was confirmed
	head   uint64 // the log's, as far as was heard
	pull   uint64 // the token of what the topic is asked; 0 for nothing
	told   bool   // the store has an entry
	stale  bool   // which is to be written with the next update
	join   *join  // until the subscription stands; nil then
}

// following is what a client has subscribed to, and how far it is.
type following struct {
	follows  []*follow // by topic, in byte order
	patterns []*pattern
	asked    uint64  // the last token
	all      *follow // protocol.AllTopic, while there is more of it than was taken; else nil
	stalled  bool    // some follow stands still for want of room
	stale    []*follow
	ended    []string // the store has entries for these topics, and is to forget them
	unheld   []string // the same for patterns
}

// pattern is a subscription to all topics that match it.
type pattern struct {
	name string
	told bool  // the store has an entry
	join *join // until the subscription stands; nil then
}

func (g *following) empty() bool {
	return g == nil || len(g.follows)+len(g.patterns)+len(g.ended)+len(g.unheld) == 0 && g.all == nil
}

// quiet reports whether no topic is being asked.
func (g *following) quiet() bool {
	return g == nil || !g.joining() && (g.all == nil || g.all.pull == 0) &&
		!slices.ContainsFunc(g.follows, func(f *follow) bool { return f.pull != 0 })
}

// joining reports whether a subscription does not stand yet.
func (g *following) joining() bool {
	return g != nil && (slices.ContainsFunc(g.follows, func(f *follow) bool { return f.join != nil }) ||
		slices.ContainsFunc(g.patterns, func(p *pattern) bool { return p.join != nil }))
}

func byTopic(f *follow, topic string) int { return strings.Compare(f.topic, topic) }

func (g *following) find(topic string) *follow {
	if g == nil {
		return nil
	}
	if i, ok := slices.BinarySearchFunc(g.follows, topic, byTopic); ok {
		return g.follows[i]
	}
	return nil
}

// matched reports whether a pattern takes the topic in.
func (g *following) matched(topic string) bool {
	return g != nil && slices.ContainsFunc(g.patterns, func(p *pattern) bool { return protocol.Matches(p.name, topic) })
}

// waits reports whether f is followed for patterns alone of which none stands yet: no frame of it comes before subscribed (P-19).
func (g *following) waits(f *follow) bool {
	if f.named || f == g.all || !slices.ContainsFunc(g.patterns, func(p *pattern) bool { return p.join != nil }) {
		return false
	}
	waits := false
	for _, p := range g.patterns {
		if protocol.Matches(p.name, f.topic) {
			if p.join == nil {
				return false
			}
			waits = true
		}
	}
	return waits
}

func (g *following) add(f *follow) *follow {
	i, _ := slices.BinarySearchFunc(g.follows, f.topic, byTopic)
	g.follows = slices.Insert(g.follows, i, f)
	if i := slices.Index(g.ended, f.topic); i >= 0 { // the entry is still there
		g.ended = slices.Delete(g.ended, i, i+1)
		f.told = true
	}
	return f
}

// drop ends a follow; the store forgets its entry with the next update.
func (g *following) drop(f *follow) {
	if i, ok := slices.BinarySearchFunc(g.follows, f.topic, byTopic); ok {
		g.follows = slices.Delete(g.follows, i, i+1)
	}
	if f.told {
		g.ended = append(g.ended, f.topic)
	}
	f.told = false
}

// soil has f written with the next update.
func (g *following) soil(f *follow) {
	if !f.stale && f != g.all {
		f.stale = true
		g.stale = append(g.stale, f)
	}
}

// undo takes back what appends that failed had moved; what the store has is not known, and is told anew.
func (g *following) undo() {
	if g == nil {
		return
	}
	for _, f := range g.follows {
		f.cursor = f.stored
		if f.told {
			g.soil(f)
		}
	}
	g.stalled = true
}

func (g *following) pattern(name string) *pattern {
	if g != nil {
		for _, p := range g.patterns {
			if p.name == name {
				return p
			}
		}
	}
	return nil
}
