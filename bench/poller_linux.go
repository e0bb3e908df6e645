package bench

import (
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errBlocked is what a socket says that has nothing to read, or no room to write.
const errBlocked = unix.EAGAIN

// atOnce is how many events are taken from the kernel at once.
const atOnce = 512

// poller waits for many sockets at once. One goroutine owns it; wake alone may be called from another.
type poller struct {
	epoll, waker int
	raw          [atOnce]unix.EpollEvent
	events       [atOnce]event
}

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	w, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(ep))
	}
	p := &poller{epoll: ep, waker: w}
	if err := p.watch(w, wakeID, 0, false); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.waker)
	_ = unix.Close(p.epoll)
}

// wake ends the wait under way, or else the next one.
func (p *poller) wake() {
	_, _ = unix.Write(p.waker, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // the only error is that it has been woken very often
}

// dial begins to connect to a server, from the source address given unless that is the zero one. The socket can be written to as soon as it is connected.
func (p *poller) dial(from netip.Addr, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = connect(fd, from, to); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func connect(fd int, from netip.Addr, to netip.AddrPort) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if from.IsValid() {
		// The port is chosen when it is known where to: each source has all of them for itself.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// watch tells of what can be read from fd, and with out of room to write, under id and gen.
func (p *poller) watch(fd int, id, gen int32, out bool) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, id, gen, out)
}

// rewatch changes whether room to write is told.
func (p *poller) rewatch(fd int, id, gen int32, out bool) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, id, gen, out)
}

func (p *poller) control(op, fd int, id, gen int32, out bool) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: id, Pad: gen}
	if out {
		ev.Events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, op, fd, &ev))
}

// wait waits up to so long and returns what has happened, which is valid until the next call.
func (p *poller) wait(most time.Duration) ([]event, error) {
	n, err := unix.EpollWait(p.epoll, p.raw[:], int((most+time.Millisecond-1)/time.Millisecond))
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i := range p.raw[:n] {
		r := &p.raw[i]
		p.events[i] = event{id: r.Fd, gen: r.Pad, in: r.Events&^unix.EPOLLOUT != 0, out: r.Events&unix.EPOLLOUT != 0}
		if r.Fd == wakeID {
			var drop [8]byte
			_, _ = unix.Read(p.waker, drop[:])
		}
	}
	return p.events[:n], nil
}

func (p *poller) read(fd int, b []byte) (int, error)  { return unix.Read(fd, b) }
func (p *poller) write(fd int, b []byte) (int, error) { return unix.Write(fd, b) }

// shut closes fd; reset has the peer see that as a lost connection.
func (p *poller) shut(fd int, reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	_ = unix.Close(fd)
}

// monotonic is CLOCK_MONOTONIC in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("the monotonic clock of Linux cannot be read: " + err.Error())
	}
	return ts.Nano()
}
