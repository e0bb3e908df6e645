package actors

import "sync/atomic"

// Counters is the one typed set of counters of a broker. Every drop has its reason. Zero is ready for use; fields
// are only added to, by whoever sees the event, except the gauges, which also go down.
type Counters struct {
	// Gauges.
	Clients, Topics, Connections, Places     atomic.Int64
	OutboxFrames, OutboxBytes, InFlightBytes atomic.Int64
	// Those of Clients that are in memory, and, where a store keeps clients, the bytes of confirmed frames' bodies that are.
	Awake, HotBytes atomic.Int64

	// Clients' lives.
	ClientsCreated, ClientsReaped, ClientsDeleted, ClientsRestarted atomic.Int64

	// Frames.
	Published, PublishedBytes atomic.Int64 // confirmed in an outbox or a topic's log
	TopicFrames               atomic.Int64 // frames of topics confirmed in a follower's outbox
	Delivered, DeliveredBytes atomic.Int64 // handed to the kernel, once per connection
	Batches                   atomic.Int64
	Acks                      atomic.Int64
	Duplicates                atomic.Int64 // repeats answered from a record
	CommitsFailed             atomic.Int64

	// Per reason or code; the keys are fixed by the types below.
	Pruned  [NumPruneReasons]atomic.Int64
	Dropped [NumDropReasons]atomic.Int64
	Attach  [NumAttachKinds]atomic.Int64
	// Refused counts refusals by error code, Closed ended connections by the close code sent (0: none could be).
	Refused CodeCounter
	Closed  CodeCounter

	// Where a store keeps clients: how often one was loaded and let go of, frames whose bodies left memory, and that came back.
	Wakes, Sleeps, Spilled, Fetched atomic.Int64

	Sweeps, Panics atomic.Int64
}

// PruneReason says why a retained frame went.
type PruneReason uint8

// The reasons of P-11 and P-13.
const (
	PrunedAcked PruneReason = iota
	PrunedCount
	PrunedBytes
	PrunedAge
	PrunedReaped
	PrunedDeleted
	NumPruneReasons
)

func (r PruneReason) String() string {
	return [...]string{"acked", "count", "bytes", "age", "reaped", "deleted"}[r]
}

// DropReason says why something that was queued or on its way was dropped. A dropped batch is not a lost frame: the frame is still in the outbox.
type DropReason uint8

// What can be dropped.
const (
	DropStale  DropReason = iota // a message of a connection that the client no longer knows
	DropPing                     // a ping that found one still pending
	DropRecord                   // a record of a send id that was pushed out by MaxRecords
	DropPlace                    // a held place that was pushed out by the limit of 16
	DropInput                    // input that came after the connection had begun to close
	DropFailed                   // an append refused because the store failed
	DropUnsent                   // frames of a batch under way when its connection ended
	DropLetter                   // a message sent to a PID that names no actor
	DropTopic                    // a topic's frame that went from its log before a follower had room for it
	NumDropReasons
)

func (r DropReason) String() string {
	return [...]string{"stale", "ping_pending", "record_bound", "place_bound", "input_after_close", "store_failed", "unsent", "dead_letter", "topic_missed"}[r]
}

// AttachKind counts attaches by what they came to.
type AttachKind uint8

// The outcomes of P-7.
const (
	AttachFresh AttachKind = iota
	AttachUpToDate
	AttachReplay
	AttachTooOldEpoch
	AttachTooOldAhead
	AttachTooOldPruned
	NumAttachKinds
)

func (k AttachKind) String() string {
	return [...]string{"fresh", "up_to_date", "replay", "too_old_epoch", "too_old_ahead", "too_old_pruned"}[k]
}
