package protocol

import (
	"errors"
	"fmt"
)

// Code names what was wrong with a call or a message (P-20). The table in this file is the only list of them.
type Code string

// The error codes of P-20.
const (
	CodeBadJSON             Code = "bad_json"
	CodeBadFrame            Code = "bad_frame"
	CodeBadCursor           Code = "bad_cursor"
	CodeBadRequest          Code = "bad_request"
	CodeUnknownType         Code = "unknown_type"
	CodeAckAhead            Code = "ack_ahead"
	CodeTooLarge            Code = "too_large"
	CodeIDReused            Code = "id_reused"
	CodeUnauthorized        Code = "unauthorized"
	CodeTokenExpired        Code = "token_expired"
	CodeForbidden           Code = "forbidden"
	CodeNotFound            Code = "not_found"
	CodeConflict            Code = "conflict"
	CodeEpochMismatch       Code = "epoch_mismatch"
	CodeRateLimited         Code = "rate_limited"
	CodeTooManyConnections  Code = "too_many_connections"
	CodeSnapshotUnavailable Code = "snapshot_unavailable"
	CodeOverloaded          Code = "overloaded"
	CodeDraining            Code = "draining"
	CodeInternal            Code = "internal"
)

// CodeInfo is one row of the table of error codes.
type CodeInfo struct {
	// Status is the HTTP status that carries the code (P-29).
	Status int
	// Counts says whether the code counts towards the 20 violations of P-20.
	Counts bool
	// Retry says whether a library repeats a send that was answered so (P-30).
	Retry bool
	// Close is the code that closes a connection whose attach was refused so; 0 where no attach is refused with it (P-22).
	Close CloseCode
}

var codeTable = map[Code]CodeInfo{
	CodeBadJSON:             {Status: 400, Counts: true},
	CodeBadFrame:            {Status: 400, Counts: true},
	CodeBadCursor:           {Status: 400, Counts: true, Close: CloseBadRequest},
	CodeBadRequest:          {Status: 400, Close: CloseBadRequest},
	CodeUnknownType:         {Status: 400, Counts: true},
	CodeAckAhead:            {Status: 409, Counts: true},
	CodeTooLarge:            {Status: 413},
	CodeIDReused:            {Status: 422},
	CodeUnauthorized:        {Status: 401, Close: CloseUnauthorized},
	CodeTokenExpired:        {Status: 401, Close: CloseTokenExpired},
	CodeForbidden:           {Status: 403, Close: CloseUnauthorized},
	CodeNotFound:            {Status: 404},
	CodeConflict:            {Status: 409},
	CodeEpochMismatch:       {Status: 409},
	CodeRateLimited:         {Status: 429, Retry: true, Close: CloseOverloaded},
	CodeTooManyConnections:  {Status: 429, Close: CloseTooManyConnections},
	CodeSnapshotUnavailable: {Status: 503},
	CodeOverloaded:          {Status: 503, Retry: true, Close: CloseOverloaded},
	CodeDraining:            {Status: 503, Retry: true, Close: CloseDraining},
	CodeInternal:            {Status: 500, Retry: true, Close: CloseOverloaded},
}

// Info returns c's row of the table; an unknown code reads as internal.
func (c Code) Info() CodeInfo {
	if i, ok := codeTable[c]; ok {
		return i
	}
	return codeTable[CodeInternal]
}

// Codes returns every error code, in no order. The caller owns the slice.
func Codes() []Code {
	all := make([]Code, 0, len(codeTable))
	for c := range codeTable {
		all = append(all, c)
	}
	return all
}

// Error is a refusal with a code. Every error of this package is one, and so is every error that a caller of the
// broker is meant to act upon.
type Error struct {
	Code    Code
	Message string
	// ID is the id of the message that was refused, if it had a readable one.
	ID string
	// Topic is what a subscribe or unsubscribe that was refused was about, "" elsewhere (P-19).
	Topic string
	// Line is the 1-based line of an NDJSON body that was refused; 0 elsewhere.
	Line int
	// RetryAfterMS is how long to stay away, in milliseconds; 0 where nothing is said.
	RetryAfterMS int64
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", e.Code, e.Line, e.Message)
	}
	return string(e.Code) + ": " + e.Message
}

// Errorf makes an Error with a formatted message.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// AsError returns err as an *Error: itself if it wraps one, else an internal one that carries its text. nil gives nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}

// CloseCode is a WebSocket close code (P-22).
type CloseCode uint16

// The close codes of P-22, and those of RFC 6455 that the broker sends.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupported        CloseCode = 1003
	CloseNoStatus           CloseCode = 1005 // never on the wire
	CloseAbnormal           CloseCode = 1006 // never on the wire
	CloseBadUTF8            CloseCode = 1007
	CloseTooLarge           CloseCode = 1009
	CloseHeartbeatTimeout   CloseCode = 4000
	CloseSlowConsumer       CloseCode = 4001
	CloseDraining           CloseCode = 4002
	CloseClientRestarted    CloseCode = 4003
	CloseOverloaded         CloseCode = 4004
	CloseTokenExpired       CloseCode = 4401
	CloseReplaced           CloseCode = 4500
	CloseBadRequest         CloseCode = 4501
	CloseUnauthorized       CloseCode = 4503
	CloseClientDeleted      CloseCode = 4504
	CloseProtocolViolation  CloseCode = 4508
	CloseTooManyConnections CloseCode = 4509
)

var closeNames = map[CloseCode]string{
	CloseNormal: "normal", CloseGoingAway: "draining", CloseProtocolError: "protocol_error", CloseUnsupported: "unsupported",
	CloseBadUTF8: "bad_utf8", CloseTooLarge: "too_large",
	CloseHeartbeatTimeout: "heartbeat_timeout", CloseSlowConsumer: "slow_consumer", CloseDraining: "draining",
	CloseClientRestarted: "client_restarted", CloseOverloaded: "overloaded", CloseTokenExpired: "token_expired",
	CloseReplaced: "replaced", CloseBadRequest: "bad_request", CloseUnauthorized: "unauthorized",
	CloseClientDeleted: "client_deleted", CloseProtocolViolation: "protocol_violation", CloseTooManyConnections: "too_many_connections",
}

// Name returns the code's name in P-22, which is also the reason text of the close frame; "unknown" for a code not in the table.
func (c CloseCode) Name() string {
	if n, ok := closeNames[c]; ok {
		return n
	}
	return "unknown"
}

// Stops reports the verdict of P-22 by the code's range alone: from 4500 on a client stops for good, below it comes back.
// 0 stands for a connection that ended without a code.
func (c CloseCode) Stops() bool { return c >= 4500 }

// CloseCodes returns every close code that the broker sends, in no order. The caller owns the slice.
func CloseCodes() []CloseCode {
	all := make([]CloseCode, 0, len(closeNames))
	for c := range closeNames {
		all = append(all, c)
	}
	return all
}
