// Package memory is the store that keeps nothing: with it a client lives in its actor, and a new process begins anew.
package memory

import (
	"github.com/restante/restante/registry/store"
)

// Store confirms every commit at once: the outbox in the client actor's memory is all there is.
// The zero value is ready for use.
type Store struct{}

var _ store.Instant = Store{}

// Generation is 1: every epoch of a process that lives in memory is new by its random bits.
func (Store) Generation() uint32 { return 1 }

// Commit confirms u at once.
func (Store) Commit(store.Owner, *store.Update) (now bool, err error) { return true, nil }

// KeepsNothing says that nobody need ask before an append.
func (Store) KeepsNothing() {}

// Close has nothing to do.
func (Store) Close() error { return nil }
