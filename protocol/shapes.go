package protocol

import "encoding/json"

// Resume says what an attach or a read came to (P-7).
type Resume string

// The four outcomes of P-7.
const (
	ResumeFresh    Resume = "fresh"
	ResumeUpToDate Resume = "up_to_date"
	ResumeReplay   Resume = "replay"
	ResumeTooOld   Resume = "too_old"
)

// Reason says why a resume is too_old (P-7).
type Reason string

// The reasons of P-7.
const (
	ReasonEpoch  Reason = "epoch"
	ReasonAhead  Reason = "ahead"
	ReasonPruned Reason = "pruned"
)

// Hello is the first frame of every accepted attach (P-6). Type is set by its encoder.
type Hello struct {
	Type            string  `json:"type"`
	ClientID        string  `json:"client_id"`
	ConnectionID    string  `json:"connection_id"`
	Epoch           string  `json:"epoch"`
	Resume          Resume  `json:"resume"`
	Reason          Reason  `json:"reason,omitempty"`
	Floor           uint64  `json:"floor"`
	Head            uint64  `json:"head"`
	Missed          *uint64 `json:"missed,omitempty"`
	Lost            *uint64 `json:"lost,omitempty"`
	Snapshot        bool    `json:"snapshot"`
	PingIntervalMS  int64   `json:"ping_interval_ms"`
	PongTimeoutMS   int64   `json:"pong_timeout_ms"`
	AckIntervalMS   int64   `json:"ack_interval_ms"`
	MaxFrameBytes   int     `json:"max_frame_bytes"`
	MaxMessageBytes int     `json:"max_message_bytes"`
}

// ReplayEnd follows the frames of a replay (P-8).
type ReplayEnd struct {
	Type string `json:"type"`
	Seq  uint64 `json:"seq"`
}

// Snapshot is the application's own summary as of one seq (P-9); with a Topic, of that topic as of one topic_seq (P-19).
type Snapshot struct {
	Type  string          `json:"type"`
	Topic string          `json:"topic,omitempty"`
	AsOf  uint64          `json:"as_of"`
	Data  json.RawMessage `json:"data"`
}

// Ping is the server's heartbeat; Head is for display (P-16).
type Ping struct {
	Type string `json:"type"`
	Head uint64 `json:"head"`
}

// Goaway asks a client to come back later (P-23).
type Goaway struct {
	Type         string `json:"type"`
	RetryAfterMS int64  `json:"retry_after_ms"`
}

// Receipt answers a send once its frame is confirmed (P-18). Status is StatusStored or StatusDuplicate.
type Receipt struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Status string `json:"status"`
	Epoch  string `json:"epoch"`
	Seq    uint64 `json:"seq"`
}

// Levels and statuses of receipts and publish answers.
const (
	StatusStored    = "stored"
	StatusDuplicate = "duplicate"
	StatusSent      = "sent"
	StatusAcked     = "acked"
)

// Why a publish was answered before the level that it waited for (the HTTP table).
const (
	ShortPruned   = "pruned"
	ShortGone     = "gone"
	ShortDraining = "draining"
	ShortTimeout  = "timeout"
	// ShortOverloaded: as many publishers wait on the client as may.
	ShortOverloaded = "overloaded"
)

// Published answers a publish. Status is the level reached: stored, sent or acked. Reason is set where the call waited
// for more and was answered before it (pruned, gone, draining, timeout).
type Published struct {
	ClientID  string `json:"client_id"`
	Epoch     string `json:"epoch"`
	FirstSeq  uint64 `json:"first_seq"`
	Seq       uint64 `json:"seq"`
	Status    string `json:"status"`
	Reason    string `json:"reason,omitempty"`
	Duplicate bool   `json:"duplicate"`
}

// Page answers GET …/frames. Frames hold each frame as it would be sent on a socket.
type Page struct {
	Resume   Resume            `json:"resume"`
	Reason   Reason            `json:"reason,omitempty"`
	Epoch    string            `json:"epoch"`
	Floor    uint64            `json:"floor"`
	Head     uint64            `json:"head"`
	Snapshot json.RawMessage   `json:"snapshot,omitempty"`
	Frames   []json.RawMessage `json:"frames"`
	Cursor   string            `json:"cursor"`
	More     bool              `json:"more"`
}

// State describes one client. LastSeenMS is wall-clock milliseconds since the Unix epoch.
type State struct {
	ClientID    string `json:"client_id"`
	Epoch       string `json:"epoch"`
	Floor       uint64 `json:"floor"`
	Head        uint64 `json:"head"`
	Acked       uint64 `json:"acked"`
	Bytes       int64  `json:"bytes"`
	Frames      uint64 `json:"frames"`
	Connections int    `json:"connections"`
	Places      int    `json:"places"`
	LastSeen    string `json:"last_seen"`
	// Subscriptions are what the client has subscribed to, in byte order; for one client only (P-19).
	Subscriptions []string     `json:"subscriptions,omitempty"`
	Attachments   []Attachment `json:"attachments,omitempty"`
}

// Attachment describes one connection of a client: what it came with, and how far it is.
type Attachment struct {
	ConnectionID string `json:"connection_id"`
	Transport    string `json:"transport"`
	Cursor       uint64 `json:"cursor"`
	Acked        uint64 `json:"acked"`
	Since        string `json:"since,omitempty"`
	Resume       Resume `json:"resume"`
}

// List is one page of clients. Cursor is "" on the last one.
type List struct {
	Clients []State `json:"clients"`
	Cursor  string  `json:"cursor"`
}

// AckRequest is the body of POST …/ack.
type AckRequest struct {
	Cursor       string `json:"cursor"`
	ConnectionID string `json:"connection_id,omitempty"`
}

// Sweep reports what one sweep of the janitor did. Pruned counts frames that had passed the age bound.
type Sweep struct {
	Reaped  int   `json:"reaped"`
	Kept    int   `json:"kept"`
	Pruned  int   `json:"pruned"`
	TookMS  int64 `json:"took_ms"`
	Clients int   `json:"clients"`
}

// Problem is an error over HTTP, application/problem+json (RFC 9457, P-29).
type Problem struct {
	Type         string `json:"type"`
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Code         Code   `json:"code"`
	Detail       string `json:"detail,omitempty"`
	ID           string `json:"id,omitempty"`
	Topic        string `json:"topic,omitempty"`
	Line         int    `json:"line,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

// StoredSnapshot is the client's state as the application has stored it (P-9): GET …/snapshot, and without its data the answer to PUT.
type StoredSnapshot struct {
	ClientID string `json:"client_id,omitempty"`
	// Topic is set instead of ClientID where the state is a topic's (P-19).
	Topic string `json:"topic,omitempty"`
	// AsOf is the cursor of the last frame that Data contains.
	AsOf string          `json:"as_of"`
	Data json.RawMessage `json:"data,omitempty"`
}
