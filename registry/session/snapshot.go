package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// hasSnapshot reports whether there is a stored snapshot that counts, or a provider to ask (P-9).
func (s *Session) hasSnapshot() bool { return s.cfg.Snapshots || s.storedCounts() }

// askSnapshot calls for the snapshot: the stored one where it counts, else the provider's. A call under way serves everybody who
// waits (P-9: one at a time per client).
func (s *Session) askSnapshot(now time.Duration, fx *Effects) {
	x := s.x
	if x.ask != 0 {
		return
	}
	stored := s.storedCounts()
	if stored && x.snapshot.data != nil {
		s.useSnapshot(now, x.snapshot.asOf, x.snapshot.data, fx)
		return
	}
	x.asked++
	x.ask = x.asked
	fx.Asks = append(fx.Asks, Ask{Token: x.ask, Floor: s.box.Floor(), Head: s.box.Head(), Stored: stored})
}

// Answered is what the provider, or the store, said to the Ask with that token: its data as of seq asOf, which is one JSON value, or why there is none.
func (s *Session) Answered(now time.Duration, token, asOf uint64, data []byte, err error, fx *Effects) {
	defer s.settle(now, fx)
	if s.x == nil || s.x.ask != token {
		return
	}
	s.x.ask = 0
	if s.x.outdated {
		s.x.outdated = false
		if s.x.awaiting() {
			s.askSnapshot(now, fx)
		}
		return
	}
	data, e := s.usable(asOf, data, err)
	if e != nil {
		s.endWaiting(now, e, func(time.Duration) bool { return true }, fx)
		return
	}
	s.useSnapshot(now, asOf, data, fx)
}

// useSnapshot gives a usable snapshot to everybody who waits for one.
func (s *Session) useSnapshot(now time.Duration, asOf uint64, data []byte, fx *Effects) {
	b := protocol.EncodeSnapshot(asOf, data)
	for _, a := range s.x.attached {
		if a.awaiting {
			a.awaiting = false
			a.out = append(a.out, protocol.Piece{Body: b})
			a.cursor, a.lift, a.replayTo = asOf, asOf, max(asOf, a.replayTo)
			s.sent = max(s.sent, asOf)
		}
	}
	page := fmt.Appendf(nil, `{"as_of":%d,"data":%s}`, asOf, data)
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if !r.awaiting {
			return false
		}
		if r.log {
			s.answerSnapshot(r, asOf, data, nil, fx)
			return true
		}
		r.awaiting, r.cursor = false, asOf
		return s.answerRead(r, page, fx)
	})
	s.pumpAll(now, fx)
}

// awaiting reports whether anybody waits for the provider.
func (x *extra) awaiting() bool {
	return slices.ContainsFunc(x.attached, func(a *attachment) bool { return a.awaiting }) ||
		slices.ContainsFunc(x.reads, func(r *read) bool { return r.awaiting })
}

// usable returns a provider's data as it is sent, or why the answer cannot be used: it is used if floor <= asOf <= head now (P-9).
func (s *Session) usable(asOf uint64, data []byte, err error) ([]byte, *protocol.Error) {
	const code = protocol.CodeSnapshotUnavailable
	if err != nil {
		return nil, protocol.Errorf(code, "the snapshot provider failed: %s", err)
	}
	if asOf < s.box.Floor() || asOf > s.box.Head() {
		return nil, protocol.Errorf(code, "the snapshot is as of %d, outside %d to %d", asOf, s.box.Floor(), s.box.Head())
	}
	compact, err := protocol.ParseSnapshotData(data)
	if err != nil {
		return nil, protocol.Errorf(code, "the snapshot provider's data: %s", err)
	}
	if e := s.fits(asOf, compact); e != nil {
		e.Code = code
		return nil, e
	}
	return compact, nil
}

// fits says why data makes no snapshot message (P-20).
func (s *Session) fits(asOf uint64, data []byte) *protocol.Error {
	if n := protocol.SnapshotLen(asOf, len(data)); s.cfg.MaxMessageBytes > 0 && n > s.cfg.MaxMessageBytes {
		return protocol.Errorf(protocol.CodeTooLarge, "the snapshot makes a message of %d bytes, the limit is %d", n, s.cfg.MaxMessageBytes)
	}
	return nil
}

// giveUpSnapshots lets everybody go on who has waited too long.
func (s *Session) giveUpSnapshots(now time.Duration, fx *Effects) {
	e := protocol.Errorf(protocol.CodeSnapshotUnavailable, "the snapshot provider did not answer in time")
	s.endWaiting(now, e, func(by time.Duration) bool { return now >= by }, fx)
}

// endWaiting tells those whose deadline is due that there is no snapshot; the retained frames follow.
func (s *Session) endWaiting(now time.Duration, e *protocol.Error, due func(time.Duration) bool, fx *Effects) {
	told := false
	for _, a := range s.x.attached {
		if a.awaiting && due(a.snapshotBy) {
			a.awaiting, told = false, true
			a.out = append(a.out, protocol.Piece{Body: protocol.EncodeError(e)})
		}
	}
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if !r.awaiting || !due(r.snapshotBy) {
			return false
		}
		r.awaiting, told = false, true
		if r.log {
			s.answerSnapshot(r, 0, nil, e, fx)
			return true
		}
		return s.answerRead(r, nil, fx)
	})
	if told {
		fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: e.Code})
		s.pumpAll(now, fx)
	}
}
