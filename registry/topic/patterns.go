// Package topic finds who follows a topic: pure data, no clock, no lock, no I/O. Whoever holds a Patterns is its only user.
package topic

import "strings"

// Patterns are subscriptions to patterns (P-32), each of them a pattern and who holds it. Patterns and topics are legal by protocol.CheckPattern and
// protocol.CheckTopic; protocol.Matches says which take in which. The zero value is empty and ready.
//
// They are kept as a tree of levels, so that Match looks at no pattern that differs from the topic in an earlier level. What Add, Remove and Match need of the
// stack is bounded by the levels of a name.
type Patterns[F comparable] struct {
	root node[F]
	n    int
}

// node is what the levels up to it have in common. A node without children and holders is taken out of the tree.
type node[F comparable] struct {
	// below has the next level as it is written: "*" and ">" too.
	below map[string]*node[F]
	// held says who holds the pattern that ends here.
	held map[F]struct{}
}

// Add takes in that f holds the pattern. What is there already is not taken in twice.
func (p *Patterns[F]) Add(pattern string, f F) {
	n := &p.root
	for level := range strings.SplitSeq(pattern, ".") {
		next := n.below[level]
		if next == nil {
			if n.below == nil {
				n.below = make(map[string]*node[F])
			}
			next = new(node[F])
			n.below[level] = next
		}
		n = next
	}
	if n.held == nil {
		n.held = make(map[F]struct{})
	}
	before := len(n.held)
	n.held[f] = struct{}{}
	p.n += len(n.held) - before
}

// Remove takes out that f holds the pattern, and does nothing where it does not.
func (p *Patterns[F]) Remove(pattern string, f F) {
	if p.root.remove(pattern, f) {
		p.n--
	}
}

// remove takes f out below n, and what is left empty with it.
func (n *node[F]) remove(pattern string, f F) (found bool) {
	level, rest, more := strings.Cut(pattern, ".")
	next := n.below[level]
	if next == nil {
		return false
	}
	if more {
		found = next.remove(rest, f)
	} else if _, found = next.held[f]; found {
		delete(next.held, f)
		if len(next.held) == 0 {
			next.held = nil
		}
	}
	if found && next.held == nil && next.below == nil {
		delete(n.below, level)
		if len(n.below) == 0 {
			n.below = nil
		}
	}
	return found
}

// Len is the number of subscriptions: a pattern that two hold counts twice.
func (p *Patterns[F]) Len() int { return p.n }

// Match calls yield for each that holds a pattern which takes in the topic: once, however many such patterns it holds, and in no order. Yield must not
// change p.
func (p *Patterns[F]) Match(topic string, yield func(F)) {
	var few [4]map[F]struct{}
	all := p.root.match(topic, few[:0])
	if len(all) == 0 {
		return
	}
	largest := 0
	for i, held := range all {
		if len(held) > len(all[largest]) {
			largest = i
		}
	}
	all[0], all[largest] = all[largest], all[0] // the one that need not be noted
	for f := range all[0] {
		yield(f)
	}
	var seen map[F]struct{}
	for i, held := range all[1:] {
		for f := range held {
			if _, again := all[0][f]; again {
				continue
			}
			if _, again := seen[f]; again {
				continue
			}
			if i < len(all)-2 { // nothing comes after the last
				if seen == nil {
					seen = make(map[F]struct{})
				}
				seen[f] = struct{}{}
			}
			yield(f)
		}
	}
}

// match appends who holds the patterns below n that take in the topic.
func (n *node[F]) match(topic string, all []map[F]struct{}) []map[F]struct{} {
	if rest := n.below[">"]; rest != nil {
		all = append(all, rest.held)
	}
	level, rest, more := strings.Cut(topic, ".")
	for _, l := range [2]string{level, "*"} {
		next := n.below[l]
		switch {
		case next == nil:
		case more:
			all = next.match(rest, all)
		case next.held != nil:
			all = append(all, next.held)
		}
	}
	return all
}
