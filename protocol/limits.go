// Package protocol is the wire contract: frames, cursors, codes, limits. It holds no clock, no I/O and no goroutine;
// PROTOCOL.md beside it is the normative text, and rules are quoted by number (P-n).
package protocol

import "time"

// Limits that the wire contract fixes. What an operator may set has "Default" in its name.
const (
	// MaxSeq is the largest seq: 2^53-1, the largest integer that a JavaScript number holds exactly (P-5).
	MaxSeq = 1<<53 - 1
	// MaxClientIDBytes bounds a client_id (P-4).
	MaxClientIDBytes = 128
	// MaxEpochBytes bounds an epoch.
	MaxEpochBytes = 32
	// MaxSendIDChars bounds the id of a send and an Idempotency-Key, in Unicode code points (P-18).
	MaxSendIDChars = 128
	// MaxDepth is how deep a published body may nest; the body itself is depth 1 (P-2).
	MaxDepth = 64
	// MessageSlack is how much longer than max_frame_bytes a message may be, in either direction (P-20).
	MessageSlack = 4 << 10
	// FrameOverhead is what a retained frame costs besides its body, in bytes, in the accounting of P-13.
	FrameOverhead = 64
	// BatchBytes is the most that one batch to a reader holds, unless a single frame is larger.
	BatchBytes = 64 << 10

	// DefaultMaxFrameBytes bounds a published body as published (P-2).
	DefaultMaxFrameBytes = 64 << 10
	// DefaultMaxMessageBytes bounds a snapshot message (P-20).
	DefaultMaxMessageBytes = 1 << 20

	// MaxReplies and MaxReplyBytes bound the replies that wait on one connection; at either the server stops reading it (P-27).
	MaxReplies    = 64
	MaxReplyBytes = 64 << 10

	// MaxViolations within ViolationWindow end a connection with 4508 (P-20).
	MaxViolations   = 20
	ViolationWindow = 10 * time.Second

	// AckFrames and AckBytes applied since the last ack call for one at once (P-12).
	AckFrames = 500
	AckBytes  = 256 << 10

	// MaxPageFrames and MaxPageBytes bound one answer of GET …/frames.
	MaxPageFrames = 1000
	MaxPageBytes  = 1 << 20
	// MaxWait is the longest wait of a long-poll or of a publish (the HTTP table).
	MaxWait = 60 * time.Second
	// DefaultPublishTimeout is how long a publish with wait=sent or acked waits (the HTTP table).
	DefaultPublishTimeout = 30 * time.Second

	// MinPing and MaxPing bound the interval that a client may ask for with ping=SECONDS (P-16).
	MinPing = 25 * time.Second
	MaxPing = 300 * time.Second

	// MaxGoaway is the largest retry_after_ms of a goaway (P-23).
	MaxGoaway = 30 * time.Second
)

// Subprotocol is the WebSocket subprotocol that the server echoes where a client offers it.
const Subprotocol = "restante.v1"
