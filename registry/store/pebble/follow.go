package pebble

import (
	"errors"
	"strings"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/registry/store"
)

// Followers calls f with the followers of the topic after the given one. They are those that were confirmed when their page of 1,000 was read.
func (s *Store) Followers(topic, after string, f func(clientID string) bool) error {
	return s.pages(spaceFollower, topic, after, func(id string) bool { return f(id) })
}

// pages calls f with the second names of the pairs of one first name, in order and after the given one, a page at a time, until f returns false.
func (s *Store) pages(space byte, first, after string, f func(second string) bool) error {
	for {
		var page []string
		err := s.inquire(func(db crdb.Reader) error {
			var err error
			page, err = seconds(db, space, first, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, after = range page {
			if !f(after) {
				return nil
			}
		}
		if len(page) < scanPage {
			return nil
		}
	}
}

// seconds reads one page of the second names of the pairs of one first name.
func seconds(db crdb.Reader, space byte, first, after string) (page []string, err error) {
	lower := appendPair(nil, space, first, after)
	if after != "" {
		lower = append(lower, 0) // the least key behind it
	}
	it, err := db.NewIter(&crdb.IterOptions{LowerBound: lower, UpperBound: append(appendName(nil, space, first), 1)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	skip := len(first) + 2
	for ok := it.First(); ok && len(page) < scanPage; ok = it.Next() {
		page = append(page, string(it.Key()[skip:]))
	}
	return page, it.Error()
}

// Matching calls f with each subscription to a pattern that matches the topic.
func (s *Store) Matching(topic string, f func(pattern, clientID string) bool) error {
	var patterns []string
	err := s.inquire(func(db crdb.Reader) (err error) {
		it, err := db.NewIter(&crdb.IterOptions{LowerBound: []byte{spacePattern}, UpperBound: []byte{spacePattern + 1}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		patterns = descend(it, patterns, nil, topic)
		return it.Error()
	})
	for _, p := range patterns {
		if err == nil {
			more := true
			err = s.pages(spacePattern, p, "", func(id string) bool {
				more = f(p, id)
				return more
			})
			if !more {
				return err
			}
		}
	}
	return err
}

// descend appends the patterns that begin with the levels in prefix and match what is left of a topic's name. Of each way that it could go on it looks
// first whether any pattern does: so it reads no more than the patterns that match as far as it has come.
func descend(it *crdb.Iterator, found []string, prefix []byte, rest string) []string {
	there := func(key []byte) bool { return it.SeekGE(key) && strings.HasPrefix(string(it.Key()), string(key)) }
	key := func(level string, end ...byte) []byte {
		return append(append(append([]byte{spacePattern}, prefix...), level...), end...)
	}
	if there(key(">", 0)) {
		found = append(found, string(prefix)+">")
	}
	level, below, more := strings.Cut(rest, ".")
	for _, l := range [...]string{"*", level} {
		switch {
		case !more && there(key(l, 0)):
			found = append(found, string(prefix)+l)
		case more && there(key(l, '.')):
			found = descend(it, found, append(append(append([]byte(nil), prefix...), l...), '.'), below)
		}
	}
	return found
}

var _ store.Keeper = (*Store)(nil)
