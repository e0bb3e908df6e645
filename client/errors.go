package client

import (
	"errors"
	"fmt"

	"github.com/restante/restante/protocol"
)

var (
	// ErrClosed is returned by Next and Send once the client has ended, by Close, by the end of Run's ctx, or by a verdict.
	ErrClosed = errors.New("client: closed")
	// ErrRunning is returned by a second Run.
	ErrRunning = errors.New("client: Run has been called before")
	// ErrUnknown ends a send that has had no answer for 24 h: the broker may have stored its frame or not (P-30).
	ErrUnknown = errors.New("client: the send had no answer for 24 h, whether it was stored is unknown")
	// ErrTooManySends refuses a Send while Config.MaxPending of them have no receipt.
	ErrTooManySends = errors.New("client: too many sends wait for their receipts")
	// ErrTooManySubscriptions refuses a Subscribe or an Unsubscribe while the client has Config.MaxSubscriptions.
	ErrTooManySubscriptions = errors.New("client: too many subscriptions")
	// ErrUnsubscribed ends a Subscribe whose subscription was ended, by Unsubscribe or by the topic's end, before the broker had answered.
	ErrUnsubscribed = errors.New("client: the subscription was ended before it was answered")
	// errSilence ends a connection on which the server was silent for too long (P-17).
	errSilence = errors.New("client: the server was silent for too long")
)

// StoppedError is what Run returns when the broker's close code told the client not to come back (P-22).
type StoppedError struct {
	Code protocol.CloseCode
	// Reason is the error that the broker sent before it closed; nil if it sent none.
	Reason *protocol.Error
}

func (e *StoppedError) Error() string {
	s := fmt.Sprintf("client: stopped by the broker with %d %s", e.Code, e.Code.Name())
	if e.Reason != nil {
		s += ": " + e.Reason.Error()
	}
	return s
}

// Unwrap returns the broker's error.
func (e *StoppedError) Unwrap() error {
	if e.Reason == nil {
		return nil
	}
	return e.Reason
}

// HandlerError is a frame whose handler failed. The frame counts as applied.
type HandlerError struct {
	Frame Frame
	Err   error
}

func (e *HandlerError) Error() string {
	return fmt.Sprintf("client: the handler failed at frame %d (%s): %v", e.Frame.Seq, e.Frame.Type, e.Err)
}

// Unwrap returns the handler's error.
func (e *HandlerError) Unwrap() error { return e.Err }

// SnapshotError is a snapshot at which OnSnapshot, or with a Topic OnTopicSnapshot, failed. It counts as applied.
type SnapshotError struct {
	Topic string
	AsOf  uint64
	Err   error
}

func (e *SnapshotError) Error() string {
	if e.Topic != "" {
		return fmt.Sprintf("client: OnTopicSnapshot failed at the snapshot of %s as of %d: %v", e.Topic, e.AsOf, e.Err)
	}
	return fmt.Sprintf("client: OnSnapshot failed at the snapshot as of %d: %v", e.AsOf, e.Err)
}

// Unwrap returns the callback's error.
func (e *SnapshotError) Unwrap() error { return e.Err }

// fault is what the server did against the contract, and how the connection is closed for it.
type fault struct {
	code protocol.CloseCode
	// over says why the client starts over (P-10); "" where it comes back with its cursor.
	over protocol.Reason
	err  error
}

func (f *fault) Error() string { return f.err.Error() }

func violation(code protocol.Code, format string, args ...any) *fault {
	return &fault{code: protocol.CloseProtocolError, err: protocol.Errorf(code, format, args...)}
}

// hole is a fault after which the client starts over: 1000, then an attach without since.
func hole(format string, args ...any) *fault {
	return &fault{code: protocol.CloseNormal, over: ReasonHole, err: protocol.Errorf(protocol.CodeBadFrame, format, args...)}
}
