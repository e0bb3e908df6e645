// Package store is the storage port: what a client's actor needs kept, and the promises that every adapter makes.
//
// The promises of a Store:
//   - Commits of one owner are applied, and confirmed, in the order given. A commit is atomic.
//   - A commit is confirmed only when it is as durable as the adapter's setting says (P-26); a lazy one when whatever reads later sees it.
//   - After a commit of an owner has failed, every commit of it that was already under way fails too.
//   - An error that wraps ErrUnknown leaves open whether the commit was kept; every other error says that nobody will see it in this process.
//   - A confirmed Delete leaves nothing of the client.
//   - No method blocks on I/O, except where it says so. An answer that is not there at once comes later, through the owner.
//   - Bodies given to a store are immutable and may be kept; bodies handed out are immutable.
//
// A Keeper keeps clients outside of memory as well: its further promises stand at its methods.
//
// A topic's log is kept as a client's outbox is, by an owner whose name is TopicMark and the topic's (P-32). What is said of clients here holds for topics
// too, except where they are told apart.
package store

import (
	"context"
	"errors"

	"github.com/restante/restante/protocol"
)

// ErrExpired says that a frame's shared body was let go of by Tidy: the frame is older than anybody keeps one.
var ErrExpired = errors.New("store: the frame's shared body is gone")

// TopicMark begins the name of an owner that is a topic; no client_id holds it (P-4). Topics come before all clients in byte order.
const TopicMark = "#"

// ErrUnknown marks a commit of which nobody knows whether it was kept.
var ErrUnknown = errors.New("store: outcome unknown")

// Owner is a client's actor as a store sees it. Its methods are called from any goroutine, never from within a call of the
// Store by the same owner, and must not block.
type Owner interface {
	// ClientID names the owner: a client_id, or TopicMark and a topic's name.
	ClientID() string
	// Confirmed answers a Commit that was not answered at once.
	Confirmed(token uint64, err error)
	// Loaded answers a Load; c is nil where the store has no such client.
	Loaded(c *Client, err error)
	// Bodies answers a Read: the bodies of the frames After+1 and on, dense.
	Bodies(token uint64, bodies []protocol.Body, err error)
	// SnapshotData answers a ReadSnapshot: the data, and the seq that the data is as of; nil where there is none.
	SnapshotData(token, asOf uint64, data []byte, err error)
}

// State is what there is to know of a client besides its frames, records and snapshot; each update writes it whole. The zero
// State, known by its Epoch, is that of a client which the store does not have. Times are Unix milliseconds by the wall clock.
type State struct {
	// Epoch is the client's own part of its epoch, never 0.
	Epoch uint64
	// Retained are the frames (Floor, Head]. Acked and Sent are the greatest marks of any reader.
	Floor, Head, Acked, Sent uint64
	// Records of frames up to RecordFloor say nothing any more (P-18).
	RecordFloor uint64
	// Cleaned is up to where the store has been told to give back dead frames, at most Floor; RecordsCleaned the same for records, of
	// which there are so many above it, dead or not.
	Cleaned, RecordsCleaned, Records uint64
	// Seen is when the client's own side or a direct publish last did something, coarsely (P-28).
	Seen int64
	// Oldest is when the oldest retained frame was appended, 0 for none.
	Oldest int64
	// Bytes is what frames, records and snapshot count towards max_total_bytes.
	Bytes int64
	// SnapshotBytes is the length of the stored snapshot's data, 0 for none; SnapshotAsOf the seq that it is as of (P-9).
	SnapshotAsOf  uint64
	SnapshotBytes int
	// All is up to where the client has taken the frames of protocol.AllTopic (P-32).
	All uint64
	// Follows is how many entries the store has about what the client has subscribed to: Follows and Patterns together (P-19).
	Follows int
	// Closed says of a topic that it is closed (P-32).
	Closed bool
}

// Frames is the number of retained frames.
func (s *State) Frames() uint64 { return s.Head - s.Floor }

// Update is one atomic change of one client: from the state Was to the state Is, with the frames (Was.Head, Is.Head].
type Update struct {
	Token uint64
	// Was is what the update before this one, or the Load, said; zero for a client that the store does not have. The adapter gives
	// back what is dead: the frames (Was.Cleaned, Is.Cleaned], the records (Was.RecordsCleaned, Is.RecordsCleaned], and, where an
	// actor that failed has given up seqs that the store has, the frames and records above the last that Is leaves of Was.
	Was, Is State
	// First is the seq of Bodies[0]; the others follow densely, up to Is.Head. No bodies: First is 0. At is when they were appended.
	First  uint64
	Bodies []protocol.Body
	At     int64
	// Shared is nil, or says for each of Bodies which shared body it is, the zero BodyID for one of its own. See Keeper.Share.
	Shared []BodyID
	// Record keeps a send id or idempotency key with these frames, nil for none (P-18).
	Record *Record
	// Snapshot is stored in the place of an earlier one, nil for no change; Is says what it is as of. An Is without a snapshot drops it.
	Snapshot []byte
	// Follows are the changed cursors in topics, and Patterns the changed subscriptions to patterns. With Delete they are all that the store has of
	// the client: it forgets them too.
	Follows  []Follow
	Patterns []Pattern
	// Lazy says that the update may be lost with the process: its loss only repeats something. It needs no sync of its own.
	Lazy bool
	// Delete forgets the client Was instead; Is and what follows it are unused, but for Follows and Patterns. Of a topic all that follow it are forgotten, too.
	Delete bool
}

