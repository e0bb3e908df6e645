package pebble

import (
	"errors"
	"fmt"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/registry/store"
)

// scanPage is how many clients are read at a time.
const scanPage = 1000

// Scan calls f with each client after the given id. The states are those that were confirmed when their page of 1,000 was read.
func (s *Store) Scan(after string, f func(clientID string, is store.State) bool) error {
	type line struct {
		id string
		is store.State
	}
	for {
		var page []line
		err := s.inquire(func(db crdb.Reader) error {
			return scan(db, after, func(id string, k *kept) bool {
				page = append(page, line{id, k.State})
				return len(page) < scanPage
			})
		})
		if err != nil {
			return err
		}
		for _, l := range page {
			if after = l.id; !f(l.id, l.is) {
				return nil
			}
		}
		if len(page) < scanPage {
			return nil
		}
	}
}

// Stat returns the state of one client, zero for none.
func (s *Store) Stat(clientID string) (is store.State, err error) {
	err = s.inquire(func(db crdb.Reader) error {
		k, err := readState(db, clientID)
		is = k.State
		return err
	})
	return is, err
}

// inquire runs f over what was confirmed at one moment. An error of f's is one of the store's. Where the store has failed, f may hang in
// the library for ever, and is left to itself: what it has found is then nobody's.
func (s *Store) inquire(f func(db crdb.Reader) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer s.leave()
		done <- s.frozen(f)
	}()
	select {
	case err := <-done:
		if err != nil {
			s.onRead(err)
		}
	case <-s.failed:
	}
	return s.Err()
}

// frozen runs f over a snapshot of the database that is taken while no group is being applied.
func (s *Store) frozen(f func(db crdb.Reader) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = asError(p)
		}
	}()
	select {
	case s.visible <- struct{}{}:
	case <-s.failed:
		return nil
	}
	snapshot := s.db.NewSnapshot()
	<-s.visible
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	return f(snapshot)
}

// scan calls f with each client after the given id, in the order of the ids, until f returns false.
func scan(db crdb.Reader, after string, f func(id string, k *kept) bool) (err error) {
	it, err := db.NewIter(&crdb.IterOptions{
		LowerBound: append(appendName(nil, spaceState, after), 0), // the least key behind that of after
		UpperBound: []byte{spaceState + 1},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		id, valid := parseName(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		k, err := parseState(value)
		if err != nil || !valid {
			return fmt.Errorf("the state of %q: %w", it.Key()[1:], errValue)
		}
		if !f(id, &k) {
			return nil
		}
	}
	return it.Error()
}
