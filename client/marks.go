package client

import (
	"sync/atomic"
	"time"

	"github.com/restante/restante/protocol"
)

// marks are what the writing side of an attach needs to know of it: the reading goroutine sets them, the writer reads them.
type marks struct {
	life, seen atomic.Uint64
	begun      atomic.Bool
	maxFrame   atomic.Int64
}

func (m *marks) begin(life, seq uint64) {
	m.life.Store(life)
	m.seen.Store(seq)
	m.begun.Store(true)
}

// ack implements source.
func (a *attachment) ack(dst []message, atOnce bool, now time.Time, gap time.Duration) ([]message, time.Time) {
	m := &a.marks
	if !m.begun.Load() {
		return dst, time.Time{} // begin wakes the writer
	}
	due, next := a.c.inbox.ackTime(now, gap)
	if !due && !atOnce {
		return dst, next
	}
	if seq, ok := a.c.inbox.ack(m.life.Load(), m.seen.Load()); ok {
		dst = append(dst, protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypeAck, Seq: seq}))
	}
	return dst, next
}

// subscriptions implements source.
func (a *attachment) subscriptions(dst []message, now time.Time) ([]message, time.Time) {
	out, next := a.c.subs.due(now, a.c.inbox.topicSince)
	for _, m := range out {
		dst = append(dst, protocol.AppendMessage(nil, m))
	}
	return dst, next
}

// sends implements source.
func (a *attachment) sends(dst []message, now time.Time) ([]message, time.Time) {
	maxFrame := int(a.marks.maxFrame.Load())
	out, tooLarge, next := a.c.sends.due(a.id, maxFrame, now)
	for _, p := range tooLarge {
		if p := a.c.sends.remove(p.ID); p != nil {
			a.c.finish(p, protocol.Receipt{}, protocol.Errorf(protocol.CodeTooLarge, "the frame has %d bytes, the limit is %d", len(p.Frame), maxFrame))
		}
	}
	for _, p := range out {
		dst = append(dst, protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypeSend, ID: p.ID, To: p.To, Frame: p.Frame}))
	}
	return dst, next
}
