package transport

import (
	"net"
)

// socket is what a connection reads from and writes to. There are two: goSocket, which any net.Conn can be, reads on a goroutine of its own; pollSocket
// is a plain TCP socket on Linux, which costs neither a goroutine nor a buffer while nothing happens. The same tests hold both.
//
// start and whatever reads belong to the connection's read half (see gate); all else belongs to its turn.
type socket interface {
	// start goes on reading: the connection is fed what it has left over and then what comes, until its gate stops that, its peer's close frame
	// is in, or the socket gives no more.
	start()
	// write writes as much of c.out as can be written without waiting; all, if c.out.n is its length. c.out.err is why no more will go.
	write()
	// finish waits until the peer takes more of c.out. lent: a goroutine has c.out and writes it; evWritten comes when it has been written or has
	// failed. Otherwise evWritable comes when write is worth another attempt.
	finish() (lent bool)
	// bare reports whether closing never waits, and can be done by halves.
	bare() bool
	// closeWrite ends the writing only.
	closeWrite() error
	// close closes the socket; reset: what the kernel still has for the peer is thrown away. If it waits, evClosed comes. A reader that is at work
	// ends with evReadEnd.
	close(reset bool) (waits bool)
}

// newSocket takes nc over for c. It is pollable where the system and the setting let it.
func newSocket(c *conn, nc net.Conn) socket {
	tcp := tcpOf(nc)
	if tcp != nil {
		// It is not needed for being right, so that a failure is no reason to refuse the connection. (TCP_NODELAY is Go's default.)
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	if net.Conn(tcp) == nc && tcp != nil && c.h.pollers != nil {
		if s := c.h.pollers.take(c, tcp); s != nil {
			return s
		}
	}
	return &goSocket{c: c, nc: nc, raw: rawConn(nc)}
}

// tcpOf returns the TCP connection below nc, nil where there is none.
func tcpOf(nc net.Conn) *net.TCPConn {
	for {
		switch t := nc.(type) {
		case *net.TCPConn:
			return t
		case interface{ NetConn() net.Conn }:
			nc = t.NetConn()
		default:
			return nil
		}
	}
}
