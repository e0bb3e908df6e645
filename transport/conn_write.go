package transport

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

const (
	// pooledBytes is the largest write buffer that goes back to the pool: one batch with its headers fits.
	pooledBytes = 192 << 10
)

// outbuf is what goes out with one write: control frames, a batch, perhaps a close frame. It is lent to a connection only
// while it is written.
type outbuf struct {
	b   []byte
	n   int   // of b, with the kernel
	at  int   // where in b the batch begins
	err error // why no more of b will go
	try func(fd uintptr) bool
}

var outbufs = sync.Pool{New: func() any {
	o := new(outbuf)
	o.try = o.attempt
	return o
}}

// attempt writes what the kernel takes now. It always returns true: the goroutine that asks must not be parked.
func (o *outbuf) attempt(fd uintptr) bool {
	n, err := writeNow(fd, o.b[o.n:])
	o.n, o.err = o.n+n, err
	return true
}

func (o *outbuf) giveBack() {
	if cap(o.b) > pooledBytes {
		o.b = nil
	}
	o.b, o.n, o.at, o.err = o.b[:0], 0, 0, nil
	outbufs.Put(o)
}

// write takes the client's next batch.
func (c *conn) write(batch []protocol.Piece) {
	switch {
	case c.phase != connOpen || c.batch != nil:
		// The connection has begun to end: Gone ends the batch, too. (Of two at once, which no client has, the second is not written.)
		c.unsent(batch)
	case len(batch) == 0:
		c.sayWritten()
	default:
		c.batch = batch
		c.flush()
	}
}

// flush writes what there is to write, if nothing is under way.
func (c *conn) flush() {
	for !c.writing && !c.dead && !c.closeSent && c.phase != connDone && c.fill() {
		c.sock.write()
		switch {
		case c.out.err != nil:
			c.writeFailed()
		case c.out.n == len(c.out.b):
			c.flushed()
		default:
			c.writing = true
			c.moved.Store(int64(c.h.sys.Now()))
			c.await()
		}
	}
}

// fill builds the next write in one buffer; false: there is nothing to write.
func (c *conn) fill() bool {
	closing := c.phase == connClosing
	var pong *[]byte
	if c.pong.Load() != nil {
		pong = c.pong.Swap(nil)
	}
	if closing {
		pong, c.wantPing = nil, false // no frame but those before the close is owed
	}
	if !closing && pong == nil && !c.wantPing && c.batch == nil && c.out == nil {
		return false
	}
	o := c.out
	if o == nil {
		o = outbufs.Get().(*outbuf)
	}
	if pong != nil {
		o.b = appendControl(o.b, ws.OpPong, *pong)
	}
	if c.wantPing {
		o.b = appendControl(o.b, ws.OpPing, nil)
		c.wantPing = false
	}
	o.at = len(o.b)
	if c.batch != nil {
		size := 0
		for _, p := range c.batch {
			n := pieceLen(p)
			size += textHeaderLen(n) + n
		}
		o.b = slices.Grow(o.b, size+maxControl+2)
		for _, p := range c.batch {
			o.b = appendPiece(o.b, p)
		}
		c.outBatch = true
	}
	if closing {
		o.b = appendClose(o.b, c.code)
		c.outClose = true
	}
	c.out = o
	return true
}

// writable goes on with a write that the kernel did not take at once, on a socket that says when it takes more. A write without progress for
// WriteTimeout ends with os.ErrDeadlineExceeded (P-27).
func (c *conn) writable() {
	if !c.writing || c.phase == connDone {
		return
	}
	o, before, now := c.out, c.out.n, c.h.sys.Now()
	c.sock.write()
	if o.n > before {
		c.moved.Store(int64(now))
	}
	if timeout := c.h.cfg.WriteTimeout; o.err == nil && o.n < len(o.b) && timeout > 0 && now-time.Duration(c.moved.Load()) >= timeout {
		o.err = os.ErrDeadlineExceeded
	}
	if o.err != nil || o.n == len(o.b) {
		c.written()
		return
	}
	c.await()
}

// await has the write that is under way go on when the peer takes more.
func (c *conn) await() {
	if c.lent = c.sock.finish(); !c.lent {
		c.retryAt = c.h.sys.Now() + pollEvery(c.h.cfg.WriteTimeout)
		c.schedule()
	}
}

// written goes on after writeOut.
func (c *conn) written() {
	c.writing, c.lent, c.retryAt = false, false, 0
	switch {
	case c.phase == connDone:
		c.settle()
		c.sayGone()
	case c.out.err != nil:
		c.writeFailed()
	default:
		c.flushed()
		c.flush()
	}
}

// flushed goes on after all of out is with the kernel.
func (c *conn) flushed() {
	batch, closed := c.outBatch, c.outClose
	var next []protocol.Piece
	if !batch {
		next, c.batch = c.batch, nil // it came while something else was written, and is still to be
	}
	c.settle()
	c.batch = next
	if batch && c.link != nil {
		c.sayWritten()
	}
	if closed {
		c.closeWritten()
	}
}

// sayWritten says that the batch is with the kernel.
func (c *conn) sayWritten() {
	if c.direct {
		c.wrote = true
		return
	}
	c.link.Written()
}

// settle accounts for the batch and the buffer: what of them is with the kernel, and what will never be.
func (c *conn) settle() {
	sent := 0 // bytes of the batch that are with the kernel
	if c.outBatch {
		sent = c.out.n - c.out.at
	}
	n := c.h.sys.Counters()
	end, frames, size := 0, 0, 0
	for i, p := range c.batch {
		length := pieceLen(p)
		end += textHeaderLen(length) + length
		if end > sent {
			c.unsent(c.batch[i:])
			break
		}
		if p.Seq > 0 {
			frames++
			size += length
		}
	}
	n.Delivered.Add(int64(frames))
	n.DeliveredBytes.Add(int64(size))
	if c.outBatch && end <= sent {
		n.Batches.Add(1)
	}
	if c.out != nil {
		c.out.giveBack()
	}
	c.out, c.batch, c.outBatch, c.outClose = nil, nil, false, false
}

// unsent counts the frames of batch: they stay in the outbox.
func (c *conn) unsent(batch []protocol.Piece) {
	frames := 0
	for _, p := range batch {
		if p.Seq > 0 {
			frames++
		}
	}
	c.h.sys.Counters().Dropped[actors.DropUnsent].Add(int64(frames))
}

// writeFailed ends the connection of a peer that takes nothing more (P-27). One whose socket has failed may have said why
// before, with a close frame: what can still be read is read first.
func (c *conn) writeFailed() {
	err := c.out.err
	c.settle()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		if c.phase == connOpen {
			c.code = protocol.CloseSlowConsumer
		}
		c.finish(true)
	case c.readOver:
		c.finish(false)
	default:
		c.dead = true
		c.closeBy = c.h.sys.Now() + closeStall
		c.schedule()
	}
}
