package session

import (
	"encoding/json"
	"time"

	"github.com/restante/restante/protocol"
)

// Read is one GET …/frames: a page after Since, of at most Limit frames and protocol.MaxPageBytes. Wait says
// whether to wait while there is nothing new; the caller ends the wait with GiveUp.
type Read struct {
	To    any
	Since *protocol.Cursor
	Limit int
	Wait  bool
}

// read is a Read that is not answered yet: it waits for a frame after its cursor, or for the snapshot.
type read struct {
	to         any
	limit      int
	cursor     uint64
	resume     protocol.Resume
	reason     protocol.Reason
	awaiting   bool
	snapshotBy time.Duration
}

// Read answers with the page after Since, by the rules of an attach (P-7). It counts as sent, is no ack, and holds no place.
func (s *Session) Read(now time.Duration, in Read, fx *Effects) {
	defer s.settle(fx)
	s.active = now
	s.prune(now, fx)
	r := read{to: in.To, limit: in.Limit, cursor: s.box.Floor()}
	r.resume, r.reason = s.decide(in.Since)
	draining := s.x != nil && (s.x.drain != nil || s.x.ending != nil)
	switch r.resume {
	case protocol.ResumeUpToDate, protocol.ResumeReplay:
		r.cursor = in.Since.Seq
		if r.resume == protocol.ResumeReplay || !in.Wait || draining {
			s.answerRead(r, nil, fx)
			return
		}
	default:
		if !s.cfg.Snapshots || draining {
			s.answerRead(r, nil, fx)
			return
		}
		r.awaiting, r.snapshotBy = true, now+s.cfg.SnapshotTimeout
	}
	x := s.more(fx)
	if len(x.reads) >= MaxWaiting {
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: protocol.CodeOverloaded})
		fx.fail(in.To, &protocol.Error{Code: protocol.CodeOverloaded, Message: "too many reads wait on this client", RetryAfterMS: 1000})
		return
	}
	x.reads = append(x.reads, r)
	if r.awaiting {
		s.askSnapshot(fx)
	}
}

// answerReads answers the long-polls that a new frame has come for.
func (s *Session) answerReads(fx *Effects) {
	if s.x == nil || len(s.x.reads) == 0 {
		return
	}
	s.x.reads = keepUnless(s.x.reads, func(r read) bool {
		if r.awaiting || r.cursor >= s.box.Head() {
			return false
		}
		s.answerRead(r, nil, fx)
		return true
	})
}

// answerRead answers r as things stand, with snapshot where there is one. A long-poll whose next frame is gone by now is told so.
func (s *Session) answerRead(r read, snapshot json.RawMessage, fx *Effects) {
	if r.cursor < s.box.Floor() {
		if r.resume == protocol.ResumeUpToDate {
			r.resume, r.reason = protocol.ResumeTooOld, protocol.ReasonPruned
		}
		r.cursor = s.box.Floor()
	} else if r.resume == protocol.ResumeUpToDate && r.cursor < s.box.Head() {
		r.resume = protocol.ResumeReplay
	}
	page := &protocol.Page{
		Resume: r.resume, Reason: r.reason, Epoch: s.epoch.String(), Floor: s.box.Floor(), Head: s.box.Head(),
		Snapshot: snapshot, Frames: []json.RawMessage{},
	}
	for _, p := range s.box.Copy(nil, r.cursor, r.limit, protocol.MaxPageBytes) {
		page.Frames = append(page.Frames, protocol.AppendFrame(nil, p.Seq, p.Body))
		r.cursor = p.Seq
	}
	if r.cursor > s.sent {
		s.sent = r.cursor
	}
	if r.cursor > s.written {
		s.written = r.cursor
		s.answerWaits(fx)
	}
	page.Cursor = protocol.Cursor{Epoch: page.Epoch, Seq: r.cursor}.String()
	page.More = r.cursor < s.box.Head()
	fx.Replies = append(fx.Replies, Reply{To: r.to, Page: page})
}
