package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// pump hands a the next batch, if none is under way: first what is queued outside the sequence, then the frames after
// its cursor, up to the end of its replay. Draining and closing end with the last batch.
func (s *Session) pump(now time.Duration, a *attachment, fx *Effects) {
	if a.batch != nil || !s.known() {
		return
	}
	reading := a.closing == 0 && !a.awaiting
	if reading && a.cursor < s.box.Floor() {
		s.end(now, a, protocol.CloseSlowConsumer, fx) // its next frame is gone (P-8)
		return
	}
	batch := a.out
	a.out = nil
	if a.pinging == pingQueued {
		a.pinging = pingUnderWay
	}
	a.lifting, a.lift = max(a.lifting, a.lift), 0
	if a.replies > 0 {
		a.replies, a.replyBytes = 0, 0
		s.pause(a, fx)
	}
	if reading {
		batch = s.fill(a, batch, fx)
		if d := s.x.drain; d != nil && !a.replaying && a.cursor == s.box.Head() && s.box.Tail() == s.box.Head() {
			batch = append(batch, protocol.Piece{Body: protocol.EncodeGoaway(d.retryMS)})
			a.closing = protocol.CloseDraining
		}
	}
	if len(batch) > 0 {
		a.batch, a.handed = batch, a.cursor
		fx.Writes = append(fx.Writes, Write{a.gen, batch})
	}
	if a.closing != 0 {
		s.end(now, a, a.closing, fx)
	}
}

// end closes a's connection, and takes the least ack anew where that ends a place.
func (s *Session) end(now time.Duration, a *attachment, code protocol.CloseCode, fx *Effects) {
	if s.close(now, a, code, fx) {
		s.retake(now, fx)
	}
}

// fill appends the frames after a's cursor, and replay_end where it is due. Frames that are not in memory are asked for, and come with a
// later batch; what waits outside the sequence does not wait for them.
func (s *Session) fill(a *attachment, batch []protocol.Piece, fx *Effects) []protocol.Piece {
	most := uint64(maxBatchFrames)
	if a.replaying {
		most = min(most, a.replayTo-min(a.replayTo, a.cursor))
	}
	if len(a.notices) > 0 {
		most = min(most, a.notices[0].seq-min(a.notices[0].seq, a.cursor))
	}
	before := len(batch)
	switch {
	case a.fetching != 0:
	case a.seldom != nil && a.seldom.fetched != nil:
		batch, a.seldom.fetched = append(batch, a.seldom.fetched...), nil
	case a.cursor < s.box.Cold() && most > 0:
		a.fetching = s.fetch(a.cursor, int(most), protocol.BatchBytes, fx)
	default:
		if batch == nil && a.cursor < s.box.Head() {
			batch = fx.pieces(int(min(most+1, s.box.Head()-a.cursor)))
		}
		batch = s.box.Copy(batch, a.cursor, int(most), protocol.BatchBytes)
	}
	if len(batch) > before {
		a.cursor = batch[len(batch)-1].Seq
		s.sent = max(s.sent, a.cursor)
	}
	if a.replaying && a.cursor >= a.replayTo {
		a.replaying = false
		batch = append(batch, protocol.Piece{Body: protocol.EncodeReplayEnd(a.replayTo)})
	}
	if len(a.notices) > 0 {
		a.notices = keepUnless(a.notices, func(n notice) bool {
			due := n.seq <= a.cursor
			if due {
				batch = append(batch, protocol.Piece{Body: n.body})
			}
			return due
		})
		s.pause(a, fx)
	}
	return batch
}

// maxDeferred is how many frames may wait for Pump.
const maxDeferred = 16

// deferrable reports whether what has been confirmed may wait for Pump: nobody is so far behind, nor the bounds so near, that a reader who keeps up
// could lose it.
func (s *Session) deferrable() bool {
	b := s.cfg.Bounds
	if s.x == nil || len(s.x.attached) == 0 || s.x.drain != nil || b.Frames > 0 && b.Frames <= maxDeferred ||
		b.Bytes > 0 && b.Bytes < maxDeferred*int64(s.cfg.MaxFrameBytes+protocol.FrameOverhead) {
		return false
	}
	for _, a := range s.x.attached {
		if a.batch == nil && s.box.Head()-min(a.cursor, s.box.Head()) >= maxDeferred {
			return false
		}
	}
	return true
}

// Pump writes what has been deferred.
func (s *Session) Pump(now time.Duration, fx *Effects) {
	s.pumpAll(now, fx)
	s.settle(now, fx)
}

// pumpAll offers every attachment what there is.
func (s *Session) pumpAll(now time.Duration, fx *Effects) {
	if s.x == nil {
		return
	}
	for i := 0; i < len(s.x.attached); {
		a := s.x.attached[i]
		s.pump(now, a, fx)
		if i < len(s.x.attached) && s.x.attached[i] == a {
			i++
		}
	}
}

// Written says that the batch under way of connection gen is with the kernel.
func (s *Session) Written(now time.Duration, gen uint64, fx *Effects) {
	if a := s.x.find(gen); a != nil && a.batch != nil {
		fx.reuse(a.batch)
		a.batch = nil
		if a.pinging == pingUnderWay {
			a.pinging = pingNone
		}
		a.acked, a.lifting = max(a.acked, a.lifting), 0
		if a.handed > s.x.written {
			s.x.written = a.handed
			s.answerWaits(fx)
		}
		s.pump(now, a, fx)
	}
	s.settle(now, fx)
}

// PingDue queues a JSON ping for connection gen, unless one is still on its way (P-16).
func (s *Session) PingDue(now time.Duration, gen uint64, fx *Effects) {
	if a := s.x.find(gen); a != nil {
		if a.pinging != pingNone {
			fx.event(EventPingPending, 1)
		} else {
			a.pinging = pingQueued
			a.out = append(a.out, protocol.Piece{Body: protocol.EncodePing(s.box.Head())})
			s.pump(now, a, fx)
		}
	}
	s.settle(now, fx)
}

// reply queues one frame outside the sequence; at 64 of them or 64 KiB the connection's reading stops (P-27).
func (s *Session) reply(now time.Duration, a *attachment, b protocol.Body, fx *Effects) {
	a.out = append(a.out, protocol.Piece{Body: b})
	a.replies++
	a.replyBytes += len(b)
	s.pause(a, fx)
	s.pump(now, a, fx)
}

// pause tells the connection to stop or go on, where that changes. A send that waits for its outcome is a reply to come.
func (s *Session) pause(a *attachment, fx *Effects) {
	stop := a.replies+a.sending+len(a.notices) >= protocol.MaxReplies || a.replyBytes >= protocol.MaxReplyBytes
	if stop != a.paused {
		a.paused = stop
		fx.Pauses = append(fx.Pauses, Pause{a.gen, stop})
	}
}
