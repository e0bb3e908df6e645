package pebble

import (
	"errors"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
)

// follows checks that what clients have subscribed to stands on both sides: with them, and with the topic or the pattern. A client may still
// have an entry about a topic that does not know it any more: the topic was deleted.
func (c *checker) follows() {
	last, n := "", 0
	count := func(id string) {
		if id == last {
			n++
			return
		}
		if last != "" {
			if k, err := readState(c.db, last); err == nil && k.Follows != n {
				c.report.problem("%s: there are %d entries of what it has subscribed to, not %d", named(last), n, k.Follows)
			}
		}
		last, n = id, 1
	}
	c.pairs(spaceSubscription, func(id, name string, value []byte) {
		count(id)
		c.report.Follows++
		if protocol.IsPattern(name) {
			if none, err := missing(c.db, appendPair(nil, spacePattern, name, id)); none && err == nil {
				c.report.problem("%s: it has subscribed to %s, and is not among those who have", named(id), name)
			}
		} else if _, err := parseFollow(value); err != nil {
			c.report.problem("%s: its place in %s cannot be read", named(id), name)
		}
		if k, err := readState(c.db, id); err == nil && k.Epoch == 0 {
			c.report.problem("there is a subscription of %s, which is not there: %s", named(id), name)
		}
	})
	count("")
	for _, space := range [...]byte{spaceFollower, spacePattern} {
		c.pairs(space, func(name, id string, _ []byte) {
			if none, err := missing(c.db, appendPair(nil, spaceSubscription, id, name)); none && err == nil {
				c.report.problem("%s is among those who follow %s, and does not know it", named(id), name)
			}
		})
	}
}

// pairs goes through the pairs of a space.
func (c *checker) pairs(space byte, f func(first, second string, value []byte)) {
	it, err := c.db.NewIter(&crdb.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err == nil {
		for ok := it.First(); ok; ok = it.Next() {
			first, second, valid := parsePair(it.Key())
			value, verr := it.ValueAndErr()
			if verr != nil || !valid {
				c.report.problem("there is a key that is none, %q", it.Key())
				continue
			}
			f(first, second, value)
		}
		err = errors.Join(it.Error(), it.Close())
	}
	if err != nil {
		c.report.problem("who follows what cannot be read: %v", plain(err))
	}
}
