package tests

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

// maxPending is how many sends a sender lets wait for their receipts.
const maxPending = 4

// sending is one send that waits for its receipt, and what it is in the ledger.
type sending struct {
	id, text   string
	client, at int
	seq        uint64 // of the receipt
}

// sender is the WebSocket side of a crashWriter.
type sender struct {
	*crashWriter
	epoch   string // of its own outbox
	pending []*sending
	last    *sending // the last one with a receipt
	again   *sending // the one of them that was sent once more on this connection
}

// send sends until the world's time is over and every receipt has come.
func (p *crashWriter) send() error {
	s := &sender{crashWriter: p}
	for !s.finished() {
		err := s.once()
		switch {
		case p.w.all.Err() != nil:
			return nil // the test has failed elsewhere
		case errors.Is(err, errHole) || err != nil && !isEnd(err):
			return err
		case err != nil:
			p.w.again(p.rnd)
		}
	}
	return nil
}

func (s *sender) finished() bool { return s.w.ctx.Err() != nil && len(s.pending) == 0 }

// once is one connection: what waits for a receipt is sent again, and so is, to be told that it is a duplicate, the last that has one.
func (s *sender) once() error {
	c, err := s.w.e.upgrade(dialing{query: query(s.id())})
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if s.again = s.last; s.again != nil {
		if err := c.text(s.again.text); err != nil {
			return err
		}
	}
	for _, p := range s.pending {
		if err := c.text(p.text); err != nil {
			return err
		}
	}
	for !s.finished() {
		if len(s.pending) < maxPending && s.w.ctx.Err() == nil {
			if err := c.text(s.next().text); err != nil {
				return err
			}
			continue
		}
		ev, err := c.read()
		if err != nil {
			return err
		}
		if ev.op == ws.OpClose {
			return fmt.Errorf("closed with %d %s", ev.code, ev.reason)
		}
		if ev.msg == nil {
			continue
		}
		if err := s.take(c, ev.msg); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) next() *sending {
	c := s.crashWriter.next()
	s.calls++
	p := &sending{id: fmt.Sprintf("s%d", s.calls), client: c.client, at: len(s.w.ledger.orders[s.n][c.client]) - 1}
	p.text = fmt.Sprintf(`{"type":"send","id":%q,"to":%q,"frame":%s}`, p.id, s.w.readers[c.client].id, c.frames[0])
	s.pending = append(s.pending, p)
	return p
}

func (s *sender) take(c *socket, m *message) error {
	switch m.Type {
	case "hello":
		if s.epoch != "" && s.epoch != m.Epoch {
			return fmt.Errorf("the epoch changed from %s to %s", s.epoch, m.Epoch)
		}
		s.epoch = m.Epoch
	case "receipt":
		return s.receipt(m)
	case "ping":
		_ = c.text(`{"type":"pong"}`)
	case "replay_end":
	default:
		return fmt.Errorf("the server says %s", m.Raw)
	}
	return nil
}

func (s *sender) receipt(m *message) error {
	if m.Status == "duplicate" {
		s.w.repeats.Add(1)
	}
	if s.again != nil && m.ID == s.again.id {
		if m.Status != "duplicate" || m.At != s.again.seq {
			return fmt.Errorf("a repeat of the send %s, which was stored as %d, is answered with %s", m.ID, s.again.seq, m.Raw)
		}
		return nil
	}
	for i, p := range s.pending {
		if p.id == m.ID {
			s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
			p.seq, s.last = m.At, p
			return s.confirm(p.client, p.at, m.Epoch, m.At)
		}
	}
	return fmt.Errorf("a receipt for nothing: %s", m.Raw)
}
