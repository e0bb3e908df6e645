package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// snapshot is the application's stored summary of the client's state as of one seq (P-9). data is nil where the store has it.
type snapshot struct {
	asOf uint64
	size int
	data []byte
}

func (n *snapshot) bytes() int64 {
	if n == nil {
		return 0
	}
	return int64(n.size) + protocol.FrameOverhead
}

// storedCounts reports whether there is a stored snapshot that counts: while the floor is not above it (P-9).
func (s *Session) storedCounts() bool {
	return s.x != nil && s.x.snapshot != nil && s.box.Floor() <= s.x.snapshot.asOf
}

// pinned bounds how far acks prune: nothing above the stored snapshot goes, while it counts (P-9), nor above one that will count once it is
// confirmed.
func (s *Session) pinned(seq uint64) uint64 {
	if s.x == nil {
		return seq
	}
	for _, n := range [...]*snapshot{s.x.snapshot, s.x.latest} {
		if n != nil && s.box.Floor() <= n.asOf {
			seq = min(seq, n.asOf)
		}
	}
	return seq
}

// Stored is the stored snapshot: as of which seq, of how many bytes, and its data, nil where the store has it. ok is false for none.
func (s *Session) Stored() (asOf uint64, size int, data []byte, ok bool) {
	if s.x == nil || s.x.snapshot == nil {
		return 0, 0, nil, false
	}
	n := s.x.snapshot
	return n.asOf, n.size, n.data, true
}

// PutSnapshot stores data, one JSON value without white space between its tokens, as the client's state as of a seq of the epoch now,
// in the place of an earlier one. to is answered when that is confirmed; the errors are epoch_mismatch, conflict for a seq below the
// floor, above the head, or below the stored one's, and too_large.
func (s *Session) PutSnapshot(now time.Duration, asOf protocol.Cursor, data []byte, to any, fx *Effects) {
	defer s.settle(now, fx)
	s.active = now
	x := s.more(fx)
	if e := s.changesSnapshot(); e != nil {
		fx.fail(to, e)
		return
	}
	switch floor, head := s.box.Floor(), s.box.Head(); {
	case asOf.Epoch != "" && asOf.Epoch != s.Epoch().String():
		fx.fail(to, s.otherEpoch())
		return
	case asOf.Seq < floor || asOf.Seq > head:
		fx.fail(to, protocol.Errorf(protocol.CodeConflict, "the snapshot is as of %d, outside %d to %d", asOf.Seq, floor, head))
		return
	case x.latest != nil && asOf.Seq < x.latest.asOf:
		fx.fail(to, protocol.Errorf(protocol.CodeConflict, "the snapshot is as of %d, but there is one as of %d", asOf.Seq, x.latest.asOf))
		return
	}
	if e := s.fits(asOf.Seq, data); e != nil {
		fx.fail(to, e)
		return
	}
	n := &snapshot{asOf: asOf.Seq, size: len(data)}
	if s.kept == nil {
		n.data = data
	}
	x.latest = n
	s.commit(Commit{Snapshot: data}, pending{appended: appended{to: to}, snapshots: true, snapshot: n}, fx)
}

// DropSnapshot forgets the stored snapshot; to is answered when that is confirmed, or with not_found.
func (s *Session) DropSnapshot(now time.Duration, to any, fx *Effects) {
	defer s.settle(now, fx)
	s.active = now
	if s.x == nil || s.x.latest == nil {
		fx.fail(to, protocol.Errorf(protocol.CodeNotFound, "there is no stored snapshot"))
		return
	}
	if e := s.changesSnapshot(); e != nil {
		fx.fail(to, e)
		return
	}
	s.x.latest = nil
	s.commit(Commit{}, pending{appended: appended{to: to}, snapshots: true}, fx)
}

// changesSnapshot says why the stored snapshot may not be changed now.
func (s *Session) changesSnapshot() *protocol.Error {
	switch {
	case s.x.drain != nil:
		return s.x.drain.refusal("")
	case s.x.ending != nil:
		return protocol.Errorf(protocol.CodeConflict, "the client is being deleted")
	}
	return nil
}

// keptSnapshot takes the store's word on a change of the snapshot.
func (s *Session) keptSnapshot(now time.Duration, p pending, fx *Effects) {
	s.x.snapshot = p.snapshot
	s.active = now
	if p.to != nil {
		fx.Replies = append(fx.Replies, Reply{To: p.to})
	}
	s.retake(now, fx) // what it pinned may go
}
