package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Effects is what an input asks for. The shell fills none of it and obeys it in the order of the fields; one Effects
// is reused for every input of many sessions, so nothing in it is valid after Reset, except what a field hands over.
type Effects struct {
	Commits  []Commit
	Fetches  []Fetch
	Pulls    []Pull
	Asks     []Ask
	Writes   []Write
	Pauses   []Pause
	Forwards []Forward
	Settled  []any // whose frames are confirmed, though the answer has to wait: they are in flight no more
	Replies  []Reply
	Closes   []Close
	Events   []Event
	// First and Last are what a topic has confirmed with this input: news for its followers. Both 0 for none.
	First, Last uint64
	// Retire says that this life is over and its deletion confirmed: the shell closes the mailbox, or calls Reborn when mail has come meanwhile.
	Retire bool
	// Sleep says that nothing is going on and the store has everything: the shell may let go of the session, unless mail has come meanwhile.
	Sleep bool
	// Next is the earliest time at which Tick is wanted; 0 for never.
	Next time.Duration

	// Defer is the shell's, set before the input: what has been confirmed may wait for Pump, so that frames that come one by one in quick succession go out
	// together. Deferred says that some does.
	Defer, Deferred bool

	batch []protocol.Piece // of a batch that is written, for the next one
	spare *extra           // what a session has let go, for the next one that needs it
	saved []Saved          // what Commits point at
}

// Reset empties fx for the next input and lets go of all that it pointed at.
func (fx *Effects) Reset() {
	emptied(&fx.Commits)
	emptied(&fx.Fetches)
	emptied(&fx.Pulls)
	emptied(&fx.Asks)
	emptied(&fx.Writes)
	emptied(&fx.Pauses)
	emptied(&fx.Forwards)
	emptied(&fx.Settled)
	emptied(&fx.Replies)
	emptied(&fx.Closes)
	emptied(&fx.Events)
	emptied(&fx.saved)
	fx.First, fx.Last, fx.Retire, fx.Sleep, fx.Next, fx.Defer, fx.Deferred = 0, 0, false, false, 0, false, false
}

// emptied clears a list for its next use; most of them are empty after most inputs.
func emptied[T any](list *[]T) {
	if len(*list) > 0 {
		clear(*list)
		*list = (*list)[:0]
	}
}

// Commit is one atomic store update, answered by exactly one Confirmed with its token; several may be under way, answered in order.
type Commit struct {
	Token uint64
	// First and Last are the seqs of the appended frames, whose bodies Appended gives; both 0 for none. Record and Sum are kept with them, nil for none.
	First, Last uint64
	Record      *RecordKey
	Sum         Sum
	// Snapshot is to be stored, nil for no change (P-9).
	Snapshot []byte
	// Shared names the shared bodies that the appended ones are, nil where they are none.
	Shared []BodyID
	// Follows and Patterns are the subscriptions that have changed (P-19), where clients are kept; with Delete all that the store has.
	Follows  []Followed
	Patterns []Held
	// Is is what the store has afterwards, where clients are kept (Config.Kept), else nil. Lazy says that its loss only repeats something.
	Is   *Saved
	Lazy bool
	// Delete ends the life instead: everything of the client goes.
	Delete bool
}

// Fetch asks the store for bodies that are not in memory: of the frames After+1 to Last at most, as many as fit, but at least one. It is
// answered by Bodies with its token.
type Fetch struct {
	Token         uint64
	After, Last   uint64
	Frames, Bytes int
}

// Followed is a cursor in a topic's log as the store is to keep it. New says that it has none yet, Gone that it is to forget it.
type Followed struct {
	Topic     string
	Cursor    uint64
	Named     bool
	New, Gone bool
}

// Held is a subscription to a pattern; Gone says that it is over.
type Held struct {
	Pattern string
	Gone    bool
}

// BodyID names a body that many outboxes share in the store; the zero one names none.
type BodyID struct {
	Hour uint32
	N    uint64
}

// PullKind is what a topic is asked for.
type PullKind uint8

const (
	// PullFrames asks for the frames after After, at most so many.
	PullFrames PullKind = iota
	// PullJoin asks where the topic's log is, and what P-7 makes of Since; Make says that the topic is made where there is none.
	PullJoin
	// PullSnapshot asks for the topic's snapshot.
	PullSnapshot
	// PullLeave says that the client does not follow the topic, or hold the pattern, any more. It is not answered.
	PullLeave
	// PullList asks for the topics that the pattern Topic matches. It is answered by Listed.
	PullList
)

// Pull asks a topic something for one of its followers; PullFrames and PullJoin make the client known as a follower. It is answered by
// exactly one Pulled with its Token and its Life.
type Pull struct {
	Topic         string
	Kind          PullKind
	Token, Life   uint64
	After         uint64
	Frames, Bytes int
	Since         *protocol.Cursor
	Make          bool
}

