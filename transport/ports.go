package transport

import (
	"context"
	"time"

	"github.com/restante/restante/protocol"
)

// Registry is what the transport asks of the clients' side. The broker joins the two rooms; neither imports the other.
// The blocking calls wait on the caller's own goroutine, never on an actor's; each returns early when ctx ends.
// Errors are *protocol.Error.
type Registry interface {
	Topics
	// Attach starts an attach of p to clientID, creating the client where there is none (P-29). It never blocks:
	// what it came to is told to p, by exactly one call of Attached or Refused.
	Attach(clientID string, a Attach, p Peer)
	// Publish appends every body or none, and returns when the level asked for is reached, cannot be reached any more, or timed out.
	Publish(ctx context.Context, clientID string, p Publish) (protocol.Published, error)
	// Read returns the page after since (P-7); it creates the client where there is none. Only up_to_date waits.
	Read(ctx context.Context, clientID string, r Read) (protocol.Page, error)
	// Ack is POST …/ack; it returns the state after it.
	Ack(ctx context.Context, clientID string, a Ack) (protocol.State, error)
	// Message handles one of the client's own messages outside a connection; reply is the broker frame to answer with, nil for none.
	// Where m.Type makes no sense without a connection the error is bad_request.
	Message(ctx context.Context, clientID string, m protocol.Message) (reply []byte, err error)
	State(ctx context.Context, clientID string) (protocol.State, error)
	// List returns up to limit clients with an id greater than cursor, in byte order of their ids.
	List(ctx context.Context, cursor string, limit int) (protocol.List, error)
	Delete(ctx context.Context, clientID string) error
	// PutSnapshot stores data, one compact JSON value as protocol.ParseSnapshotData returns it, as the client's snapshot as of asOf (P-9), in the place
	// of an earlier one; it creates the client where there is none. The registry owns data from now on. The error is epoch_mismatch where asOf is of
	// another epoch than the outbox's, conflict where it is below the floor, above the head, or below what is stored. The result needs no Data.
	PutSnapshot(ctx context.Context, clientID string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error)
	// Snapshot returns the stored snapshot; not_found where there is no such client, or no snapshot of it.
	Snapshot(ctx context.Context, clientID string) (protocol.StoredSnapshot, error)
	// DeleteSnapshot forgets it; not_found as in Snapshot.
	DeleteSnapshot(ctx context.Context, clientID string) error
	Sweep(ctx context.Context) (protocol.Sweep, error)
	// Ready returns nil when the broker can serve, else the reason: draining, recovering, or a failed store.
	Ready() error
}

// Attach is one request to read a client's outbox.
type Attach struct {
	// ConnectionID is the UUID that hello shows. Transport names the kind, "websocket".
	ConnectionID string
	Transport    string
	// Since is the reader's cursor; nil for none (P-7).
	Since *protocol.Cursor
	// Takeover makes this attachment the only one (P-15).
	Takeover bool
	// PingInterval and PongTimeout are announced in hello (P-6).
	PingInterval, PongTimeout time.Duration
	// MaySubscribe says whether the credential may subscribe to a topic or pattern; nil allows everything. It is asked of what the client
	// has subscribed to already: what is not allowed any more ends (P-25). It must not block.
	MaySubscribe func(topic string) bool
}

// Publish is one call's frames for one client.
type Publish struct {
	// Bodies are validated (protocol.ParseBody), at least one. The registry owns them from now on.
	Bodies []protocol.Body
	// Credential and Key identify a repeat (P-18); Key "" for none.
	Credential, Key string
	// Wait is protocol.StatusStored, StatusSent or StatusAcked; Timeout bounds the wait for the latter two.
	Wait    string
	Timeout time.Duration
}

// Read is one GET …/frames. Limit is 1 to MaxPageFrames; Wait 0 for none.
type Read struct {
	Since *protocol.Cursor
	Limit int
	Wait  time.Duration
}

// Ack is one POST …/ack.
type Ack struct {
	Cursor       protocol.Cursor
	ConnectionID string
}

