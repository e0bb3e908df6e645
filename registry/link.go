package registry

import (
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// Peer is a connection as its client actor sees it. Every method is called from the client's turn, must not block, and
// must not call the Link on the same stack. After Refused, or after the Link's Gone, calls are ignored.
type Peer interface {
	// Attached hands over the Link, before any Write.
	Attached(l *Link)
	// Refused ends an attach that did not come to be: first is sent, then the close.
	Refused(first protocol.Piece, code protocol.CloseCode)
	// Write hands over one batch, ended by exactly one Written or Gone; written: it has been written already, and no Written comes. The slice is the
	// peer's until then.
	Write(batch []protocol.Piece) (written bool)
	// Close ends the connection after the batch under way.
	Close(code protocol.CloseCode)
	// Pause stops or lets go on the reading of the socket (P-27).
	Pause(stop bool)
	// Handled says that n messages have been dealt with.
	Handled(n int)
}

// InProcess is the Transport of a reader within the process.
const InProcess = "in-process"

// Attach is one request to read a client's outbox (P-7, P-15).
type Attach struct {
	ConnectionID, Transport   string
	Since                     *protocol.Cursor
	Takeover                  bool
	PingInterval, PongTimeout time.Duration
	// MaySubscribe says which subscriptions may still be held; nil for all (P-25).
	MaySubscribe func(topic string) bool
}

// Link is a client actor as one connection sees it, for one attach. Its methods do not block; after Gone they do nothing that can be seen.
type Link struct {
	c   *client
	gen uint64
}

// Message passes on one message of the client, or the error that it was refused with.
func (l *Link) Message(m protocol.Message, err *protocol.Error) {
	l.c.tell(&messageMail{gen: l.gen, m: m, err: err})
}

// PingDue asks for a JSON ping (P-16).
func (l *Link) PingDue() { l.c.tell(pingMail(l.gen)) }

// Written says that the batch under way is with the kernel.
func (l *Link) Written() { l.c.tell(writtenMail(l.gen)) }

// Gone is the connection's last word; left says that its client closed it with 1000 or 1001 (P-11).
func (l *Link) Gone(left bool) { l.c.do(goneMail{l.gen, left}) }

// Attach starts an attach of p to clientID, making the client where there is none (P-29). It does not block: what it came to
// is told to p, by exactly one Attached or Refused.
func (r *Registry) Attach(clientID string, a Attach, p Peer) {
	m := &attachMail{peer: p, in: session.Attach{
		Gen: r.gens.Add(1), ClientID: clientID, ConnectionID: a.ConnectionID, Transport: a.Transport, Since: a.Since, Takeover: a.Takeover,
		MaySubscribe: a.MaySubscribe,
		Local:        a.Transport == InProcess, PingMS: a.PingInterval.Milliseconds(), PongMS: a.PongTimeout.Milliseconds(),
	}}
	if _, err := r.tell(clientID, (*client).do, m); err != nil {
		if r.draining.Load() != nil {
			p.Refused(protocol.Piece{Body: protocol.EncodeGoaway(r.retryMS())}, protocol.CloseDraining)
			return
		}
		p.Refused(protocol.Piece{Body: protocol.EncodeError(err)}, err.Code.Info().Close)
	}
}
