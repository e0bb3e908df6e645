package pebble

import (
	"errors"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/registry/store"
)

// strangers looks for keys of no known space, and for those of clients that are not there.
func (c *checker) strangers() {
	it, err := c.db.NewIter(nil)
	if err != nil {
		c.report.problem("the keys cannot be read: %v", plain(err))
		return
	}
	last, there := "", false
	for ok := it.First(); ok; {
		key := it.Key()
		switch key[0] {
		case spaceMeta:
			if string(key) != string(keyGeneration) && string(key) != string(keyTotals) && string(key) != string(keyHours) {
				c.report.problem("there is an unknown key, %q", key)
			}
		case spaceState, spaceBody, spaceSubscription, spaceFollower, spacePattern: // seen one by one, elsewhere
			ok = it.SeekGE([]byte{key[0] + 1})
			continue
		case spaceFrame, spaceRecord, spaceSnapshot:
			id, valid := c.nameIn(key)
			if !valid {
				c.report.problem("there is a key that is none, %q", key)
				break
			}
			if id != last {
				k, err := readState(c.db, id)
				last, there = id, err == nil && k.Epoch != 0 && (key[0] != spaceSnapshot || k.SnapshotBytes > 0)
				if !there {
					c.report.problem("there is something of %s, which is not there: %q", named(id), key)
				}
			}
			if key[0] == spaceSnapshot {
				c.report.Snapshots++
				last = ""
				break
			}
			ok = it.SeekGE(append(appendName(nil, key[0], id), 1)) // the client's own have been checked
			last = ""
			continue
		default:
			c.report.problem("there is an unknown key, %q", key)
		}
		ok = it.Next()
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		c.report.problem("the keys cannot be read to their end: %v", plain(err))
	}
}

// nameIn is the client that a key belongs to.
func (c *checker) nameIn(key []byte) (id string, ok bool) {
	if key[0] == spaceSnapshot {
		return parseName(key)
	}
	id, _, ok = parseNumbered(key)
	return id, ok
}

// bodies checks the shared bodies that are there; whether those are that must be, the frames say.
func (c *checker) bodies() {
	it, err := c.db.NewIter(&crdb.IterOptions{LowerBound: []byte{spaceBody}, UpperBound: []byte{spaceBody + 1}})
	if err != nil {
		c.report.problem("the shared bodies cannot be read: %v", plain(err))
		return
	}
	for ok := it.First(); ok; ok = it.Next() {
		c.report.Shared++
		id, valid := parseBody(it.Key())
		value, err := it.ValueAndErr()
		if err == nil {
			_, err = parsePlain(value)
		}
		if err != nil || !valid || id == (store.BodyID{}) {
			c.report.problem("the shared body %q cannot be read", it.Key())
		}
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		c.report.problem("the shared bodies cannot be read to their end: %v", plain(err))
	}
}

// sums compares the totals with what was summed up.
func (c *checker) sums() {
	t, err := readTotals(c.db)
	switch {
	case err != nil:
		c.report.problem("%v", err)
	case t.Totals != c.report.Totals:
		is := c.report.Totals
		c.report.problem("the totals are %d clients, %d topics, %d frames and %d bytes, but there are %d, %d, %d and %d",
			t.Clients, t.Topics, t.Frames, t.Bytes, is.Clients, is.Topics, is.Frames, is.Bytes)
	}
}
