package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// ErrGoexit is the reason given to Owner.Failed when runtime.Goexit ended the goroutine that ran Receive.
var ErrGoexit = errors.New("actors: the goroutine was ended inside Receive")

// Supervised is an Owner whose failures its System counts, logs and puts to the supervision strategy. The failures of an
// Owner that is not Supervised are recovered, logged by slog.Default and told to Failed.
type Supervised interface {
	Owner
	// System returns the system that the owner lives in.
	System() *System
	// Name returns the address and id that the owner is found under (see System.Resolve). It must be safe to call at any time.
	Name() (address, id string)
}

// receive hands msg to o, and sees to it that the mailbox goes on whatever Receive does.
func (m *Mailbox) receive(o Owner, msg any) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if reason := recover(); reason != nil {
			told := false
			defer func() {
				if !told { // Failed ended this goroutine
					go m.resume(o)
				}
			}()
			m.failed(o, msg, reason, debug.Stack())
			told = true
			return
		}
		// runtime.Goexit: this goroutine ends, so another one takes over the turn, with the mailbox still held.
		go m.takeOver(o, msg, ErrGoexit, debug.Stack())
	}()
	o.Receive(msg)
	returned = true
}

// takeOver goes on with a turn that failed while it handled msg, on another goroutine.
func (m *Mailbox) takeOver(o Owner, msg, reason any, stack []byte) {
	defer func() { go m.resume(o) }() // deferred, since Failed may end this goroutine too
	m.failed(o, msg, reason, stack)
}

// resume goes on with a turn that lost its goroutine between two messages.
func (m *Mailbox) resume(o Owner) {
	if msg, ok := m.next(); ok {
		m.turn(o, msg, turnBudget)
	}
}

// failed counts and logs a failure, lets the supervision strategy decide, and tells the owner. Nothing that these do may
// end the turn, so a panic in any of them is only counted and logged.
func (m *Mailbox) failed(o Owner, msg, reason any, stack []byte) {
	s, supervised := o.(Supervised)
	if !supervised {
		logFailure(slog.Default(), "", fmt.Sprintf("%T", o), msg, reason, stack)
	} else {
		guard(s, "supervision", func() {
			address, id := s.Name()
			s.System().counters.Panics.Add(1)
			logFailure(s.System().logger, address, id, msg, reason, stack)
			s.System().supervise(m, s, address, id, msg, reason)
		})
	}
	guard(o, "Failed", func() { o.Failed(msg, reason) })
}

// guard runs f for o and keeps its panic from the caller.
func guard(o Owner, where string, f func()) {
	defer func() {
		if reason := recover(); reason != nil {
			logger := slog.Default()
			if s, ok := o.(Supervised); ok {
				logger = s.System().logger
				s.System().counters.Panics.Add(1)
			}
			logger.Error("actor failed again while its failure was handled", "in", where,
				"owner", fmt.Sprintf("%T", o), "reason", reason, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// logFailure logs one failure. Of the message it shows the type only: the content is the application's.
func logFailure(l *slog.Logger, address, id string, msg, reason any, stack []byte) {
	l.Error("actor failed; its state is kept", "address", address, "id", id,
		"message", fmt.Sprintf("%T", msg), "reason", reason, "stack", string(stack))
}
