package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/gobwas/ws"
)

// sources is how many addresses clients come from, from 127.0.0.2 on: one alone has too few ports.
const sources = 32

type phase uint8

const (
	away       phase = iota
	connecting       // the socket is not connected yet
	upgrading        // the handshake has been sent
	attaching        // the dialect has the word
	ready            // the dialect has said so
	leaving          // a close frame has been sent
)

// client is one client and, while it has one, its connection.
type client struct {
	Session
	e     *engine
	index int32
	fd    int   // -1 while it has none
	gen   int32 // of the connection; an event of another one is stale
	phase phase
	full  bool // the socket was full: room to write is waited for

	accept  string // what the handshake must be answered with
	partial []byte // what has come of a frame that is not whole; nil for nothing
	parts   []byte // what has come of a message in several frames; nil for nothing
	binary  bool   // that message

	order order
	round int // for the profile's use
}

// source is the address that the client connects from.
func (c *client) source() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + c.index%sources)})
}

// dial begins to connect.
func (c *client) dial() {
	if c.fd >= 0 {
		c.e.fail(fmt.Errorf("%s is to connect, and is connected", c.ID))
		return
	}
	fd, err := c.e.poll.dial(c.source(), c.e.to)
	if err != nil {
		c.e.fail(fmt.Errorf("%s cannot connect: %w", c.ID, err))
		return
	}
	c.fd, c.phase, c.full = fd, connecting, true
	c.gen++
	c.e.handshakes++
	if err := c.e.poll.watch(fd, c.index, c.gen, true); err != nil {
		c.e.fail(err)
	}
}

func (c *client) event(ev *event) {
	if ev.out {
		c.full = false
		if c.phase == connecting {
			c.lend()
			c.Out, c.accept = appendUpgrade(c.Out, c.e.host, c.e.path+c.e.dialect.Target(&c.Session), c.e.dialect.Subprotocol())
			c.phase = upgrading
		}
		c.flush()
		if c.fd >= 0 && !c.full {
			if err := c.e.poll.rewatch(c.fd, c.index, c.gen, false); err != nil {
				c.e.fail(err)
			}
		}
	}
	if ev.in && c.fd >= 0 {
		c.receive()
	}
}

// receive reads once and handles what is whole of it. What is left over is kept.
func (c *client) receive() {
	e := c.e
	if len(c.partial)+readSize/2 > len(e.buf) {
		e.buf = make([]byte, len(c.partial)+readSize)
	}
	kept := copy(e.buf, c.partial)
	n, err := e.poll.read(c.fd, e.buf[kept:])
	switch {
	case err == errBlocked:
		return
	case err != nil:
		c.gone(err)
		return
	case n == 0:
		c.gone(io.EOF)
		return
	}
	e.seen = e.now()
	c.lend()
	rest := c.take(e.buf[:kept+n])
	if c.fd < 0 {
		return
	}
	c.keep(rest)
	c.flush()
}

func (c *client) keep(rest []byte) {
	switch {
	case len(rest) > 0:
		if c.partial == nil {
			c.partial = c.e.lendBuffer()
		}
		c.partial = append(c.partial[:0], rest...)
	case c.partial != nil:
		c.e.giveBack(c.partial)
		c.partial = nil
	}
}

// take handles what b holds, and returns what is not whole.
func (c *client) take(b []byte) []byte {
	if c.phase == upgrading || c.phase == connecting {
		size, err := cutUpgraded(b, c.accept)
		if err != nil {
			c.gone(err)
		}
		if size == 0 {
			return b
		}
		b = b[size:]
		c.phase, c.accept = attaching, ""
		c.e.handshakes--
		c.e.dialect.Opened(&c.Session)
	}
	for c.fd >= 0 {
		f, size, err := cutFrame(b)
		if err != nil {
			c.gone(err)
			return nil
		}
		if size == 0 || size > len(b) {
			return b
		}
		b = b[size:]
		if err := c.handle(f); err != nil {
			c.gone(err)
		}
	}
	return nil
}

var errParts = errors.New("the server mixes up the parts of its messages")

