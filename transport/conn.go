package transport

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

const (
	// closeTimeout bounds the closing handshake after our close frame, whatever the peer still sends.
	closeTimeout = 5 * time.Second
	// closeStall is how long a write that is under way when the close is decided may make no progress; closeWrite is
	// how long it may take in all. Beyond either the socket is reset.
	closeStall = 2 * time.Second
	closeWrite = 10 * time.Second
	// sendBuffer is the kernel's send buffer of a socket, in bytes: sent is not received, and the default takes megabytes.
	sendBuffer = 256 << 10
)

// phase is where a connection is in its life; it only goes forward.
type phase uint8

const (
	connOpening phase = iota // the client has not yet answered the attach
	connOpen
	connClosing // a close is decided; what is under way is finished, then the closing handshake
	connDone    // the socket is closed
)

// conn is the connection actor: one WebSocket. It is the Peer of its client. Its state has three owners: the turn of its
// mailbox owns what is below "the turn's", whoever reads the socket owns the read half, and the gate stands between them.
// Which goroutines it has, and for how long, is its socket's.
type conn struct {
	actors.Mailbox
	h    *Handler
	sock socket

	// The turn's. What each write touches stands together and first: of ten thousand connections nothing is in the processor's caches.
	link       Link                   // the read half calls Message, too; nothing else
	batch      []protocol.Piece       // the client's, not yet, or not entirely, with the kernel
	out        *outbuf                // being written; at first the answer to the handshake, which what comes next takes along
	pong       atomic.Pointer[[]byte] // the payload of the latest ping that is not answered; the read half's, too
	phase      phase
	writing    bool // the kernel has not taken all of out, which waits for the peer
	lent       bool // out is with a goroutine meanwhile
	outBatch   bool // out has the batch
	outClose   bool // out has our close frame
	direct     bool // the turn is run by Write's caller
	wrote      bool // and the batch is written
	wantPing   bool // an RFC 6455 ping is to be sent
	passing    bool // the reader is passing a message on: Gone waits for it
	closeSent  bool
	peerClosed bool
	readOver   bool // the reading has ended for good
	streamLost bool // the peer's answer to our close frame would not be recognized
	closer     bool // a goroutine is closing the socket
	dead       bool // nothing can be written any more; what was received is still read
	byPeer     bool // the peer began the close
	hurry      bool // the peer's answer to our close frame is not waited for
	goneSaid   bool
	refused    bool // batch is what a refusal says, not the client's
	how        Gone
	code       protocol.CloseCode // that we close with; 0 before phase connClosing, and where none can be sent

	armed    time.Duration // the deadline that is registered; 0 for none
	attachBy time.Duration // 0 for never, as the following
	pingAt   time.Duration
	expires  time.Duration
	closeAt  time.Duration // when the close was decided
	closeBy  time.Duration
	retryAt  time.Duration // when a write that waits and is not lent is looked at
	interval time.Duration // of pings; <= 0 for none

	// Everybody's.
	id    string                     // connection_id
	allow func(Verb, string) bool    // the Grant's; nil allows everything
	set   struct{ prev, next *conn } // connSet's
	gate  gate
	heard atomic.Int64 // when the last byte came, or reading went on (time.Duration since the system's start)
	began atomic.Int64 // when the message under way began; 0 for none
	moved atomic.Int64 // when the write under way last made progress

	// The read half's, while it runs.
	parser parser
	rest   []byte // bytes that were read and not parsed, because the gate stopped the reader
	begun  uint32 // the parser's begun that began is about
}

var (
	_ Peer              = (*conn)(nil)
	_ actors.Supervised = (*conn)(nil)
	_ actors.Timed      = (*conn)(nil)
	_ sink              = (*conn)(nil)
)

// newConn returns the connection of an upgraded socket; early is what the peer has sent with its request, which c keeps. It
// is in no set and does nothing yet.
func newConn(h *Handler, nc net.Conn, early []byte, id string, interval time.Duration, g Grant) *conn {
	c := &conn{h: h, id: id, rest: early, interval: interval, allow: g.Allow}
	c.parser.limit = int32(h.cfg.MaxFrameBytes) + protocol.MessageSlack
	c.sock = newSocket(c, nc)
	now := h.sys.Now()
	if h.cfg.HandshakeTimeout > 0 {
		c.attachBy = now + h.cfg.HandshakeTimeout
	}
	if !g.Expires.IsZero() {
		c.expires = max(now+time.Until(g.Expires), 1)
	}
	return c
}

// System is part of actors.Supervised.
func (c *conn) System() *actors.System { return c.h.sys }

// Name is part of actors.Supervised.
func (c *conn) Name() (address, id string) { return "connection", c.id }

// Receive handles one message in c's turn.
func (c *conn) Receive(msg any) {
	switch m := msg.(type) {
	case event:
		c.event(m)
	case msgWrite:
		c.write(m.batch)
	case msgAttached:
		c.attached(m.link)
	case msgRefused:
		c.refuse(m.first, m.code)
	case msgClose:
		c.close(m.code)
	case *fault:
		c.fault(m)
	case msgPeerClosed:
		c.closedByPeer(m.code)
	case actors.StopRequest:
		c.close(protocol.CloseGoingAway)
	case actors.RestartRequest:
		c.close(protocol.CloseClientRestarted)
	}
	c.leave()
}

func (c *conn) event(e event) {
	switch e {
	case evStart, evBegun:
		c.schedule()
	case evFlush:
		c.flush()
	case evWritten:
		c.written()
	case evWritable:
		c.writable()
	case evReadEnd:
		c.readEnded()
	case evPassed:
		c.passing = false
		c.sayGone()
	case evDue:
		c.due(c.h.sys.Now())
	case evAbort:
		c.abort()
	case evClosed:
		c.closer = false
	}
}

// Failed ends the connection after a panic in its turn: what it was doing is not known, and its client resumes.
func (c *conn) Failed(any, any) {
	c.finish(true)
	c.leave()
}

func (c *conn) attached(l Link) {
	if c.link != nil || c.refused {
		return
	}
	c.link = l
	if c.phase != connOpening {
		c.sayGone()
		return
	}
	c.phase = connOpen
	if c.interval > 0 {
		c.pingAt = c.h.sys.Now() + firstPing(c.interval)
	}
	c.hear()
	if c.gate.open() {
		c.sock.start()
	}
	c.schedule()
}

// refuse ends an attach that did not come to be (P-21).
func (c *conn) refuse(first protocol.Piece, code protocol.CloseCode) {
	if c.phase != connOpening {
		return
	}
	c.refused = true
	c.batch = []protocol.Piece{first}
	c.close(code)
}
