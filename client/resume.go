package client

import (
	"fmt"
	"time"

	"github.com/restante/restante/protocol"
)

// Reasons of a Reset besides those of P-7.
const (
	// ReasonHole: a frame was missing on a connection (P-10).
	ReasonHole protocol.Reason = "hole"
	// ReasonRefused: the broker refused the cursor as malformed (P-22, 4501).
	ReasonRefused protocol.Reason = "bad_cursor"
	// ReasonFresh: the broker answered with a fresh start although it was shown a cursor.
	ReasonFresh protocol.Reason = "fresh"
)

// Reset tells the application to discard what it has built from frames (P-30).
type Reset struct {
	Reason protocol.Reason
	// Cursor is where the outbox is read from now on.
	Cursor string
	// Snapshot says that OnSnapshot is called next.
	Snapshot bool
}

// ResumeReport says what the attaches since the client was last live have come to. It is given when everything up to the last
// hello's head has been handled.
type ResumeReport struct {
	// Mode is the outcome (P-7): too_old if any of the attaches was, else that of the last.
	Mode protocol.Resume
	// Reason is there for too_old, and for a client that started over.
	Reason protocol.Reason
	// Missed is how many frames the broker counted as missed, those included that have been replayed on connections that
	// broke again.
	Missed uint64
	// Lost is how many of them were no longer retained and are in no snapshot. It is 0 where LostUnknown.
	Lost uint64
	// LostUnknown says that nobody can tell what was lost: the numbering has changed, or the cursor was not of this outbox.
	LostUnknown bool
	// Replayed is how many frames have been handed over while catching up.
	Replayed uint64
	// Snapshot says that a snapshot was handed over.
	Snapshot bool
	// Offline is how long the client had not been live; 0 at its first attach.
	Offline time.Duration
}

// String is a sentence for people, like "caught up on 212 frames, nothing lost".
func (r ResumeReport) String() string {
	got := frames(r.Replayed)
	if r.Snapshot {
		got = "a snapshot and " + got
	}
	switch {
	case r.Reason != "":
		return fmt.Sprintf("started over (%s) with %s, %s", r.Reason, got, r.loss())
	case r.Mode == protocol.ResumeFresh:
		if r.Lost == 0 {
			return "started with " + got
		}
		return fmt.Sprintf("started with %s, %s older than what is kept", got, frames(r.Lost))
	case r.Replayed == 0:
		return "up to date, nothing missed"
	}
	return fmt.Sprintf("caught up on %s, %s", got, r.loss())
}

func (r ResumeReport) loss() string {
	switch {
	case r.LostUnknown:
		return "what was lost is unknown"
	case r.Lost == 0:
		return "nothing lost"
	}
	return frames(r.Lost) + " lost"
}

func frames(n uint64) string {
	if n == 1 {
		return "1 frame"
	}
	return fmt.Sprintf("%d frames", n)
}
