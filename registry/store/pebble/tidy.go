package pebble

import (
	"context"
	"errors"
	"fmt"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// deadEnough is from how many dead bytes on giving back space may be worth the work.
const deadEnough = 4 << 20

// lone waits for its group without a client.
type lone chan error

// Tidy lets go of the shared bodies of the hours that ended before the given time, and gives back dead space once there is much of it:
// more than a third of what the store holds, and 4 MiB. It blocks for as long as that takes or ctx lives, and disturbs nobody else.
func (s *Store) Tidy(ctx context.Context, before int64) error {
	if err := s.enter(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer s.leave()
		done <- s.tidy(ctx, before)
	}()
	select {
	case err := <-done:
		if err != nil && ctx.Err() == nil {
			s.onLibrary(err)
		}
	case <-ctx.Done():
	case <-s.failed:
	}
	if err := s.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *Store) tidy(ctx context.Context, before int64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = asError(p)
		}
	}()
	if err := s.dropBodies(hourOf(before)); err != nil {
		return err
	}
	s.mu.Lock()
	dead, live := s.totals.dead, s.totals.Bytes
	s.mu.Unlock()
	if dead < max(deadEnough, live/2) {
		return nil
	}
	if err := s.db.Compact(ctx, []byte{0}, []byte{0xff}, false); err != nil {
		return err
	}
	s.mu.Lock()
	s.totals.dead -= dead // on disk with the next group
	s.mu.Unlock()
	return nil
}

// dropBodies deletes the shared bodies of the hours before hour, if there are any: an empty deletion at each sweep would be in every reader's way.
func (s *Store) dropBodies(hour uint32) error {
	first, end := []byte{spaceBody}, appendBody(nil, store.BodyID{Hour: hour})
	it, err := s.db.NewIter(&crdb.IterOptions{LowerBound: first, UpperBound: end})
	if err != nil {
		return err
	}
	some := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil || !some {
		return err
	}
	size, err := s.db.EstimateDiskUsage(first, end)
	if err != nil {
		return err
	}
	done := make(lone, 1)
	s.mu.Lock()
	if s.failure != nil {
		defer s.mu.Unlock()
		return s.failure
	}
	s.open.deleteRange(first, end)
	s.open.set(keyHours, appendHours(nil, hour))
	s.hours.Store(max(s.hours.Load(), hour)) // those that are read meanwhile as if they were gone are as good as gone
	s.totals.dead += int64(size)
	s.join(done, 0, false)
	s.mu.Unlock()
	return <-done
}

// readHours is the first hour whose shared bodies are kept.
func readHours(db crdb.Reader) (uint32, error) {
	value, done, err := db.Get(keyHours)
	if errors.Is(err, crdb.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	hour, err := parseHours(value)
	if err != nil {
		err = fmt.Errorf("which shared bodies are kept: %w", err)
	}
	return hour, errors.Join(err, done.Close())
}

// ClientID names nobody.
func (lone) ClientID() string { return "" }

// Confirmed passes the group's outcome on.
func (l lone) Confirmed(_ uint64, err error) { l <- err }

// Loaded, Bodies and SnapshotData answer what it never asks.
func (lone) Loaded(*store.Client, error) {}

// Bodies is never called.
func (lone) Bodies(uint64, []protocol.Body, error) {}

// SnapshotData is never called.
func (lone) SnapshotData(uint64, uint64, []byte, error) {}
