package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"
)

// crashReader is an application that reads one client over servers that die: it keeps a cursor, drops what it has, acks what it has
// applied, and is cut off now and then.
type crashReader struct {
	w   *world
	n   int
	id  string
	rnd *rand.Rand

	epoch         string // "" before the first hello
	cursor, acked uint64
	done          bool // the last frame of all has come
}

func (r *crashReader) run() error {
	for !r.done {
		switch err := r.once(); {
		case err == nil:
			r.w.cuts.Add(1)
			if r.w.quiet > 0 {
				within(r.w.quiet, r.rnd, r.w.ctx.Done())
			}
		case errors.Is(err, errHole) || !isEnd(err):
			return err
		default:
			r.w.again(r.rnd)
		}
		if r.w.all.Err() != nil {
			return nil // the test has failed elsewhere
		}
	}
	return nil
}

// once is one connection. nil: the reader left by itself.
func (r *crashReader) once() error {
	d := dialing{query: query(r.id)}
	if r.epoch != "" {
		// Now and then from further back than it could: what it has comes again, and is dropped. An attach is as good as an ack.
		since := r.cursor
		if r.rnd.IntN(4) == 0 {
			since -= r.rnd.Uint64N(r.cursor - r.acked + 1)
		}
		d.query.Set("since", fmt.Sprintf("%s:%d", r.epoch, since))
		r.acked = max(r.acked, since)
	}
	c, err := r.w.e.upgrade(d)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	cut := make(chan struct{})
	life := time.AfterFunc(time.Duration(r.rnd.IntN(3000))*time.Millisecond, func() { close(cut); c.cut() })
	defer life.Stop()
	for !r.done {
		ev, err := c.read()
		if err != nil {
			select {
			case <-cut:
				if isEnd(err) {
					return nil
				}
			default:
			}
			return err
		}
		if ev.op == ws.OpClose {
			return fmt.Errorf("closed with %d %s", ev.code, ev.reason)
		}
		if ev.msg == nil {
			continue
		}
		if err := r.take(c, ev.msg); err != nil {
			return err
		}
	}
	_ = c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, r.cursor))
	return nil
}

func (r *crashReader) cursorNow() string { return fmt.Sprintf("%s:%d", r.epoch, r.cursor) }

func (r *crashReader) take(c *socket, m *message) error {
	switch {
	case m.Seq > 0:
		if err := r.frame(m); err != nil {
			return err
		}
		if m.Seq == r.cursor && (r.cursor-r.acked >= 20 || r.rnd.IntN(20) == 0) { // more than this connection was sent is not its to ack
			r.acked = r.cursor
			_ = c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, r.cursor)) // an error shows at the next read
		}
	case m.Type == "hello":
		return r.hello(m)
	case m.Type == "ping":
		_ = c.text(`{"type":"pong"}`)
	case m.Type == "error":
		return fmt.Errorf("the server says %s", m.Raw)
	}
	return nil
}

// hello begins a connection: in the epoch of the one before, and at its cursor.
func (r *crashReader) hello(m *message) error {
	switch {
	case r.epoch == "":
		r.epoch, r.cursor = m.Epoch, m.Floor
		if m.Floor != 0 {
			return fmt.Errorf("the first attach begins at floor %d", m.Floor)
		}
	case r.epoch != m.Epoch:
		return fmt.Errorf("the epoch changed from %s to %s: %s", r.epoch, m.Epoch, m.Raw)
	case m.Resume != "replay" && m.Resume != "up_to_date":
		return fmt.Errorf("attached at %s:%d, told %s", r.epoch, r.cursor, m.Raw)
	}
	return nil
}

// frame applies one sequenced frame, once.
func (r *crashReader) frame(m *message) error {
	if m.Seq <= r.cursor {
		return nil
	}
	if m.Seq != r.cursor+1 {
		return fmt.Errorf("%w: the application has %d, then came %d", errHole, r.cursor, m.Seq)
	}
	r.cursor = m.Seq
	head := fmt.Sprintf(`{"seq":%d,`, m.Seq)
	if m.Type == "end" {
		r.done = true
		return nil
	}
	if m.Pub < 0 || m.Pub >= len(r.w.writers) {
		return fmt.Errorf("a frame of nobody: %.200s", m.Raw)
	}
	if p := r.w.writers[m.Pub]; p.sends() {
		head += fmt.Sprintf(`"from":%q,`, p.id())
	}
	if want := head + deed(m.Pub, m.N)[1:]; m.Raw != want {
		return fmt.Errorf("frame %d is not what was published: %.200s", m.Seq, m.Raw)
	}
	got := &r.w.ledger.arrivals[r.n][m.Pub]
	*got = append(*got, arrival{m.N, m.Seq})
	return nil
}
