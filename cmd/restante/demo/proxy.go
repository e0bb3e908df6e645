package demo

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// mostConnections bounds what a Proxy holds at once, forwarded or left hanging; one more is reset as soon as it is made.
const mostConnections = 512

// Direction is one of the two ways through a Proxy.
type Direction int

// The two ways, named after who reads.
const (
	// ToClient is what the server writes.
	ToClient Direction = iota
	// ToServer is what the client writes.
	ToServer
)

// Proxy forwards TCP connections to one address, and breaks them when it is told to. It does nothing by itself and draws no random
// numbers: a run is as deterministic as the calls of its methods, which are safe for concurrent use.
type Proxy struct {
	ln    net.Listener
	tasks sync.WaitGroup

	mu     sync.Mutex
	target string // "" for none
	pairs  map[*pair]struct{}
	refuse bool
	closed bool
	// stalled is closed when forwarding may go on; nil while it does.
	stalled chan struct{}
	// dark is whether new connections are left hanging; hung are those.
	dark bool
	hung map[*net.TCPConn]struct{}
	// short is how many bytes the next chunk to a client is to miss before its connection is reset; 0 for none.
	short int
	// cut counts the connections that a method of this proxy has broken.
	cut int
}

// pair is one forwarded connection.
type pair struct {
	client, server *net.TCPConn
	done           chan struct{}
	once           sync.Once
	broken         bool // has been counted; guarded by Proxy.mu
}

// NewProxy listens on a free port of the loopback interface and forwards to target, a host:port; "" as in Retarget.
func NewProxy(target string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, ln: ln, pairs: map[*pair]struct{}{}, hung: map[*net.TCPConn]struct{}{}}
	p.tasks.Go(p.accept)
	return p, nil
}

// Addr is the host:port to dial.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Retarget forwards new connections to another target from now on; those that there are stay where they are. While it is "", new
// connections are reset as soon as they are made.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut resets every connection, in both directions, and returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.short = 0
	n := 0
	for q := range p.pairs {
		n += p.count(q)
		q.reset()
	}
	return n
}

// Finish resets the connections that have been broken already and linger half closed.
func (p *Proxy) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.pairs {
		if q.broken {
			q.reset()
		}
	}
}

// CutInFrame lets the next chunk on the way to a client pass without its last missing bytes (at least 1), and resets that connection.
// A server that writes whole frames is so cut inside the last one.
func (p *Proxy) CutInFrame(missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.short = max(missing, 1)
}

// Stall stops all forwarding (true), without a sign to anybody, or lets it go on (false). The end of a connection is not passed on meanwhile either.
func (p *Proxy) Stall(stop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall(stop)
}

// Blackhole is a tunnel (true): nothing passes, without a sign to anybody, and new connections are made but lead nowhere. When it ends (false), every
// connection is reset, those of before and those that were left hanging, and all is as it was.
func (p *Proxy) Blackhole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on && !p.closed {
		p.dark = true
		p.stall(true)
	}
	if on || !p.dark {
		return
	}
	p.dark = false
	for q := range p.pairs {
		p.count(q)
		q.reset()
	}
	p.dropHung()
	p.stall(false)
}

// dropHung resets what was left hanging.
func (p *Proxy) dropHung() {
	for c := range p.hung {
		p.cut++
		abort(c)
	}
	clear(p.hung)
}

func (p *Proxy) stall(stop bool) {
	switch {
	case stop && p.stalled == nil && !p.closed:
		p.stalled = make(chan struct{})
	case !stop && p.stalled != nil:
		close(p.stalled)
		p.stalled = nil
	}
}

// HalfClose ends one direction of every connection in order (FIN) and leaves the other as it is; it returns how many connections there were.
func (p *Proxy) HalfClose(d Direction) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for q := range p.pairs {
		to := q.client
		if d == ToServer {
			to = q.server
		}
		if err := to.CloseWrite(); err != nil {
			q.reset() // it had ended already
		}
		n += p.count(q)
	}
	return n
}

// Refuse resets new connections as soon as they are made (true), or lets them in again (false).
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Cuts is how many connections this proxy has broken so far.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// Connections is how many connections are being forwarded; those that are left hanging do not count.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

// Close ends the proxy and its connections, and returns when nothing of it runs any more.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for q := range p.pairs {
		q.reset()
	}
	p.dark = false
	p.dropHung()
	p.stall(false)
	p.mu.Unlock()
	err := p.ln.Close()
	p.tasks.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// count counts q as broken, once.
func (p *Proxy) count(q *pair) int {
	if q.broken {
		return 0
	}
	q.broken = true
	p.cut++
	return 1
}

func (p *Proxy) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		if target := p.admit(conn.(*net.TCPConn)); target != "" {
			p.tasks.Go(func() { p.forward(conn.(*net.TCPConn), target) })
		}
	}
}

// admit returns where a new connection is to be forwarded to, "" for one that is not: it has been reset, or is left hanging.
func (p *Proxy) admit(c *net.TCPConn) (target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refuse || p.closed || len(p.pairs)+len(p.hung) >= mostConnections:
		abort(c)
	case p.dark:
		p.hung[c] = struct{}{}
	case p.target == "":
		abort(c)
	default:
		return p.target
	}
	return ""
}

// forward joins a client's connection with one to target until either has ended.
func (p *Proxy) forward(client *net.TCPConn, target string) {
	up, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		abort(client)
		return
	}
	q := &pair{client: client, server: up.(*net.TCPConn), done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		q.reset()
	}
	p.pairs[q] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(q, q.client, q.server, ToClient) })
	both.Go(func() { p.copy(q, q.server, q.client, ToServer) })
	both.Wait()
	q.reset()
	p.mu.Lock()
	delete(p.pairs, q)
	p.mu.Unlock()
}

// copy forwards one direction until its end, and passes that on.
func (p *Proxy) copy(q *pair, to, from *net.TCPConn, d Direction) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.pass(q, to, buf[:n], d) {
				return
			}
		}
		if err != nil {
			if !p.flows(q) {
				return // our own reset, in which an orderly end has no place
			}
			if !errors.Is(err, io.EOF) || to.CloseWrite() != nil {
				q.reset()
			}
			return
		}
	}
}

// pass forwards one chunk; false: the connection has ended.
func (p *Proxy) pass(q *pair, to *net.TCPConn, chunk []byte, d Direction) bool {
	if !p.flows(q) {
		return false
	}
	p.mu.Lock()
	short := d == ToClient && p.short > 0 && len(chunk) > 1
	if short {
		chunk = chunk[:max(1, len(chunk)-p.short)]
		p.short = 0
		p.count(q)
	}
	p.mu.Unlock()
	if _, err := to.Write(chunk); err != nil {
		q.reset()
		return false
	}
	if short {
		q.end() // an orderly end, so that what was written arrives
		return false
	}
	return true
}

// flows waits until something may pass; false: the connection has been ended.
func (p *Proxy) flows(q *pair) bool {
	p.mu.Lock()
	wait := p.stalled
	p.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-q.done:
		}
	}
	select {
	case <-q.done:
		return false
	default:
		return true
	}
}

// reset ends both sides with a reset.
func (q *pair) reset() {
	q.once.Do(func() {
		close(q.done)
		abort(q.client)
		abort(q.server)
	})
}

// end ends the client's side in order and the server's with a reset.
func (q *pair) end() {
	q.once.Do(func() {
		close(q.done)
		q.client.Close()
		abort(q.server)
	})
}

// abort closes c so that the peer sees a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // a connection that has ended needs no reset
	c.Close()
}
