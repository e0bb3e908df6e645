package transport

import (
	"context"
	"log/slog"

	"github.com/restante/restante/protocol"
)

// close decides that the connection ends with code; the first call counts. What is under way is written first. No message
// is passed on from here on.
func (c *conn) close(code protocol.CloseCode) {
	if c.phase >= connClosing {
		return
	}
	c.phase, c.code = connClosing, code
	c.closeAt = c.h.sys.Now()
	if !c.dead {
		c.closeBy = c.closeAt + closeWrite
	}
	wake, passing := c.gate.close()
	c.passing = passing
	if wake {
		c.goOn()
	}
	c.flush()
	c.schedule()
}

// closeWritten goes on after our close frame is with the kernel: nothing more is written. The peer's answer is waited for, unless
// it is here already or could not be recognized.
func (c *conn) closeWritten() {
	c.closeSent = true
	c.closeBy = c.h.sys.Now() + closeTimeout
	switch {
	case c.peerClosed, c.readOver, c.hurry:
		c.finish(false)
	case c.streamLost:
		// Closing with bytes unread would reset the connection, and our close frame might not arrive.
		if err := c.sock.closeWrite(); err != nil {
			c.finish(false)
		}
	}
	c.sayGone()
}

// fault ends the connection of a peer that broke a rule of the framing.
func (c *conn) fault(f *fault) {
	c.streamLost = c.streamLost || f.lost
	c.h.log.Debug("a connection broke a rule", "connection_id", c.id, "rule", f.why)
	if c.closeSent && f.lost {
		c.finish(false)
	}
	c.close(f.code)
}

// closedByPeer answers the peer's close frame, with its code, or ends the handshake if ours went first.
func (c *conn) closedByPeer(code protocol.CloseCode) {
	c.peerClosed, c.readOver = true, true
	if left := code == protocol.CloseNormal || code == protocol.CloseGoingAway; left && !c.outClose && !c.closeSent && c.phase != connDone {
		c.how = GoneLeft // not where it may be an answer: some libraries answer every close with 1000
	}
	switch {
	case c.closeSent, c.dead:
		c.finish(false)
	case c.phase < connClosing:
		if code == protocol.CloseNoStatus {
			code = protocol.CloseNormal
		}
		c.byPeer = true
		c.close(code)
	}
}

// readEnded ends a connection whose socket gives no more: without a close frame of the peer's it is lost, half-closed or not.
func (c *conn) readEnded() {
	c.readOver = true
	c.finish(false)
}

// abort ends the connection at once: with 1001 if nothing is in its way, else by reset. What is no bare socket gets a moment
// for the close frame.
func (c *conn) abort() {
	c.hurry = true
	c.close(protocol.CloseGoingAway)
	switch {
	case c.closeSent:
		c.finish(false)
	case !c.outClose || c.sock.bare():
		c.finish(true)
	default:
		c.closeBy = min(c.closeBy, c.h.sys.Now()+closeStall)
		c.schedule()
	}
}

// finish closes the socket; reset: what the kernel still has for the peer is thrown away.
func (c *conn) finish(reset bool) {
	if c.phase == connDone {
		return
	}
	c.phase = connDone
	if !c.gate.finish() {
		c.readOver = true
	}
	name := c.code.Name()
	if c.byPeer && c.how == GoneLeft {
		name = protocol.CloseNormal.Name() // also for its 1001, which is a page that was left, and no draining
	}
	c.h.sys.Counters().Closed.Add(name)
	level := slog.LevelDebug
	if c.code == protocol.CloseSlowConsumer {
		level = slog.LevelInfo // somebody's reader does not keep up: worth a line where all else is in the counters
	}
	c.h.log.Log(context.Background(), level, "a connection has ended", "connection_id", c.id, "code", uint16(c.code), "name", name, "reset", reset)
	c.closer = c.sock.close(reset)
	if !c.lent {
		c.writing, c.retryAt = false, 0
		c.settle()
	}
	c.sayGone()
}

// sayGone says the last word to the client, once: when nothing more of this connection reaches it.
func (c *conn) sayGone() {
	if c.goneSaid || c.link == nil || c.writing || c.passing || c.phase != connDone && !c.closeSent {
		return
	}
	c.goneSaid = true
	c.link.Gone(c.how)
}

// leave takes c out of the world once nothing of it runs any more. Whatever is told to it afterwards is refused by its mailbox.
func (c *conn) leave() {
	if c.phase != connDone || !c.readOver || c.writing || c.passing || c.closer {
		return
	}
	for _, msg := range c.Mailbox.Close() {
		switch m := msg.(type) {
		case msgAttached:
			if c.link == nil {
				m.link.Gone(GoneLost)
			}
		case msgWrite:
			c.unsent(m.batch)
		}
	}
	// Deadlines that are still registered keep c itself alive for a while, but nothing else.
	c.link, c.sock, c.allow, c.rest, c.parser = nil, nil, nil, nil, parser{}
	c.h.conns.remove(c)
}