// Peer is a connection as the client actor sees it. Every method is called from the client's turn, never blocks and
// never calls back into the Link on the same stack. After Refused, or after the Link's Gone was called, calls are ignored.
type Peer interface {
	// Attached hands over the Link; it comes once, before any Write. Until then the connection passes no message on.
	Attached(l Link)
	// Refused ends an attach that did not come to be: first is the error or goaway to send, then the close.
	Refused(first protocol.Piece, code protocol.CloseCode)
	// Write hands over one batch; at most one is under way, ended by exactly one Written, or by Gone. written: it has been written already, and no
	// Written comes. The slice belongs to the connection until then, and to the client actor afterwards; bodies are shared and immutable.
	Write(batch []protocol.Piece) (written bool)
	// Close ends the connection with one close frame, after the batch under way. It may come at any time, more than once: the first counts.
	Close(code protocol.CloseCode)
	// Pause stops (true) or lets go on (false) the reading of the socket (P-27).
	Pause(stop bool)
	// Handled says that n of the messages given to Link.Message have been dealt with, so that the connection can bound how many wait.
	Handled(n int)
}

// Link is the client actor as its connection sees it, for exactly one attach; it drops what comes from a connection that it no longer knows.
// No method blocks.
type Link interface {
	// Message passes on one message of the client, or the error that it was refused with.
	Message(m protocol.Message, err *protocol.Error)
	// PingDue asks for a JSON ping; the client actor knows the head (P-16).
	PingDue()
	// Written says that the whole batch is with the kernel, or in the reader's hands.
	Written()
	// Gone is the connection's last word.
	Gone(how Gone)
}

// Gone says how a connection ended: it decides whether its place is held (P-11).
type Gone uint8

const (
	// GoneLost is any end that is not the client's own: its place is held for the resume window.
	GoneLost Gone = iota
	// GoneLeft is a close by the client with 1000 or 1001: its place is given up.
	GoneLeft
)

// Verb is what a call wants to do with a name (P-25).
type Verb string

// The verbs that a Grant is asked about; the name is a client_id, or "" where a call concerns no single one.
const (
	VerbAttach    Verb = "attach"    // open a connection to the client's outbox
	VerbRead      Verb = "read"      // GET …/frames, GET state
	VerbAck       Verb = "ack"       // POST …/ack
	VerbMessage   Verb = "message"   // POST …/messages, speaking as the client
	VerbSend      Verb = "send"      // name is the target
	VerbPublish   Verb = "publish"   // name is the target
	VerbSubscribe Verb = "subscribe" // name is a topic or a pattern, as it is subscribed to
	VerbDelete    Verb = "delete"
	VerbSnapshot  Verb = "snapshot"
	VerbList      Verb = "list"
	VerbBroadcast Verb = "broadcast"
	VerbSweep     Verb = "sweep"
	VerbMetrics   Verb = "metrics"
)

// The verbs that concern a topic, which is the name; "" where a call concerns no single one. A client and a topic may have the same name, and a right to one is
// none to the other: so they have verbs of their own.
const (
	VerbReadTopic     Verb = "read_topic"    // its log, its state and followers, its snapshot
	VerbPublishTopic  Verb = "publish_topic" // to its log, and to close it
	VerbDeleteTopic   Verb = "delete_topic"
	VerbTopicSnapshot Verb = "topic_snapshot" // to store one or forget it
	VerbListTopics    Verb = "list_topics"
)

// Grant is what one credential may do. It is asked before anything is created, woken or taken over (P-25).
type Grant struct {
	// Allow says whether the credential may do verb with name; nil allows everything. It must be safe for concurrent use and must not block.
	Allow func(verb Verb, name string) bool
	// Expires is when a connection opened with it is closed with 4401; zero for never.
	Expires time.Time
	// Credential names the credential, for idempotency keys (P-18) and for the log. Never the secret itself.
	Credential string
}

// maySubscribe is the Grant's right to subscribe, nil where it allows everything.
func (g Grant) maySubscribe() func(topic string) bool {
	if g.Allow == nil {
		return nil
	}
	return func(topic string) bool { return g.Allow(VerbSubscribe, topic) }
}

// Allows reports whether g lets its holder do verb with name.
func (g Grant) Allows(verb Verb, name string) bool { return g.Allow == nil || g.Allow(verb, name) }
