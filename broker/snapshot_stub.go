package broker

import (
	"context"

	"github.com/restante/restante/protocol"
)

// PutSnapshot, Snapshot and DeleteSnapshot stand in for the registry's own until those are there.
func (joined) PutSnapshot(context.Context, string, protocol.Cursor, []byte) (protocol.StoredSnapshot, error) {
	return protocol.StoredSnapshot{}, errNoSnapshots
}

// Snapshot stands in for the registry's.
func (joined) Snapshot(context.Context, string) (protocol.StoredSnapshot, error) {
	return protocol.StoredSnapshot{}, errNoSnapshots
}

// DeleteSnapshot stands in for the registry's.
func (joined) DeleteSnapshot(context.Context, string) error { return errNoSnapshots }

var errNoSnapshots = protocol.Errorf(protocol.CodeNotFound, "no snapshots are stored yet")
