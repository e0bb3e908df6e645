package transport

import (
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// pollers read the plain TCP sockets of a Handler: one goroutine for each core waits for all of them, so that an idle connection has neither a goroutine
// nor a buffer. A socket belongs to the poller that its descriptor's number gives.
type pollers []poller

func newPollers(run func(func())) *pollers {
	ps := make(pollers, runtime.GOMAXPROCS(0))
	for i := range ps {
		ps[i].run, ps[i].stride = run, len(ps)
	}
	return &ps
}

// take makes tcp's socket c's, under a descriptor of its own, which the runtime's own poller does not know. nil: tcp is left as it is.
func (ps *pollers) take(c *conn, tcp *net.TCPConn) socket {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	fd := -1
	if err := raw.Control(func(old uintptr) { fd = duplicate(old) }); err != nil || fd < 0 {
		return nil
	}
	_ = tcp.Close() // the connection itself stays open under the other descriptor
	return &pollSocket{c: c, fd: int32(fd)}
}

func duplicate(old uintptr) int {
	fd, _, e := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
	if e != 0 {
		return -1
	}
	return int(fd)
}

const (
	// pollEvents is how many sockets that are ready a poller is told of at once.
	pollEvents = 256
	// readRounds is how often one socket is read before it is the next one's turn.
	readRounds = 4
	readable   = syscall.EPOLLIN
	writable   = syscall.EPOLLOUT
	broken     = syscall.EPOLLERR | syscall.EPOLLHUP
)

// poller waits for its sockets with epoll, level-triggered. Its goroutine is there while it has any. Only that goroutine reads them, and only it closes them: a
// descriptor closed by another would be somebody else's the next moment, and be read here.
type poller struct {
	run    func(func())
	stride int

	mu      sync.Mutex
	epoll   *os.File // nil: no socket, no goroutine
	fd      int      // of epoll
	bell    int      // an eventfd, which wakes the goroutine for what is in closing
	sockets []*pollSocket
	n       int // of sockets
	closing []*pollSocket
	awake   bool // the goroutine will look at closing before it waits again
}

// pollSocket is a TCP socket that its poller reads.
type pollSocket struct {
	c      *conn
	fd     int32
	events uint32 // that the poller waits for; with what follows under mu

	mu      sync.Mutex
	known   bool // to the poller
	closed  bool
	reading bool // the poller is the connection's reader
}

var _ socket = (*pollSocket)(nil)

func (s *pollSocket) poller() *poller {
	all := *s.c.h.pollers
	return &all[int(s.fd)%len(all)]
}

// start is part of socket. What is left over is fed on a goroutine: the caller may be the client's turn.
func (s *pollSocket) start() {
	if len(s.c.rest) > 0 {
		go s.startRest()
		return
	}
	s.read()
}

func (s *pollSocket) startRest() {
	defer s.c.readFailed()
	if s.c.feedRest() {
		s.read()
	}
}

// read makes the poller the reader.
func (s *pollSocket) read() {
	if !s.await(readable) {
		s.c.readOut()
	}
}

// await has the poller wait for event, too; false: the socket is closed.
func (s *pollSocket) await(event uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.reading = s.reading || event == readable
	return s.watch(s.events|event) == nil
}

// ignore is await's opposite. The kernel reports a broken socket whatever is waited for; so one that waits for nothing is taken out.
func (s *pollSocket) ignore(event uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = s.reading && event != readable
	_ = s.watch(s.events &^ event) // it fails only where the socket is out already
}

// watch tells the kernel. s.mu is held.
func (s *pollSocket) watch(events uint32) error {
	if events == s.events {
		return nil
	}
	if !s.known {
		if err := s.poller().add(s); err != nil {
			return err
		}
		s.known = true
	}
	op := syscall.EPOLL_CTL_MOD
	switch {
	case s.events == 0:
		op = syscall.EPOLL_CTL_ADD
	case events == 0:
		op = syscall.EPOLL_CTL_DEL
	}
	s.events = events
	return syscall.EpollCtl(s.poller().fd, op, int(s.fd), &syscall.EpollEvent{Events: events, Fd: s.fd})
}

// write is part of socket.
func (s *pollSocket) write() {
	o := s.c.out
	n, err := writeNow(uintptr(s.fd), o.b[o.n:])
	o.n, o.err = o.n+n, err
}

// finish is part of socket.
func (s *pollSocket) finish() (lent bool) {
	s.await(writable)
	return false
}

func (s *pollSocket) bare() bool { return true }

func (s *pollSocket) closeWrite() error { return syscall.Shutdown(int(s.fd), syscall.SHUT_WR) }

// close is part of socket: the poller does it.
func (s *pollSocket) close(reset bool) (waits bool) {
	if reset {
		_ = syscall.SetsockoptLinger(int(s.fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}) // without it the end is an orderly one
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	if !s.known {
		_ = syscall.Close(int(s.fd))
		return false
	}
	s.poller().closeSoon(s)
	return false
}

// add makes s known, and begins the poller's goroutine with its first socket.
func (p *poller) add(s *pollSocket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoll == nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	i := int(s.fd) / p.stride
	if i >= len(p.sockets) {
		p.sockets = append(p.sockets, make([]*pollSocket, i+1-len(p.sockets))...)
	}
	p.sockets[i] = s
	p.n++
	return nil
}

// begin starts the goroutine. p.mu is held.
func (p *poller) begin() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	bell, _, e := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if e != 0 {
		_ = syscall.Close(fd)
		return e
	}
	p.fd, p.bell = fd, int(bell)
	err = syscall.EpollCtl(fd, syscall.EPOLL_CTL_ADD, p.bell, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(p.bell)})
	if err == nil {
		err = syscall.SetNonblock(fd, true) // with that, waiting for it parks a goroutine and no thread
	}
	if err != nil {
		_, _ = syscall.Close(fd), syscall.Close(p.bell)
		return err
	}
	p.epoll = os.NewFile(uintptr(fd), "epoll")
	p.run(p.loop)
	return nil
}

