package transport

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Everything that reaches a connection's mailbox is in this file, beside the calls that put it there. What the socket's
// reader and the deadlines send is bounded: each event waits at most once or twice at a time.

// event is a message without content. A value of one byte costs no allocation.
type event uint8

const (
	evStart    event = iota // by serveWS: the connection may begin
	evBegun                 // by the reader, or whoever starts it: a message has begun and not ended
	evPassed                // by the reader: it has passed on its last message
	evReadEnd               // by the reader: it has ended, and the socket gives no more
	evFlush                 // by the reader: conn.pong was empty and is set; by Write, in the turn, and serveWS: there is something to write
	evWritten               // by the writer: out is written, or out.err says why not
	evWritable              // by the poller: the socket takes more
	evClosed                // by the goroutine that closes a socket whose Close may wait
	evDue                   // by the keepalive actor
	evAbort                 // by Handler.CloseAll
)

type (
	msgAttached struct{ link Link }
	msgRefused  struct {
		first protocol.Piece
		code  protocol.CloseCode
	}
	msgWrite struct{ batch []protocol.Piece }
	msgClose struct{ code protocol.CloseCode }
	// msgPeerClosed is sent by the reader as its last word, as are faults (*fault) when they occur.
	msgPeerClosed struct{ code protocol.CloseCode }
)

// Attached is part of Peer.
func (c *conn) Attached(l Link) {
	if !c.Do(c, msgAttached{l}) {
		go l.Gone(GoneLost) // not on the client's stack
	}
}

// Refused is part of Peer.
func (c *conn) Refused(first protocol.Piece, code protocol.CloseCode) {
	c.Tell(c, msgRefused{first, code})
}

// Write is part of Peer. Where nothing else is going on the caller's goroutine writes: a wake-up costs as much as a small write.
func (c *conn) Write(batch []protocol.Piece) (written bool) {
	if !c.Enter() {
		c.Tell(c, msgWrite{batch})
		return false
	}
	c.direct = true
	if c.phase == connOpen && c.batch == nil && len(batch) > 0 {
		c.batch = batch
		c.Run(c, evFlush)
	} else {
		c.Run(c, msgWrite{batch})
	}
	written = c.wrote
	c.direct, c.wrote = false, false
	c.Leave(c)
	return written
}

// Close is part of Peer.
func (c *conn) Close(code protocol.CloseCode) { c.Tell(c, msgClose{code}) }

// Pause is part of Peer. It goes past the mailbox: the reader is to stop even while a turn is under way.
func (c *conn) Pause(stop bool) {
	if c.gate.pause(stop) {
		c.goOn()
	}
}

// Handled is part of Peer. It goes past the mailbox as Pause does.
func (c *conn) Handled(n int) {
	if c.gate.handled(n) {
		c.goOn()
	}
}

// Due is part of actors.Timed.
func (c *conn) Due(time.Duration) { c.Tell(c, evDue) }
