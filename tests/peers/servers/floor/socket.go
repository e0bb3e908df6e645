package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// client is one connection: a descriptor of ours, and nothing of Go's. It is closed by the reader only, so that no other connection can have its number while
// somebody still writes to it.
type client struct {
	id string
	mu sync.Mutex
	fd int // -1: it has ended
}

// writeTime is how long a full socket is waited for, in milliseconds.
const writeTime = 10_000

func newFloor(gather int) (*floor, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &floor{epoll: epoll, gather: gather, clients: map[string]*client{}, topics: map[string][]*client{}, sockets: map[int]*client{}}, err
}

// serve upgrades a connection and keeps its socket. No goroutine stays behind, and no buffer.
func (f *floor) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := &client{id: q.Get("client_id")}
	nc, _, _, err := ws.UpgradeHTTP(r, w)
	if nc != nil {
		defer nc.Close() // of what is Go's
	}
	if err != nil {
		return
	}
	if c.fd, err = duplicate(nc.(*net.TCPConn)); err != nil {
		return
	}
	c.mu.Lock() // whoever publishes to the client writes after it has been greeted
	defer c.mu.Unlock()
	f.mu.Lock()
	f.clients[c.id], f.sockets[c.fd] = c, c
	if topic := q.Get("topic"); topic != "" {
		f.topics[topic] = append(f.topics[topic], c)
	}
	f.mu.Unlock()
	if err := c.send(ws.MustCompileFrame(ws.NewTextFrame([]byte(`{"ready":true}`)))); err != nil {
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // the reader sees its end
	}
	// From here on the reader has the socket. It is not told of one before: it cannot close what nobody else has let go of.
	_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

// duplicate returns another descriptor of a connection's socket, which does not block either.
func duplicate(nc *net.TCPConn) (fd int, err error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return -1, err
	}
	var failed error
	err = raw.Control(func(old uintptr) { fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, failed)
}

// write writes all of b.
func (c *client) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(b)
}

// send writes all of b, and waits where the socket is full. A connection that has ended is errNobody. The lock is the caller's.
func (c *client) send(b []byte) error {
	for len(b) > 0 {
		if c.fd < 0 {
			return errNobody
		}
		n, err := unix.Write(c.fd, b)
		switch err {
		case nil:
			b = b[n:]
		case unix.EAGAIN:
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}, writeTime)
			if ready == 0 && err == nil {
				return fmt.Errorf("%s has taken nothing for %d ms", c.id, writeTime)
			}
		case unix.EINTR:
		case unix.EPIPE, unix.ECONNRESET:
			return errNobody
		default:
			return err
		}
	}
	return nil
}

// read reads all sockets, for ever. What clients say is thrown away, but for their goodbye, which is answered.
func (f *floor) read() error {
	var events [256]unix.EpollEvent
	b := make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(f.epoll, events[:], -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			n, err := unix.Read(fd, b)
			switch {
			case err == unix.EAGAIN || err == unix.EINTR || n > 0 && ws.OpCode(b[0]&0x0f) != ws.OpClose:
				continue
			case n > 0:
				_, _ = unix.Write(fd, ws.CompiledCloseNormalClosure)
			}
			f.end(fd)
		}
	}
}

// end closes a socket.
func (f *floor) end(fd int) {
	f.mu.Lock()
	c := f.sockets[fd]
	delete(f.sockets, fd)
	if f.clients[c.id] == c {
		delete(f.clients, c.id)
	}
	f.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fd = -1
	_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_DEL, fd, nil) // closing does it only if Go's descriptor of the socket has gone already
	_ = unix.Close(fd)
}
