package registry

import (
	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// beginsALife reports whether m makes a client where there is none (P-29): a publish or send, an attach, a read, a PUT. A late word of a
// connection, a look, an ack, a deletion does not.
func beginsALife(m any) bool {
	switch m := m.(type) {
	case *publishMail, *attachMail:
		return true
	case *readMail:
		return !m.known
	case *pullMail:
		return m.p.Make
	case *subscribeMail:
		return !m.leave
	case *snapshotMail:
		return m.do == putSnapshot
	}
	return false
}

// trifle reports whether m may come to nothing: it is no reason for a client to stay awake, or to wake.
func trifle(m any) bool {
	switch m := m.(type) {
	case *newsMail:
		return m.p.Topic == protocol.AllTopic // whoever wakes asks for it
	case *leaveMail, announcedMail, touchlessMail:
		return true
	case tickMail, goneMail, writtenMail, pingMail, *messageMail, *outcomeMail, *giveUpMail, *settleMail, drainMail, flushMail, squeezeMail:
		return true
	}
	return false
}

// tooLate deals with mail that reached the actor after its life had ended, and that begins no next one: who asks is told that
// there is no such client, and a late word of a connection that is gone is dropped and counted (P-15).
func (c *client) tooLate(m any) {
	switch m.(type) {
	case *messageMail, *outcomeMail:
		c.reg.counters.Dropped[actors.DropStale].Add(1)
	case actors.Request:
		c.reg.counters.Dropped[actors.DropLetter].Add(1)
	default:
		c.refuse(m, notFound(c.id), protocol.CloseClientDeleted)
	}
}

// refuse answers whoever waits for an answer to m with e, unless that has been done; an attach is closed with code.
func (c *client) refuse(m any, e *protocol.Error, code protocol.CloseCode) {
	failed := session.Reply{Err: e}
	switch m := m.(type) {
	case *publishMail:
		if to, ok := m.in.To.(sender); ok {
			to.release(c.reg)
			to.answer(c, failed)
		}
	case *readMail:
		m.in.To.(*waiter).answer(c, failed)
	case *closeMail:
		m.in.To.(*waiter).answer(c, failed)
	case *pullMail:
		m.answer(c, failed)
	case *subscribeMail:
		m.in.To.(*waiter).answer(c, failed)
	case *ackMail:
		m.to.answer(c, failed)
	case *stateMail:
		m.to.answer(c, failed)
	case *snapshotMail:
		m.to.release(c.reg)
		m.to.answer(c, failed)
	case *deleteMail:
		m.to.answer(c, failed)
	case *attachMail:
		first := protocol.EncodeError(e)
		if code == protocol.CloseDraining {
			first = protocol.EncodeGoaway(c.reg.retryMS())
		}
		m.peer.Refused(protocol.Piece{Body: first}, code)
	case *judgeMail:
		if !m.judged {
			m.end()
		}
	case *settleMail:
		m.done.Done()
	}
}
