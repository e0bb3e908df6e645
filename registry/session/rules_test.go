package session_test

import (
	"slices"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// What the rules ask for at each input. Every function here is called after the session was told, and before its effects are observed.

// greet is an attach that is not refused: who has to go for it, and what hello has to say (P-6, P-7, P-15).
func (w *world) greet(c *conn) {
	w.active = w.now
	w.prune()
	if c.in.Takeover {
		for len(w.conns) > 0 {
			w.mustClose[w.conns[0].gen] = protocol.CloseReplaced
			w.remove(w.conns[0], false)
		}
	}
	if limit := w.cfg.MaxConnections; limit > 0 && len(w.conns) >= limit {
		silent := slices.MinFunc(w.conns, func(a, b *conn) int { return int(a.seen - b.seen) })
		w.mustClose[silent.gen] = protocol.CloseTooManyConnections
		w.remove(silent, true)
	}
	resume, reason := w.decide(c.in.Since)
	startsOver := resume == protocol.ResumeFresh || resume == protocol.ResumeTooOld
	snapshot := startsOver && (w.cfg.Snapshots || w.counts())
	c.hello = protocol.Hello{
		ClientID: c.in.ClientID, ConnectionID: c.in.ConnectionID, Epoch: w.epoch, Resume: resume, Reason: reason, Floor: w.floor, Head: w.head(),
		Snapshot: snapshot, PingIntervalMS: c.in.PingMS, PongTimeoutMS: c.in.PongMS, AckIntervalMS: w.cfg.AckInterval.Milliseconds(),
		MaxFrameBytes: w.cfg.MaxFrameBytes, MaxMessageBytes: w.cfg.MaxMessageBytes,
	}
	since, lost := uint64(0), uint64(0)
	if c.in.Since != nil {
		since = c.in.Since.Seq
	}
	if since < w.floor && !snapshot {
		lost = w.floor - since
	}
	if missed := w.head() - since; reason == "" || reason == protocol.ReasonPruned {
		c.hello.Missed, c.hello.Lost = &missed, &lost
	}
	c.last, c.replaying, c.replayTo, c.seen = w.floor, resume != protocol.ResumeUpToDate, w.head(), w.now
	if !startsOver {
		c.last = since
		w.acked = max(w.acked, since)
	}
	c.acked = c.last
	w.conns = append(w.conns, c)
	if w.ended {
		w.retake()
	}
	for _, x := range w.fx.Writes { // the next one to be greeted in this step may come with a bare seq
		if x.Gen == c.gen {
			w.sent = max(w.sent, x.Batch[len(x.Batch)-1].Seq, x.Batch[max(0, len(x.Batch)-2)].Seq)
		}
	}
	if snapshot {
		c.awaiting = w.now + w.cfg.SnapshotTimeout
		w.expectSnapshot()
	}
}

// attached is an attach, whatever it meets.
func (w *world) attached(c *conn) {
	w.byGen[c.gen] = c
	switch {
	case w.ending != nil:
		w.ending.early = append(w.ending.early, c)
	case w.draining():
		w.refuse(c)
	default:
		w.greet(c)
	}
}

func (w *world) refuse(c *conn) {
	w.active = w.now
	c.refuse, c.goneIn = true, w.step
	w.mustClose[c.gen] = protocol.CloseDraining
}

// expectAsk: the provider is asked in this step, unless it is at it (P-9).
func (w *world) expectAsk() {
	if w.ask != nil {
		return
	}
	if len(w.asks) == 0 {
		w.fail("P-9: the provider was not asked")
	}
	a := w.asks[0]
	w.asks = w.asks[1:]
	if a.Head != w.head() || a.Floor > w.floor || a.Stored != (w.cfg.Kept && w.counts()) {
		w.fail("P-9: the provider was asked for %d..%d", a.Floor, a.Head)
	}
	w.ask = &asked{token: a.Token, stored: a.Stored}
}

// confirmed is the store's good word on x.
func (w *world) confirmed(x *write) {
	if x.lazy {
		return
	}
	w.active = w.now
	if x.snapshots {
		w.snap = x.snap
		x.calls[0].stored = true
		w.retake()
		return
	}
	first := w.head() + 1
	w.frames = append(w.frames, x.frames...)
	for _, p := range x.calls {
		p.stored, p.first, p.last = true, first, w.head()
	}
	if r := x.record; r != nil {
		r.write, r.first, r.last = nil, first, w.head()
	}
}

// failed is the store's bad word on x, which may be late (P-26).
func (w *world) failed(x *write, unknown bool) {
	if x.lost {
		if !unknown || x.void {
			return
		}
		w.newEpoch()
	} else {
		w.giveUp(protocol.CodeInternal)
		if unknown {
			w.newEpoch()
		}
	}
	w.goOn()
}

// goOn: a deletion among what failed is off, one that waited for it is asked for.
func (w *world) goOn() {
	switch {
	case w.ending == nil:
	case w.ending.asked:
		w.abandon()
	default:
		w.deleteIfIdle()
	}
}

func (w *world) abandon() {
	end := w.ending
	w.ending = nil
	if end.to != nil {
		end.to.wantErr = protocol.CodeInternal
	}
	w.serve(end)
}

// serve: who came while a life ended is served now, in order (P-28).
func (w *world) serve(end *ending) {
	for _, p := range end.deferred {
		w.accept(p)
	}
	for _, c := range end.early {
		w.attached(c)
		if !c.refuse {
			c.pongs += c.early
			c.replies += c.early
		}
	}
}

func (w *world) deleteIfIdle() {
	if w.pending() > 0 || w.ending.asked || len(w.disk.fetches) > 0 {
		return
	}
	w.ending.asked = true
	w.expectCommit(true)
	w.cut()
}

// deleted: the connections are closed, their places gone, and the life ends when nothing is under way any more.
func (w *world) deleted(p *caller) {
	if w.ending != nil {
		if w.ending.to == nil {
			w.ending.to = p
		} else {
			p.wantErr = protocol.CodeConflict
		}
		return
	}
	for _, c := range w.conns {
		w.mustClose[c.gen] = protocol.CloseClientDeleted
		c.goneIn = w.step
	}
	w.conns, w.places = nil, nil
	for p := range w.calls {
		if p.kind == "read" {
			p.mayErr = protocol.CodeNotFound
		}
	}
	w.cut()
	w.ending = &ending{to: p}
	w.deleteIfIdle()
}

// idle says whether the janitor may end the life (P-28).
func (w *world) idle() bool {
	for p := range w.calls {
		if p.kind == "read" || p.stored && p.last > w.floor {
			return false
		}
	}
	return len(w.conns)+len(w.places)+w.pending() == 0 && w.ask == nil && w.ending == nil && !w.draining() && w.now-w.active >= w.cfg.ClientTTL
}

// retire is the end of a life, and the beginning of the next: in the same actor where somebody waits or mail has come, else in another.
func (w *world) retire() {
	end := w.ending
	if end == nil || !end.asked || len(w.writes) > 0 {
		w.fail("the life ends, and nobody asked for it")
	}
	w.fx.Reset()
	next := w.s.Ended(w.fx)
	if next != (len(end.deferred)+len(end.early) > 0) {
		w.fail("a next life at once: %v", next)
	}
	w.before = w.floor
	w.observe()
	if w.checkAnswers(); end.to != nil && w.calls[end.to] {
		w.fail("the deletion was not answered")
	}
	w.frames, w.floor, w.acked, w.sent, w.handed = nil, 0, 0, 0, 0
	w.records, w.ending, w.active, w.disk = nil, nil, w.now, disk{}
	w.snap, w.latest = nil, nil
	another := !next && !w.draining() && w.chance("another actor")
	if another {
		w.ask = nil // whoever answers it speaks to nobody
	} else if w.ask != nil {
		w.ask.outdated = true
	}
	w.turn(func() {
		if another {
			w.s = session.New(w.cfg, w.now)
		} else {
			w.s.Reborn(w.now, w.fx)
		}
	}, func() {
		w.learnEpoch()
		w.serve(end)
	}, nil)
}
