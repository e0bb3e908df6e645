package client

import (
	"fmt"
	"time"

	"github.com/restante/restante/protocol"
)

// Phase is what a Client is doing about its connection.
type Phase uint8

// The phases, in the order in which an attach goes through them.
const (
	// Connecting: a connection is being opened.
	Connecting Phase = iota + 1
	// CatchingUp: hello has come, and the frames that were missed are being received.
	CatchingUp
	// Live: everything up to hello's head has been received.
	Live
	// Offline: the connection has ended, or could not be opened.
	Offline
	// Waiting: the next try comes after State.Wait.
	Waiting
	// Stopped: the client does not come back.
	Stopped
)

func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case CatchingUp:
		return "catching_up"
	case Live:
		return "live"
	case Offline:
		return "offline"
	case Waiting:
		return "waiting"
	case Stopped:
		return "stopped"
	}
	return "new"
}

// State describes the connection of a Client.
type State struct {
	Phase Phase
	// Wait is how long a Waiting client waits.
	Wait time.Duration
	// Code is the close code that an Offline or Stopped client was closed with; 0 if there was none (P-22).
	Code protocol.CloseCode
	// Err says why an Offline or Stopped client is so; nil after Close.
	Err error
}

// String is like "waiting(1.2s)", "offline(4001 slow_consumer)" or "live".
func (s State) String() string {
	switch {
	case s.Phase == Waiting:
		return fmt.Sprintf("waiting(%v)", s.Wait.Round(time.Millisecond))
	case s.Code != 0:
		return fmt.Sprintf("%v(%d %s)", s.Phase, s.Code, s.Code.Name())
	}
	return s.Phase.String()
}
