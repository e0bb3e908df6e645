package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

const (
	// wakeID is the event of a wake-up; clients have theirs from 0 up, callers from -1 down.
	wakeID = math.MinInt32
	// readSize is how much is read from a socket at once, in bytes.
	readSize = 64 << 10
	// longestWait bounds a wait for events: the ticks of dialects must go on.
	longestWait = 20 * time.Millisecond
)

// event is what has happened to a socket: there is something to read, an end or an error included, or room to write.
type event struct {
	id, gen int32
	in, out bool
}

// unfinished is why a server has not finished a profile: it goes into the result, since it is the server's.
type unfinished string

func (u unfinished) Error() string { return string(u) }

func unfinishedf(format string, args ...any) error { return unfinished(fmt.Sprintf(format, args...)) }

// engine is all the clients of a run, and the goroutine that calls its methods owns it: it waits for their sockets, reads each into one buffer that they share,
// and has what has come handled in place. A client that waits has neither a goroutine nor a buffer.
type engine struct {
	poll    *poller
	dialect Dialect
	ticker  Ticker // nil where the dialect is none
	to      netip.AddrPort
	host    string
	path    string // before each target

	clients []client
	callers []*caller
	buf     []byte   // what is read goes here
	spare   [][]byte // buffers that nobody uses
	zero    int64    // CLOCK_MONOTONIC at began
	began   time.Time

	dialing    []int32 // clients that are to connect, in turn
	handshakes int     // under way
	most       int     // of them at once
	attached   int     // clients that are ready
	ticked     float64 // whose tick is next
	tickedAt   int64

	got, doubled, disordered uint64 // frames: each once; again; late
	seen                     int64  // when what is being handled was read

	onReady func(c *client)                           // nil: nothing to do
	onFrame func(c *client, number uint64, due int64) // of each frame that had not come before; likewise
	onGone  func(c *client, err error)                // of a connection that ended; nil: it should not have, unless it was told to
	err     error                                     // what ends the run
}

func newEngine(d Dialect, to netip.AddrPort, path string) (*engine, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	e := &engine{poll: p, dialect: d, to: to, host: to.String(), path: path, buf: make([]byte, readSize), most: 400}
	e.began, e.zero = bothClocks()
	e.ticker, _ = d.(Ticker)
	e.tickedAt = e.now()
	return e, nil
}

// bothClocks reads Go's clock and CLOCK_MONOTONIC at the same moment, or as nearly as it gets: whoever is interrupted in between tries again.
func bothClocks() (began time.Time, zero int64) {
	best := time.Duration(math.MaxInt64)
	for range 100 {
		before := time.Now()
		t := monotonic()
		if took := time.Since(before); took < best {
			began, zero, best = before, t-int64(took/2), took
		}
	}
	return began, zero
}

// close closes what is open, as if the network had gone.
func (e *engine) close() {
	for i := range e.clients {
		if c := &e.clients[i]; c.fd >= 0 {
			e.poll.shut(c.fd, true)
			c.fd = -1
		}
	}
	for _, c := range e.callers {
		e.poll.shut(c.fd, false)
	}
	e.poll.close()
}

// now is CLOCK_MONOTONIC, without a system call: Go's clock is the same one, from another zero.
func (e *engine) now() int64 { return e.zero + int64(time.Since(e.began)) }

// populate makes n clients that are away, with ids of the stand's pattern.
func (e *engine) populate(prefix, topic string, n int) {
	e.clients = make([]client, n)
	for i := range e.clients {
		c := &e.clients[i]
		*c = client{Session: Session{ID: fmt.Sprintf("%s%06d", prefix, i), Topic: topic, engine: c}, e: e, index: int32(i), fd: -1}
	}
}

// connect has clients from first on connect in turn, n of them.
func (e *engine) connect(first, n int) {
	for i := range n {
		e.dialing = append(e.dialing, int32(first+i))
	}
}

// fail ends the run with err, unless something else has.
func (e *engine) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// step waits up to so long for something to happen, and handles it.
func (e *engine) step(most time.Duration) error {
	for len(e.dialing) > 0 && e.handshakes < e.most && e.err == nil {
		next := &e.clients[e.dialing[0]]
		e.dialing = e.dialing[1:]
		next.dial()
	}
	events, err := e.poll.wait(most)
	if err != nil {
		return err
	}
	for i := range events {
		switch ev := &events[i]; {
		case ev.id == wakeID:
		case ev.id < 0:
			e.callers[-1-ev.id].event(ev)
		default:
			if c := &e.clients[ev.id]; c.fd >= 0 && c.gen == ev.gen {
				c.event(ev)
			}
		}
	}
	e.tick()
	return e.err
}

// tick gives the clients their ticks in turn, so that each has one a second.
func (e *engine) tick() {
	if e.ticker == nil || len(e.clients) == 0 {
		return
	}
	now := e.now()
	to := e.ticked + float64(now-e.tickedAt)/float64(time.Second)*float64(len(e.clients))
	e.tickedAt = now
	to = min(to, e.ticked+float64(len(e.clients)))
	for i := int(e.ticked); i < int(to); i++ {
		if c := &e.clients[i%len(e.clients)]; c.phase == ready {
			c.lend()
			e.ticker.Tick(&c.Session)
			c.flush()
		}
	}
	e.ticked = to - float64(int(to)/len(e.clients)*len(e.clients))
}

// await handles what happens until done says so. It is an unfinished after limit, which says what has not happened.
func (e *engine) await(ctx context.Context, limit time.Duration, what func() string, done func() bool) error {
	end := e.now() + int64(limit)
	for !done() {
		left := time.Duration(end - e.now())
		if left <= 0 {
			return unfinishedf("after %s %s", limit, what())
		}
		if err := e.step(min(left, longestWait)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// pass handles what happens for so long.
func (e *engine) pass(ctx context.Context, d time.Duration) error {
	end := e.now() + int64(d)
	return e.await(ctx, d+time.Minute, func() string { return "" }, func() bool { return e.now() >= end })
}

// call runs f, which may block, while what happens is handled.
func (e *engine) call(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- f(ctx)
		e.poll.wake()
	}()
	for {
		select {
		case err := <-ended:
			return err
		default:
		}
		if err := e.step(longestWait); err != nil {
			cancel()
			return errors.Join(err, <-ended)
		}
	}
}

// lendBuffer returns an empty buffer; giveBack takes it back.
func (e *engine) lendBuffer() []byte {
	if n := len(e.spare); n > 0 {
		b := e.spare[n-1]
		e.spare = e.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 1024)
}

func (e *engine) giveBack(b []byte) {
	if cap(b) <= readSize && len(e.spare) < 64 {
		e.spare = append(e.spare, b)
	}
}
