package registry

import (
	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// beginsALife reports whether m makes a client where there is none (P-29): a publish or send, an attach, a read. A late word of a
// connection, a look, an ack, a deletion does not.
func beginsALife(m any) bool {
	switch m.(type) {
	case *publishMail, *attachMail, *readMail:
		return true
	}
	return false
}

// tooLate deals with mail that reached the actor after its life had ended, and that begins no next one: who asks is told that
// there is no such client, and a late word of a connection that is gone is dropped and counted (P-15).
func (c *client) tooLate(m any) {
	none := session.Reply{Err: protocol.Errorf(protocol.CodeNotFound, "there is no client %q", c.id)}
	switch m := m.(type) {
	case *ackMail:
		m.to.answer(c, none)
	case *stateMail:
		m.to.answer(c, none)
	case *deleteMail:
		m.to.answer(c, none)
	case *judgeMail:
		m.round.end()
	case *settleMail:
		m.done.Done()
	case *messageMail, *outcomeMail:
		c.reg.counters.Dropped[actors.DropStale].Add(1)
	case actors.Request:
		c.reg.counters.Dropped[actors.DropLetter].Add(1)
	}
}
