// Package store is the storage port: what a client's actor needs kept, and the promises that every adapter makes.
//
// The promises:
//   - Commits of one owner are applied, and confirmed, in the order given. A commit is atomic.
//   - A commit is confirmed only when it is as durable as the adapter's setting says (P-26).
//   - After a commit of an owner has failed, every commit of it that was already under way fails too.
//   - An error that wraps ErrUnknown leaves open whether the commit was kept; every other error says that it was not.
//   - A confirmed Delete leaves nothing of the client.
//   - No method blocks on I/O, except Close. An answer that is not there at once comes later, through the owner.
//   - Bodies given to a store are immutable and may be kept; bodies handed out are immutable.
package store

import (
	"errors"

	"github.com/restante/restante/protocol"
)

// ErrUnknown marks a commit of which nobody knows whether it was kept.
var ErrUnknown = errors.New("store: outcome unknown")

// Owner is a client's actor as a store sees it. Its methods are called from any goroutine, never from within a call of the
// Store by the same owner, and must not block.
type Owner interface {
	// ClientID names the owner.
	ClientID() string
	// Confirmed answers a Commit that was not answered at once.
	Confirmed(token uint64, err error)
}

// Update is one atomic change of one client.
type Update struct {
	Token uint64
	// Epoch is written with the client's first update.
	EpochBits uint64
	// First is the seq of Bodies[0]; the others follow densely. No bodies: First is 0.
	First  uint64
	Bodies []protocol.Body
	// Record keeps a send id or idempotency key with these frames, nil for none (P-18).
	Record *Record
	// Floor and Acked are those at the time of the update; they may lag behind.
	Floor, Acked uint64
	// Delete forgets the client instead; all other fields but Token are unused.
	Delete bool
}

// Record is a send id or an idempotency key: hashes of the key and of the frames (P-18). The seqs and the time are those of its Update.
type Record struct {
	Key, Sum [16]byte
}

// Store keeps clients. Commit is for the owner's turn only. What a store on disk adds (loading a client that is not in memory, reading
// bodies that are not, naming those that have expired) joins here.
type Store interface {
	// Generation goes into every epoch; it changes when the store cannot vouch for what an earlier process confirmed.
	Generation() uint32
	// Commit applies u. With now set, err is its outcome, else Confirmed brings it. u and u.Bodies are the caller's again when
	// Commit returns; the bodies themselves are kept.
	Commit(o Owner, u *Update) (now bool, err error)
	// Close ends the store once every commit under way is answered.
	Close() error
}
