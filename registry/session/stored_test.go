package session_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
)

// summary is a stored snapshot.
type summary struct {
	asOf uint64
	data string
}

func (n *summary) bytes() int64 {
	if n == nil {
		return 0
	}
	return int64(len(n.data)) + protocol.FrameOverhead
}

// counts reports whether the stored snapshot counts (P-9).
func (w *world) counts() bool { return w.snap != nil && w.floor <= w.snap.asOf }

// pinned is how far acks may prune (P-9).
func (w *world) pinned(seq uint64) uint64 {
	for _, n := range []*summary{w.snap, w.latest} {
		if n != nil && w.floor <= n.asOf {
			seq = min(seq, n.asOf)
		}
	}
	return seq
}

// expectSnapshot is what happens where somebody has begun to wait for a snapshot: memory has the stored one, anybody else has to be asked.
func (w *world) expectSnapshot() {
	if w.ask == nil && w.counts() && !w.cfg.Kept {
		w.useSnapshot(w.snap.asOf)
		return
	}
	w.expectAsk()
}

func (w *world) putSnapshot() {
	p := w.caller("put")
	cur := protocol.Cursor{
		Epoch: rapid.SampledFrom([]string{w.epoch, w.epoch, w.epoch, "", "another"}).Draw(w.t, "epoch"),
		Seq:   uint64(w.draw("as of", max(0, int(w.floor)-1), int(w.head())+1)),
	}
	n := &summary{cur.Seq, fmt.Sprintf(`{"sum":%d}`, p.n)}
	w.turn(func() { w.s.PutSnapshot(w.now, cur, []byte(n.data), p, w.fx) }, func() {
		w.active = w.now
		switch {
		case w.draining():
			p.wantErr = protocol.CodeDraining
		case w.ending != nil:
			p.wantErr = protocol.CodeConflict
		case cur.Epoch == "another":
			p.wantErr = protocol.CodeEpochMismatch
		case cur.Seq < w.floor, cur.Seq > w.head(), w.latest != nil && cur.Seq < w.latest.asOf:
			p.wantErr = protocol.CodeConflict
		default:
			w.snapshots(p, n)
		}
	}, nil)
}

func (w *world) dropSnapshot() {
	if w.draw("drop", 0, 2) > 0 {
		return
	}
	p := w.caller("put")
	w.turn(func() { w.s.DropSnapshot(w.now, p, w.fx) }, func() {
		w.active = w.now
		switch {
		case w.latest == nil:
			p.wantErr = protocol.CodeNotFound
		case w.draining():
			p.wantErr = protocol.CodeDraining
		case w.ending != nil:
			p.wantErr = protocol.CodeConflict
		default:
			w.snapshots(p, nil)
		}
	}, nil)
}

// snapshots is a change of the stored snapshot that was taken in.
func (w *world) snapshots(p *caller, n *summary) {
	x := w.expectCommit(false)
	x.calls, x.snapshots, x.snap = []*caller{p}, true, n
	w.latest = n
}
