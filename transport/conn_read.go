package transport

import (
	"runtime/debug"
	"slices"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// goOn starts the reader again after the gate has opened. Silence, and the time for a message, count from now.
func (c *conn) goOn() {
	c.hear()
	if c.began.Load() != 0 {
		c.Tell(c, evBegun)
	}
	c.sock.start()
}

// hear notes that the peer lives, or that its time begins anew.
func (c *conn) hear() {
	now := int64(max(c.h.sys.Now(), 1))
	c.heard.Store(now)
	if c.began.Load() != 0 {
		c.began.Store(now)
	}
}

// feedRest feeds what is left over from earlier. It returns false where reading ends for now: the gate stops it, or the reader's last word is said.
func (c *conn) feedRest() (more bool) {
	for !c.gate.stop() {
		if len(c.rest) == 0 {
			c.rest = nil
			return true
		}
		n, ended := c.feed(c.rest)
		if ended {
			return false
		}
		c.rest = c.rest[n:]
	}
	return false
}

// take feeds b, which has come from the socket, and keeps what may not be dealt with yet. ended: the reader's last word is said.
func (c *conn) take(b []byte) (ended bool) {
	n := 0
	if !c.gate.barred() { // as it may have become while nothing came
		n, ended = c.feed(b)
	}
	if n < len(b) && !ended {
		c.rest = slices.Clone(b[n:])
	}
	return ended
}

// readOut is the reader's last word where the socket gives no more.
func (c *conn) readOut() {
	c.gate.end()
	c.Tell(c, evReadEnd)
}

// readFailed keeps a panic of the reader from ending more than its connection.
func (c *conn) readFailed() {
	if reason := recover(); reason != nil {
		c.readPanicked(reason)
	}
}

func (c *conn) readPanicked(reason any) {
	c.h.sys.Counters().Panics.Add(1)
	c.h.log.Error("a connection's reader panicked", "connection_id", c.id, "reason", reason, "stack", string(debug.Stack()))
	c.gate.passed()
	c.gate.end()
	c.Tell(c, evPassed)
	c.Tell(c, evReadEnd)
}

// feed parses b and returns how many bytes of it are dealt with: all, unless no more messages may be passed on for now.
// ended: the reader's last word is said.
func (c *conn) feed(b []byte) (n int, ended bool) {
	now := int64(max(c.h.sys.Now(), 1))
	c.heard.Store(now)
	for {
		k, f := c.parser.Feed(b[n:], c)
		n += k
		if f == nil {
			break
		}
		c.Tell(c, f)
	}
	if c.parser.peerCode != 0 {
		c.gate.end()
		c.Do(c, msgPeerClosed{c.parser.peerCode})
		return n, true
	}
	switch began := c.began.Load(); {
	case c.parser.over || c.parser.idle():
		if began != 0 {
			c.began.Store(0)
		}
	case began == 0:
		c.begun = c.parser.begun
		c.began.Store(now)
		c.Tell(c, evBegun)
	case c.begun != c.parser.begun:
		// An earlier message has ended and this one begun in one go; the deadline of the earlier one looks at began again.
		c.begun = c.parser.begun
		c.began.Store(now)
	}
	return n, false
}

// onText passes one message on to the client. Part of sink.
func (c *conn) onText(b []byte) (more bool) {
	if !c.gate.pass(len(b)) {
		c.onDropped()
		c.parser.discard()
		return true
	}
	m, err := protocol.ParseMessage(b, c.h.cfg.MaxFrameBytes)
	refusal := protocol.AsError(err)
	if refusal == nil {
		refusal = c.forbidden(m)
	}
	if refusal != nil {
		m = protocol.Message{}
	}
	c.link.Message(m, refusal)
	more, told := c.gate.passed()
	if told {
		c.Tell(c, evPassed)
	}
	return more
}

// forbidden asks for the rights that attaching does not include (P-25).
func (c *conn) forbidden(m protocol.Message) *protocol.Error {
	verb, name := VerbSend, m.To
	switch m.Type {
	case protocol.TypeSend:
	case protocol.TypeSubscribe:
		verb, name = VerbSubscribe, m.Topic
	default:
		return nil
	}
	if (Grant{Allow: c.allow}).Allows(verb, name) {
		return nil
	}
	e := protocol.Errorf(protocol.CodeForbidden, "the credential does not allow to %s here", verb)
	e.ID, e.Topic = m.ID, m.Topic
	return e
}

// onPing has the latest ping answered; of those that come while one waits only the last is kept (RFC 6455, 5.5.3). Part of sink.
func (c *conn) onPing(payload []byte) {
	latest := slices.Clone(payload)
	if c.pong.Swap(&latest) == nil {
		c.Tell(c, evFlush)
		return
	}
	c.h.sys.Counters().Dropped[actors.DropPing].Add(1)
}

// onDropped counts input that came after the connection had begun to close. Part of sink.
func (c *conn) onDropped() { c.h.sys.Counters().Dropped[actors.DropInput].Add(1) }