// closeSoon has the goroutine close s.
func (p *poller) closeSoon(s *pollSocket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing = append(p.closing, s); len(p.closing) == 1 && !p.awake {
		one := [8]byte{1}
		_, _ = syscall.Write(p.bell, one[:]) // it is full only when it rings already
	}
}

// loop is the poller's goroutine.
func (p *poller) loop() {
	var events [pollEvents]syscall.EpollEvent
	buf := make([]byte, readBytes)
	raw, err := p.epoll.SyscallConn()
	for n := 0; err == nil; {
		var failed error
		err = raw.Read(func(fd uintptr) bool {
			n, failed = syscall.EpollWait(int(fd), events[:], 0)
			return n > 0 || failed != nil && failed != syscall.EINTR
		})
		if err == nil {
			err = failed
		}
		p.wakes()
		for _, e := range events[:max(n, 0)] {
			p.handle(e, buf)
		}
		if p.closeAll() {
			return
		}
	}
	panic("transport: the poller's own descriptor failed: " + err.Error()) // no socket of this process is heard any more
}

func (p *poller) wakes() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awake = true
}

// handle serves one socket that is ready.
func (p *poller) handle(e syscall.EpollEvent, buf []byte) {
	if int(e.Fd) == p.bell {
		_, _ = syscall.Read(p.bell, buf[:8])
		return
	}
	p.mu.Lock()
	s := p.sockets[int(e.Fd)/p.stride]
	p.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	events := s.events
	if s.closed {
		events = 0 // it waits to be closed
	}
	s.mu.Unlock()
	if events&writable != 0 && e.Events&(writable|broken) != 0 {
		s.ignore(writable)
		s.c.Tell(s.c, evWritable)
	}
	if events&readable != 0 && e.Events&(readable|broken) != 0 {
		s.take(buf)
	}
}

// take reads what there is, and stops where the gate says so.
func (s *pollSocket) take(buf []byte) {
	c := s.c
	defer func() {
		if reason := recover(); reason != nil {
			s.ignore(readable)
			c.readPanicked(reason)
		}
	}()
	for range readRounds {
		if c.gate.barred() { // as it may have become while nothing came
			s.pause()
			return
		}
		n, again, err := readNow(uintptr(s.fd), buf)
		if again {
			return
		}
		if n == 0 || err != nil {
			s.ignore(readable)
			c.readOut()
			return
		}
		if c.take(buf[:n]) {
			s.ignore(readable)
			return
		}
		if len(c.rest) > 0 {
			s.pause()
			return
		}
		if n < len(buf) {
			return
		}
	}
}

// pause ends the reading, unless the gate has opened meanwhile. Whoever opens it later starts another reader, which must find the socket ignored.
func (s *pollSocket) pause() {
	s.ignore(readable)
	if !s.c.gate.stop() {
		s.start()
	}
}

// closeAll closes those that wait for it. over: there is no socket any more, and the goroutine ends.
func (p *poller) closeAll() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.closing) > 0 {
		closing := p.closing
		p.closing = nil
		for _, s := range closing { // before any descriptor is free for the next socket
			p.sockets[int(s.fd)/p.stride] = nil
		}
		p.mu.Unlock()
		for _, s := range closing {
			s.end()
		}
		p.mu.Lock()
		p.n -= len(closing)
	}
	if p.awake = false; p.n > 0 {
		return false
	}
	_, _ = p.epoll.Close(), syscall.Close(p.bell)
	p.epoll, p.sockets, p.closing = nil, nil, nil
	return true
}

// end closes the descriptor; if the poller was the reader, it has its last word.
func (s *pollSocket) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = 0
	_ = syscall.Close(int(s.fd)) // with which the kernel forgets it
	if s.reading {
		s.reading = false
		s.c.readOut()
	}
}