// Pulled answers a Pull, or is news: then Token and Life are 0. Frames are those from After+1 on, dense; Floor and Head are the log's. It is shared by
// many followers, and never changed.
type Pulled struct {
	Topic       string
	Token, Life uint64
	Epoch       string
	Floor, Head uint64
	Closed      bool
	Resume      protocol.Resume // of a PullJoin
	Reason      protocol.Reason
	Snapshot    bool // there is one to ask for
	AsOf        uint64
	Data        []byte // of a PullSnapshot
	After       uint64
	Frames      []protocol.Body
	Shared      []BodyID // which shared bodies they are; nil for none
	Err         *protocol.Error
}

// Ask asks the snapshot provider, or for the stored snapshot; it is answered by Answered with its token, at the latest when the provider
// is given up.
type Ask struct {
	Token       uint64
	Floor, Head uint64
	Stored      bool
}

// Write hands one batch to a connection; one is under way per connection, ended by exactly one Written or Gone. The slice is the
// connection's until then.
type Write struct {
	Gen   uint64
	Batch []protocol.Piece
}

// Pause stops a connection's reading, or lets it go on (P-27).
type Pause struct {
	Gen  uint64
	Stop bool
}

// Forward passes a connection's send on to its target's client actor, whose answer comes back as Outcome (P-18).
type Forward struct {
	Gen   uint64
	To    string
	ID    string
	Frame protocol.Body
}

// Reply answers whoever gave To. With Err nil, one of the others says what came of it; with all of them nil, it is done.
type Reply struct {
	To     any
	Err    *protocol.Error
	Stored Stored // of a publish; without a Status it is none
	Page   *protocol.Page
	// Closed says of a topic's Page that nothing follows it any more.
	Closed bool
	// Log answers a LogRead, Frame a subscribe or unsubscribe without a connection.
	Log   *Log
	Frame protocol.Body
}

// Stored is what came of a publish. Status is the level reached (stored, sent, acked), Reason why it is less than was
// waited for. They are those of the HTTP table.
type Stored struct {
	Epoch       Epoch
	First, Last uint64
	Status      string
	Reason      string
	Duplicate   bool
}

// Close ends a connection after the batch under way; the session has forgotten it already.
type Close struct {
	Gen  uint64
	Code protocol.CloseCode
}

// EventKind says what happened, for counters and log.
type EventKind uint8

// What can happen. N of the Event is the number given here.
const (
	EventPublished     EventKind = iota // N frames were confirmed; Bytes their bodies
	EventPrunedAcked                    // N frames went because they were acked
	EventPrunedCount                    // N frames went by the bound on their number
	EventPrunedBytes                    // N frames went by the bound on their bytes
	EventPrunedAge                      // N frames went by age
	EventPrunedReaped                   // N frames went with their reaped client
	EventPrunedDeleted                  // N frames went with their deleted client
	EventAck                            // an ack moved a mark
	EventDuplicate                      // a repeat was answered from its record
	EventAttach                         // an attach was decided: Resume and Reason
	EventStale                          // a message of a connection that is not known any more was dropped
	EventPingPending                    // a ping was not sent because one is still waiting
	EventRecordPushed                   // N records went by their bound
	EventPlacePushed                    // a held place went by the limit
	EventCommitFailed                   // N appends failed
	EventRefused                        // a message was refused with Code
	EventReaped
	EventDeleted
	EventRestarted // the epoch was given up because an outcome is unknown, the actor failed, or the store was left unclean
	EventSpilled   // the bodies of N frames left memory
	EventFetched   // N frames came back from the store
	EventTopic     // N frames of topics came into the outbox
	EventMissed    // N frames of topics went from their logs before there was room for them
)

// Event is one thing that happened.
type Event struct {
	Kind   EventKind
	N      int
	Bytes  int64
	Resume protocol.Resume
	Reason protocol.Reason
	Code   protocol.Code
}

func (fx *Effects) event(k EventKind, n int) {
	if n > 0 {
		fx.Events = append(fx.Events, Event{Kind: k, N: n})
	}
}

func (fx *Effects) fail(to any, e *protocol.Error) {
	if to != nil {
		fx.Replies = append(fx.Replies, Reply{To: to, Err: e})
	}
}

// pieces returns an empty batch with room for n pieces: that of one that is written, where it is large enough.
func (fx *Effects) pieces(n int) []protocol.Piece {
	if b := fx.batch; cap(b) >= n {
		fx.batch = nil
		return b
	}
	return make([]protocol.Piece, 0, n)
}

// reuse takes back a batch that is written, with its bodies let go.
func (fx *Effects) reuse(batch []protocol.Piece) {
	clear(batch)
	if cap(batch) > cap(fx.batch) {
		fx.batch = batch[:0]
	}
}