// Follow is a client's cursor in one topic's log (P-19): up to Cursor its frames have come into the outbox.
type Follow struct {
	Topic  string
	Cursor uint64
	// Named says that the client has subscribed to the topic's own name, not only to a pattern that matches it.
	Named bool
	// New says that the store has no entry yet: only then the client becomes a follower of the topic, so that a cursor which is written after the topic's
	// deletion does not make it one of the topic's next life.
	New bool
	// Gone takes the entry away. In a loaded client it says that the topic was deleted since, and the subscription with it; the entry is still there.
	Gone bool
}

// Pattern is a client's subscription to a pattern with * or > in it (P-32). Gone takes it away.
type Pattern struct {
	Pattern string
	Gone    bool
}

// Record is a send id or an idempotency key: hashes of the key and of the frames (P-18). The seqs and the time are those of its Update.
type Record struct {
	Key, Sum [16]byte
}

// Store keeps clients. Commit is for the owner's turn only.
type Store interface {
	// Generation goes into every epoch; it changes when the store cannot vouch for what an earlier process confirmed.
	Generation() uint32
	// Commit applies u. With now set, err is its outcome, else Owner.Confirmed brings it. u, u.Bodies, u.Shared and u.Snapshot are the
	// caller's again when Commit returns; the bodies themselves are kept.
	Commit(o Owner, u *Update) (now bool, err error)
	// Close ends the store once every commit under way is answered. It blocks, and may be called more than once.
	Close() error
}

// Instant is a Store that keeps nothing, so that it confirms every Commit at once: an owner need not ask it about frames.
type Instant interface {
	Store
	// KeepsNothing says so.
	KeepsNothing()
}

// Keeper is a Store whose clients are there without being in memory. One owner at a time speaks for a client, and loads it only when
// every commit of the owner before it is answered.
type Keeper interface {
	Store
	// Totals are those of all clients, as of the last commit given: nothing is counted for them at the start.
	Totals() Totals
	// Load is answered by Owner.Loaded, with the bodies of the newest frames as far as hot bytes go. It does not block.
	Load(o Owner, hot int64)
	// Read is answered by Owner.Bodies, with at least one frame, or with ErrExpired where the first frame asked for has lost its shared body to Tidy.
	// What it asks for is retained, so that any other hole is damage, and fails the store. It does not block.
	Read(o Owner, r Read)
	// ReadSnapshot is answered by Owner.SnapshotData. It does not block.
	ReadSnapshot(o Owner, token uint64)
	// Share keeps a body that many entries may refer to, of one hour of the wall clock: it goes with the hour's others, by Tidy. It is
	// as durable as the first update that refers to it, and does not block.
	Share(body protocol.Body, at int64) BodyID

	// Scan calls f with the state of each client and each topic whose name comes after the given one, in byte order, until f returns false. It blocks.
	Scan(after string, f func(name string, s State) bool) error
	// Stat returns the state of one client, zero for none. It blocks.
	Stat(clientID string) (State, error)
	// Followers calls f with the client_id of each follower of the topic that comes after the given one, in byte order, until f returns false. It blocks.
	Followers(topic, after string, f func(clientID string) bool) error
	// Matching calls f with each subscription to a pattern that the topic's name matches, until f returns false. What it reads does not grow with the
	// number of patterns that do not match. It blocks.
	Matching(topic string, f func(pattern, clientID string) bool) error
	// Tidy lets go of the shared bodies that were kept in hours that ended before the given time, and has dead space given back. It blocks until that is done, or
	// ctx ends, whose error it then returns: it has done a part.
	Tidy(ctx context.Context, before int64) error

	// Metrics are what an operator may want to see; those of a store that has failed stand still.
	Metrics() Metrics
	// Failed is closed when the store has failed: every call from then on answers with Err, and nothing is read from it any more.
	Failed() <-chan struct{}
	// Err is why the store failed, and what to do about it; nil while it has not. It is a *protocol.Error with the code internal.
	Err() error
}

// Totals are sums over all owners of a store. Bytes is that of their States; Clients does not count topics.
type Totals struct{ Clients, Topics, Frames, Bytes int64 }

// Metrics count, since the store was opened, the groups of updates that were committed together and the syncs that they took; DiskBytes is
// what the store occupies now.
type Metrics struct {
	Groups, Syncs uint64
	DiskBytes     int64
}

// BodyID names a shared body. The zero BodyID names none.
type BodyID struct {
	Hour uint32 // since 1970
	N    uint64
}

// Read asks for the bodies of the frames After+1 to Last at most, as many as fit Frames and Bytes, but at least one.
type Read struct {
	Token       uint64
	After, Last uint64
	Frames      int
	Bytes       int
}

// Client is a client as it was loaded.
type Client struct {
	State State
	// Generation is that of the store when the state was last written: where it is not the store's own, the epoch has ended (P-26).
	Generation uint32
	// Frames are the retained ones, (max(State.Floor, Expired), State.Head], oldest first. Those up to Expired have lost their shared bodies to
	// Tidy while nobody looked, or are older than one that has: the owner lets go of them. 0 for none.
	Frames  []Frame
	Expired uint64
	// Records are those above State.RecordFloor, oldest first.
	Records []KeptRecord
	// Follows and Patterns are what the client has subscribed to, in byte order.
	Follows  []Follow
	Patterns []string
}

// Frame is one retained frame as it was loaded. Body is nil where it was left in the store; Size is its length all the same. At is when it was appended.
// OfTopic says that the body is a topic's (protocol.OfTopic), whether it is there or not.
type Frame struct {
	Body    protocol.Body
	Size    int
	At      int64
	OfTopic bool
}

// KeptRecord is a Record as it was loaded.
type KeptRecord struct {
	Record
	First, Last uint64
	At          int64
}
