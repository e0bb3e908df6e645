package transport

import (
	"math/rand/v2"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// A connection has no timer: it has one entry in the keepalive actor's wheel, for the earliest of its deadlines. When that is due
// the connection looks at all of them, does what is to be done, and registers the next. Deadlines that move on with every byte (silence, a
// message's end) so cost nothing until they could have passed.

// firstPing returns when a new connection's first ping is due: spread over the interval, so that ten thousand do not tick at once (P-16).
func firstPing(interval time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(interval))) + 1
}

// schedule registers the next deadline, unless an earlier one is.
func (c *conn) schedule() {
	next := c.next()
	if next == 0 || c.armed != 0 && c.armed <= next {
		return
	}
	c.armed = next
	c.h.sys.At(c, next)
}

// next returns the earliest deadline, 0 for none.
func (c *conn) next() time.Duration {
	var next time.Duration
	for _, d := range [...]time.Duration{c.attachDue(), c.pingDue(), c.silenceDue(), c.messageDue(), c.expiryDue(), c.closeDue(), c.retryAt} {
		if d != 0 && (next == 0 || d < next) {
			next = d
		}
	}
	return next
}

func (c *conn) attachDue() time.Duration {
	if c.phase != connOpening {
		return 0
	}
	return c.attachBy
}

func (c *conn) pingDue() time.Duration {
	if c.phase != connOpen {
		return 0
	}
	return c.pingAt
}

// silenceDue is when the peer will have been silent for too long (P-17). While we do not read it cannot be blamed for it.
func (c *conn) silenceDue() time.Duration {
	if c.phase != connOpen || c.interval <= 0 || c.h.cfg.PongTimeout <= 0 || !c.gate.reading() {
		return 0
	}
	return time.Duration(c.heard.Load()) + c.interval + c.h.cfg.PongTimeout
}

// messageDue is when the message under way will have taken too long (P-17).
func (c *conn) messageDue() time.Duration {
	began := time.Duration(c.began.Load())
	if c.phase != connOpen || began == 0 || c.h.cfg.MessageTimeout <= 0 || !c.gate.reading() {
		return 0
	}
	return began + c.h.cfg.MessageTimeout
}

func (c *conn) expiryDue() time.Duration {
	if c.phase >= connClosing {
		return 0
	}
	return c.expires
}

// closeDue is when the closing has taken too long, or the write that it waits for has been stuck for too long.
func (c *conn) closeDue() time.Duration {
	if c.closeBy == 0 || c.phase == connDone {
		return 0
	}
	if c.writing {
		return min(c.closeBy, max(time.Duration(c.moved.Load()), c.closeAt)+closeStall)
	}
	return c.closeBy
}

// due looks at every deadline.
func (c *conn) due(now time.Duration) {
	if c.armed == 0 || now < c.armed {
		return // an entry that an earlier one has replaced
	}
	c.armed = 0
	passed := func(d time.Duration) bool { return d != 0 && d <= now }
	if passed(c.retryAt) {
		c.writable()
	}
	switch {
	case passed(c.closeDue()):
		c.finish(c.writing)
	case passed(c.expiryDue()):
		c.close(protocol.CloseTokenExpired)
	case passed(c.attachDue()), passed(c.silenceDue()), passed(c.messageDue()):
		c.close(protocol.CloseHeartbeatTimeout)
	case passed(c.pingDue()):
		c.ping(now)
	}
	c.schedule()
}

// ping asks the client for its ping, and sends the RFC's own where set (P-16).
func (c *conn) ping(now time.Duration) {
	c.pingAt += ((now-c.pingAt)/c.interval + 1) * c.interval // one ping, also after a standstill of the whole process
	c.link.PingDue()
	if !c.h.cfg.ProtocolPings {
		return
	}
	if c.wantPing {
		c.h.sys.Counters().Dropped[actors.DropPing].Add(1)
	}
	c.wantPing = true
	c.flush()
}
