package client

import (
	"bytes"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// writer is the writing side of one connection: a goroutine that gathers what is to be said into one write. What waits is bounded by
// its shape: one pong of each kind, one cumulative ack, one message for each subscription, one send for each target, one close frame.
type writer struct {
	link    *link
	timeout time.Duration
	// source is asked for acks and sends.
	source source
	wake   chan struct{}
	// gone is closed when the goroutine has ended; nothing is written from then on.
	gone chan struct{}

	mu     sync.Mutex
	pong   bool
	pings  [][]byte // payloads of RFC 6455 pings to answer: at most the latest (RFC 6455, 5.5.3)
	ackDue bool
	ackGap time.Duration // between acks; 0 before hello
	ending *ending
}

// ending is the one close frame of a connection.
type ending struct {
	code protocol.CloseCode
	// ack says that what has been applied is acknowledged before it.
	ack bool
	// silent ends the goroutine without a close frame.
	silent bool
}

// source is what the writer asks for the client's own messages. Before hello it has none.
type source interface {
	// ack appends an ack of what has been applied, if that is more than was acknowledged and either at once is set or gap has passed.
	// It says when the next one may be due; zero as long as nothing can be acknowledged.
	ack(dst []message, atOnce bool, now time.Time, gap time.Duration) ([]message, time.Time)
	// subscriptions appends what is to be subscribed to or unsubscribed from now, and says when there will be more; zero for no such time.
	subscriptions(dst []message, now time.Time) ([]message, time.Time)
	// sends appends the sends that are due, and says when the next one will be; zero for none.
	sends(dst []message, now time.Time) ([]message, time.Time)
}

// message is the text of one message.
type message []byte

func newWriter(l *link, timeout time.Duration, src source) *writer {
	return &writer{link: l, timeout: timeout, source: src, wake: make(chan struct{}, 1), gone: make(chan struct{})}
}

// answer queues the pong for the server's JSON ping (P-16).
func (w *writer) answer() {
	w.mu.Lock()
	w.pong = true
	w.mu.Unlock()
	signal(w.wake)
}

// echo queues the pong for an RFC 6455 ping.
func (w *writer) echo(payload []byte) {
	w.mu.Lock()
	w.pings = append(w.pings[:0], payload)
	w.mu.Unlock()
	signal(w.wake)
}

// ackNow asks for an ack without waiting for its interval (P-12).
func (w *writer) ackNow() {
	w.mu.Lock()
	w.ackDue = true
	w.mu.Unlock()
	signal(w.wake)
}

// greeted starts the client's own messages: hello has come, and with it the interval of acks.
func (w *writer) greeted(ackGap time.Duration) {
	w.mu.Lock()
	w.ackGap = ackGap
	w.mu.Unlock()
	signal(w.wake)
}

// end queues the close frame; the first call counts.
func (w *writer) end(e ending) {
	w.mu.Lock()
	if w.ending == nil {
		w.ending = &e
	}
	w.mu.Unlock()
	signal(w.wake)
}

// run writes until it has written a close frame, which leaves the peer closeTime to answer, or cannot write any more: then it closes
// the connection, so that the reader sees the end.
func (w *writer) run() {
	defer close(w.gone)
	for {
		out, next, done := w.gather()
		if len(out) > 0 && !w.write(out) {
			w.link.conn.Close()
			return
		}
		if done {
			w.link.leaveTime()
			return
		}
		var due <-chan time.Time
		var timer *time.Timer
		if !next.IsZero() {
			timer = time.NewTimer(time.Until(next))
			due = timer.C
		}
		select {
		case <-w.wake:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

func (w *writer) write(out []byte) bool {
	var until time.Time
	if w.timeout > 0 {
		until = time.Now().Add(w.timeout)
	}
	if err := w.link.conn.SetWriteDeadline(until); err != nil {
		return false
	}
	_, err := w.link.conn.Write(out)
	return err == nil
}

// gather takes everything that is to be written now, as bytes on the wire. next is when there may be more; zero for no such time.
func (w *writer) gather() (out []byte, next time.Time, done bool) {
	w.mu.Lock()
	pong, pings, ackDue, end := w.pong, w.pings, w.ackDue, w.ending
	gap := w.ackGap
	w.pong, w.pings, w.ackDue = false, nil, false
	w.mu.Unlock()

	var buf bytes.Buffer
	for _, p := range pings {
		put(&buf, ws.NewPongFrame(p))
	}
	var say []message
	if pong {
		say = append(say, message(protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypePong})))
	}
	now := time.Now()
	if gap > 0 && (end == nil || end.ack) {
		say, next = w.source.ack(say, ackDue || end != nil, now, gap)
	}
	if gap > 0 && end == nil {
		var again time.Time
		say, again = w.source.subscriptions(say, now)
		next = sooner(next, again)
		say, again = w.source.sends(say, now)
		next = sooner(next, again)
	}
	for _, m := range say {
		put(&buf, ws.NewTextFrame(m))
	}
	if end != nil && !end.silent {
		put(&buf, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(end.code), "")))
	}
	return buf.Bytes(), next, end != nil
}

// sooner returns the earlier of two times, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// put appends a frame as a client writes it: masked.
func put(buf *bytes.Buffer, f ws.Frame) {
	if err := ws.WriteFrame(buf, ws.MaskFrameInPlace(f)); err != nil {
		panic("client: " + err.Error()) // a buffer cannot fail, and no frame of ours is too large
	}
}
