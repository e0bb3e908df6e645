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

// read is a Read that is not answered yet: it waits for a frame after its cursor, for the snapshot, or for the store.
type read struct {
	to         any
	limit      int
	bytes      int
	log        bool // it is a follower's, with since
	since      *protocol.Cursor
	cursor     uint64
	resume     protocol.Resume
	reason     protocol.Reason
	wait       bool // for a frame after the cursor
	awaiting   bool // for the snapshot, until snapshotBy
	snapshotBy time.Duration
	unborn     bool            // for the epoch to be known
	fetching   uint64          // the token of the frames that the store is asked for; 0 for none
	snapshot   json.RawMessage // goes with the page that is being fetched, or waits
}

// Read answers with the page after Since, by the rules of an attach (P-7). It counts as sent, is no ack, and holds no place.
func (s *Session) Read(now time.Duration, in Read, fx *Effects) {
	defer s.settle(now, fx)
	s.active = now
	s.prune(now, fx)
	r := &read{to: in.To, limit: in.Limit, bytes: protocol.MaxPageBytes, cursor: s.box.Floor()}
	r.resume, r.reason = s.decide(in.Since)
	ending := s.x != nil && s.x.ending != nil
	draining := s.x != nil && s.x.drain != nil || ending
	switch r.resume {
	case protocol.ResumeUpToDate, protocol.ResumeReplay:
		r.cursor = in.Since.Seq
		r.wait = r.resume == protocol.ResumeUpToDate && in.Wait && !draining && !s.Over()
	default:
		r.awaiting, r.snapshotBy = s.hasSnapshot() && !draining, now+s.cfg.SnapshotTimeout
	}
	r.unborn = !s.known() && !draining
	cold := !r.wait && !r.awaiting && r.cold(s)
	switch {
	case ending && (cold || !s.known()): // what is being deleted is not read from the store any more
		fx.fail(in.To, protocol.Errorf(protocol.CodeNotFound, "the client is being deleted"))
		return
	case draining && !s.known():
		fx.fail(in.To, s.x.drain.refusal(""))
		return
	}
	if (r.wait || r.awaiting || r.unborn || cold) && s.x != nil && len(s.x.reads) >= MaxWaiting {
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: protocol.CodeOverloaded})
		fx.fail(in.To, &protocol.Error{Code: protocol.CodeOverloaded, Message: "too many reads wait on this client", RetryAfterMS: 1000})
		return
	}
	if !r.wait && !r.awaiting && s.answerRead(r, nil, fx) {
		return
	}
	x := s.more(fx)
	x.reads = append(x.reads, r)
	if r.unborn {
		s.announce(fx)
	}
	if r.awaiting {
		s.askSnapshot(now, fx)
	}
}

// cold reports whether the page after r's cursor begins with frames that are not in memory.
func (r *read) cold(s *Session) bool {
	return r.limit > 0 && max(r.cursor, s.box.Floor()) < s.box.Cold()
}

// answerReads answers the long-polls that a new frame has come for.
func (s *Session) answerReads(fx *Effects) {
	if s.x == nil || len(s.x.reads) == 0 {
		return
	}
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if !r.wait || r.cursor >= s.box.Head() {
			return false
		}
		r.wait = false
		return s.answerRead(r, nil, fx)
	})
}

// answerRead answers r as things stand, with snapshot where there is one, and returns true; false: the store has been asked for the
// frames, or for the epoch, and r waits for it. A long-poll whose next frame is gone by now is told so.
func (s *Session) answerRead(r *read, snapshot json.RawMessage, fx *Effects) (done bool) {
	if r.unborn {
		r.snapshot = snapshot
		return false
	}
	if r.cursor < s.box.Floor() && r.log {
		r.cursor = s.box.Floor()
	} else if r.cursor < s.box.Floor() {
		if r.resume == protocol.ResumeUpToDate || r.resume == protocol.ResumeReplay {
			r.resume, r.reason = protocol.ResumeTooOld, protocol.ReasonPruned
		}
		r.cursor, snapshot = s.box.Floor(), nil // a snapshot from before would have a hole behind it
	} else if r.resume == protocol.ResumeUpToDate && r.cursor < s.box.Head() {
		r.resume = protocol.ResumeReplay
	}
	if r.cold(s) {
		r.snapshot = snapshot
		r.fetching = s.fetch(r.cursor, r.limit, r.bytes, fx)
		return false
	}
	s.answerPage(r, snapshot, s.box.Copy(nil, r.cursor, r.limit, r.bytes), fx)
	return true
}

// answerPage answers r with the frames after its cursor.
func (s *Session) answerPage(r *read, snapshot json.RawMessage, frames []protocol.Piece, fx *Effects) {
	if r.log {
		s.answerLog(r, frames, fx)
		return
	}
	page := &protocol.Page{
		Resume: r.resume, Reason: r.reason, Epoch: s.Epoch().String(), Floor: s.box.Floor(), Head: s.box.Head(),
		Snapshot: snapshot, Frames: []json.RawMessage{},
	}
	for _, p := range frames {
		frame := json.RawMessage(p.Body)
		if !s.cfg.Topic {
			frame = protocol.AppendFrame(nil, p.Seq, p.Body)
		}
		page.Frames = append(page.Frames, frame)
		r.cursor = p.Seq
	}
	if r.cursor > s.sent {
		s.sent = r.cursor
	}
	if s.x != nil && r.cursor > s.x.written {
		s.x.written = r.cursor
		s.answerWaits(fx)
	}
	page.Cursor = protocol.Cursor{Epoch: page.Epoch, Seq: r.cursor}.String()
	page.More = r.cursor < s.box.Head()
	fx.Replies = append(fx.Replies, Reply{To: r.to, Page: page, Closed: s.Over()})
}