// handle handles one frame.
func (c *client) handle(f incoming) error {
	switch f.op {
	case ws.OpText, ws.OpBinary:
		switch {
		case c.parts != nil:
			return errParts
		case f.fin:
			return c.e.dialect.Message(&c.Session, f.op == ws.OpBinary, f.payload)
		}
		c.parts, c.binary = append(make([]byte, 0, 2*len(f.payload)+1), f.payload...), f.op == ws.OpBinary
	case ws.OpContinuation:
		if c.parts == nil || len(c.parts)+len(f.payload) > maxIncoming {
			return errParts
		}
		c.parts = append(c.parts, f.payload...)
		if f.fin {
			whole := c.parts
			c.parts = nil
			return c.e.dialect.Message(&c.Session, c.binary, whole)
		}
	case ws.OpPing:
		c.Out = appendMasked(c.Out, ws.OpPong, f.payload)
	case ws.OpPong:
	case ws.OpClose:
		if c.phase == leaving {
			c.gone(nil)
			return nil
		}
		return closedBy(f.payload)
	default:
		return fmt.Errorf("a frame of the unknown kind %d", f.op)
	}
	return nil
}

func closedBy(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("the server has closed the connection, without a code")
	}
	return fmt.Errorf("the server has closed the connection: %d %.100q", binary.BigEndian.Uint16(payload), payload[2:])
}

// lend gives the session a buffer for what it has to say.
func (c *client) lend() {
	if c.Out == nil {
		c.Out = c.e.lendBuffer()
	}
}

// flush writes what the socket takes.
func (c *client) flush() {
	if c.fd < 0 || c.full {
		return
	}
	if len(c.Out) > 0 {
		n, err := c.e.poll.write(c.fd, c.Out)
		if err != nil && err != errBlocked {
			c.gone(err)
			return
		}
		if n = max(n, 0); n < len(c.Out) {
			c.Out = c.Out[:copy(c.Out, c.Out[n:])]
			c.full = true
			if err := c.e.poll.rewatch(c.fd, c.index, c.gen, true); err != nil {
				c.e.fail(err)
			}
			return
		}
	}
	if c.Out != nil {
		c.e.giveBack(c.Out)
		c.Out = nil
	}
}

// leave ends the connection in order; the server's answer to that ends it.
func (c *client) leave() {
	c.lend()
	c.e.dialect.Leaving(&c.Session)
	c.Out = appendMasked(c.Out, ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(ws.StatusNormalClosure)))
	c.detach(leaving)
	c.flush()
}

// reset ends the connection as a phone's ends that has lost the network.
func (c *client) reset() {
	c.shut(true)
}

// gone is called when the connection has ended, by whatever.
func (c *client) gone(err error) {
	if c.fd < 0 {
		return
	}
	was := c.phase
	if was == leaving && err == io.EOF {
		err = nil
	}
	c.shut(false)
	switch {
	case c.e.onGone != nil:
		c.e.onGone(c, err)
	case err != nil || was != leaving:
		c.e.fail(unfinishedf("the connection of %s ended: %v", c.ID, err))
	}
}

// shut closes the socket and lets go of what the connection held.
func (c *client) shut(reset bool) {
	if c.phase == connecting || c.phase == upgrading {
		c.e.handshakes--
	}
	c.detach(away)
	c.e.poll.shut(c.fd, reset)
	c.fd, c.full = -1, false
	if c.Out != nil {
		c.e.giveBack(c.Out)
	}
	c.Out, c.parts = nil, nil
	c.keep(nil)
}

// detach makes to of a client's phase, which may have been ready.
func (c *client) detach(to phase) {
	if c.phase == ready {
		c.e.attached--
	}
	c.phase = to
}

// ready is the dialect's word for it.
func (c *client) ready(*Session) {
	if c.phase != attaching {
		return
	}
	c.phase = ready
	c.e.attached++
	if c.e.onReady != nil {
		c.e.onReady(c)
	}
}

// frame is one frame of the application.
func (c *client) frame(_ *Session, data []byte) {
	number, due, err := stampOf(data)
	if err != nil {
		c.e.fail(unfinishedf("%s: %v: %.300q", c.ID, err, data))
		return
	}
	switch c.order.see(number) {
	case repeated:
		c.e.doubled++
		return
	case belated:
		c.e.disordered++
	}
	c.e.got++
	if c.e.onFrame != nil {
		c.e.onFrame(c, number, due)
	}
}
