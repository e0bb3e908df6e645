package transport

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// writePart is how much a write that waits hands over at once. On a socket that is not bare (TLS) progress shows by such
	// parts only: such a reader has to take 16 KiB within WriteTimeout.
	writePart = 16 << 10
	// writePoll is how often such a write on a TCP socket looks whether anything has gone.
	writePoll = time.Second
)

// goSocket is a net.Conn that is read by a goroutine of its own. While the peer is slow there is a second one that writes.
type goSocket struct {
	c   *conn
	nc  net.Conn
	raw syscall.RawConn // of nc, for reading and writing without being parked; nil where that cannot be
	in  *input          // the read half's
}

var _ socket = (*goSocket)(nil)

func (s *goSocket) start() { go s.read() }

// read is the reading goroutine. A stack that has grown with a message never shrinks below 4 KiB; so each reader waits, handles what comes, and
// leaves the next wait to a fresh one, whose 2 KiB are enough for waiting.
func (s *goSocket) read() {
	c := s.c
	defer c.readFailed()
	if s.in == nil {
		s.in = newInput(s)
	}
	for c.feedRest() {
		b, err := s.in.next()
		if err != nil {
			c.readOut()
			return
		}
		drained, ended := s.handle(b)
		if ended {
			return
		}
		if drained {
			go s.read()
			return
		}
	}
}

// handle feeds b, which the input has lent. drained: there was no more for now. ended: the reader's last word is said.
func (s *goSocket) handle(b []byte) (drained, ended bool) {
	in := s.in
	ended = s.c.take(b)
	return in.release(), ended
}

func (s *goSocket) bare() bool { return s.raw != nil }

func (s *goSocket) write() {
	if s.raw == nil {
		return
	}
	o := s.c.out
	if err := s.raw.Write(o.try); err != nil {
		o.err = err
	}
}

func (s *goSocket) finish() (lent bool) {
	go s.writeOut()
	return true
}

// writeOut is the goroutine of a write that the kernel did not take at once. It owns c.out until it says evWritten.
func (s *goSocket) writeOut() {
	s.c.out.err = s.writeRest(s.c.out)
	s.c.Tell(s.c, evWritten)
}

// writeRest writes what is left of o. A write without progress for WriteTimeout ends with os.ErrDeadlineExceeded (P-27).
func (s *goSocket) writeRest(o *outbuf) error {
	c := s.c
	timeout := c.h.cfg.WriteTimeout
	patience := timeout
	if s.raw != nil {
		// Whoever waits on a bare socket can look how far it got and go on. TLS cannot: after a deadline it is spoilt.
		patience = pollEvery(timeout)
	}
	for o.n < len(o.b) {
		if patience > 0 {
			if err := s.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
		}
		n, err := s.nc.Write(o.b[o.n:min(o.n+writePart, len(o.b))])
		o.n += n
		now := c.h.sys.Now()
		if n > 0 {
			c.moved.Store(int64(now))
		}
		if err == nil {
			continue
		}
		if s.raw == nil || !errors.Is(err, os.ErrDeadlineExceeded) || timeout > 0 && now-time.Duration(c.moved.Load()) >= timeout {
			return err
		}
	}
	if s.raw != nil {
		return s.nc.SetWriteDeadline(time.Time{})
	}
	return nil
}

// pollEvery is how often a write that waits is looked at whose time without progress is timeout, negative for ever.
func pollEvery(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return writePoll
	}
	return max(min(writePoll, timeout/4), time.Millisecond)
}

func (s *goSocket) closeWrite() error {
	if tcp, bare := s.nc.(*net.TCPConn); bare {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// close closes a bare socket on the spot; any other may wait in its Close, and gets a goroutine.
func (s *goSocket) close(reset bool) (waits bool) {
	tcp := tcpOf(s.nc)
	if tcp != nil && reset {
		_ = tcp.SetLinger(0) // it fails only where the socket is closed already
	}
	if tcp != nil && net.Conn(tcp) == s.nc {
		_ = tcp.Close() // likewise, and there is nobody to tell
		return false
	}
	if tcp != nil && reset {
		_ = tcp.Close()
	}
	go func() {
		_ = s.nc.Close()
		s.c.Tell(s.c, evClosed)
	}()
	return true
}
