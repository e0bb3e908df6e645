package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// A Session whose Config has Topic set is a topic's log (P-32): its frames are numbered as a topic's, nobody attaches to it, and what it has
// confirmed is news for its followers.

// LogRead asks a topic's log for the frames after After, up to so many and so many bytes, but at least one. With none asked for it says
// where the log is, and what P-7 makes of Since.
type LogRead struct {
	To            any
	After         uint64
	Since         *protocol.Cursor
	Frames, Bytes int
	// Snapshot asks for the topic's snapshot instead (P-9).
	Snapshot bool
}

// Log answers a LogRead. Frames are those from After+1 on, which is the read's After, or Floor where that is greater.
type Log struct {
	Epoch       string
	Floor, Head uint64
	Closed      bool
	Resume      protocol.Resume
	Reason      protocol.Reason
	// HasSnapshot says that there is a snapshot to ask for. Data is it, as of AsOf, where it was asked for.
	HasSnapshot bool
	AsOf        uint64
	Data        []byte
	After       uint64
	Frames      []protocol.Body
}

// Log reads the log for a follower. Its answer is a Reply with Log.
func (s *Session) Log(now time.Duration, in LogRead, fx *Effects) {
	defer s.settle(now, fx)
	s.prune(now, fx)
	ending := s.x != nil && s.x.ending != nil
	if ending {
		fx.fail(in.To, protocol.Errorf(protocol.CodeNotFound, "the topic is being deleted"))
		return
	}
	draining := s.x != nil && s.x.drain != nil
	if draining && !s.known() {
		fx.fail(in.To, s.x.drain.refusal(""))
		return
	}
	r := &read{to: in.To, log: true, since: in.Since, cursor: max(in.After, s.box.Floor()), limit: in.Frames, bytes: in.Bytes}
	r.unborn = !s.known()
	if in.Snapshot {
		if !s.hasSnapshot() {
			fx.fail(in.To, protocol.Errorf(protocol.CodeSnapshotUnavailable, "there is no snapshot of the topic any more"))
			return
		}
		r.awaiting, r.snapshotBy = true, now+s.cfg.SnapshotTimeout
	}
	if !r.awaiting && s.answerRead(r, nil, fx) {
		return
	}
	s.more(fx).reads = append(s.x.reads, r)
	if r.unborn {
		s.announce(fx)
	}
	if r.awaiting {
		s.askSnapshot(now, fx)
	}
}

// answerLog answers r with the frames after its cursor. What P-7 makes of its since is decided here, with the floor and the head that are said.
func (s *Session) answerLog(r *read, frames []protocol.Piece, fx *Effects) {
	resume, reason := s.decide(r.since)
	l := &Log{
		Epoch: s.Epoch().String(), Floor: s.box.Floor(), Head: s.box.Head(), Closed: s.Over(), Resume: resume, Reason: reason,
		HasSnapshot: s.hasSnapshot(), After: r.cursor,
	}
	for _, p := range frames {
		l.Frames = append(l.Frames, p.Body)
	}
	s.sent = max(s.sent, s.box.Head())
	fx.Replies = append(fx.Replies, Reply{To: r.to, Log: l})
}

// answerSnapshot answers r with the topic's snapshot, or with why there is none.
func (s *Session) answerSnapshot(r *read, asOf uint64, data []byte, e *protocol.Error, fx *Effects) {
	if e != nil {
		fx.fail(r.to, e)
		return
	}
	fx.Replies = append(fx.Replies, Reply{To: r.to, Log: &Log{Epoch: s.Epoch().String(), Floor: s.box.Floor(), Head: s.box.Head(), AsOf: asOf, Data: data}})
}

// Closed reports whether the topic is closed, or about to be.
func (s *Session) Closed() bool { return s.x != nil && s.x.closed }

// Over reports whether the topic is closed, and its last frame is confirmed: before that nobody is told (P-26).
func (s *Session) Over() bool { return s.Closed() && s.box.Head() == s.box.Tail() }

// Reclose answers who closes a topic that is closed, or about to be, with its last frame.
func (s *Session) Reclose(now time.Duration, to any, fx *Effects) {
	last := s.box.Tail()
	if s.box.Head() < last {
		q := &s.x.pending[slices.IndexFunc(s.x.pending, func(p pending) bool { return p.closes })]
		q.followers = append(q.followers, follower{to, LevelStored})
	} else {
		s.await(wait{to: to, first: last, last: last, duplicate: true}, fx)
	}
	s.settle(now, fx)
}

// Fresh returns the bodies of the confirmed frames first to last, those that are in memory, for the news: followers are sent them (P-5).
func (s *Session) Fresh(first, last uint64) []protocol.Body {
	s.sent = max(s.sent, min(last, s.box.Head()))
	return s.box.Appended(nil, max(first, s.box.Floor()+1), min(last, s.box.Head()))
}

// Announced is up to which frame the topic's followers have been told.
func (s *Session) Announced() uint64 { return s.all }

// Announce notes that every follower has been told of the frames up to seq; the store learns it by and by.
func (s *Session) Announce(now time.Duration, seq uint64, fx *Effects) {
	s.all = max(s.all, min(seq, s.box.Head()))
	s.settle(now, fx)
}
