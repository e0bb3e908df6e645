package pebble

import "github.com/restante/restante/registry/store"

// Metrics counts groups and syncs, and asks the library for the space on disk, unless the store has failed or been closed: then that is 0.
func (s *Store) Metrics() store.Metrics {
	m := store.Metrics{Groups: s.groups.Load(), Syncs: s.syncs.Load()}
	if s.enter() != nil {
		return m
	}
	used := make(chan int64, 1)
	go func() { // which hangs where the disk does
		defer s.leave()
		used <- int64(s.db.Metrics().DiskSpaceUsage())
	}()
	select {
	case m.DiskBytes = <-used:
	case <-s.failed:
	}
	return m
}
