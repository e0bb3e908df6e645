package pebble

import (
	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/registry/store"
)

// Fail ends the store as a failing disk would, from wherever it is called.
func (s *Store) Fail(cause error) { s.onLibrary(cause) }

// Still is o with nothing compacted in the background.
func (o Options) Still() Options {
	o.still = true
	return o
}

// Raw is the database itself, for tests that do to it what the store never does.
func (s *Store) Raw() *crdb.DB { return s.db }

// KeyOf is the key of a client's state ('c') or snapshot ('s').
func KeyOf(space byte, id string) []byte { return appendName(nil, space, id) }

// NumberedKey is the key of a client's frame ('f') or record ('r').
func NumberedKey(space byte, id string, n uint64) []byte { return appendNumbered(nil, space, id, n) }

// BodyKey is the key of a shared body.
func BodyKey(id store.BodyID) []byte { return appendBody(nil, id) }

// StateValue is the value of a client's state.
func StateValue(is store.State, generation uint32) []byte {
	return appendState(nil, &kept{is, generation})
}
