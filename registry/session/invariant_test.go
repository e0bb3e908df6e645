package session_test

import (
	"bytes"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// check holds the session to the model, after every step.
func (w *world) check() {
	if len(w.commits) > 0 || len(w.asks) > 0 {
		w.fail("commits or asks that nobody expects: %v %v", w.commits, w.asks)
	}
	st := w.s.State(true)
	got := [...]uint64{st.Floor, st.Head, st.Acked, st.Frames, uint64(st.Bytes), uint64(st.Connections), uint64(st.Places)}
	want := [...]uint64{w.floor, w.head(), w.acked, w.head() - w.floor, uint64(w.held()), uint64(len(w.conns)), uint64(len(w.conns) + len(w.places))}
	if got != want || st.Epoch != w.epoch {
		w.fail("floor, head, acked, frames, bytes, connections, places are %v of %s, want %v of %s", got, st.Epoch, want, w.epoch)
	}
	if held := w.held(); w.s.Held() != held || w.s.Places() != len(w.places) || w.s.Frames() != w.head()-w.floor {
		w.fail("P-29: %d bytes are held, want %d; %d places; %d frames", w.s.Held(), held, w.s.Places(), w.s.Frames())
	}
	if w.s.LastActive() != w.active || w.s.Busy() != w.busy() {
		w.fail("P-28: last active at %s, want %s; busy: %v", w.s.LastActive(), w.active, w.s.Busy())
	}
	for i, a := range st.Attachments {
		c := w.conns[i]
		if a.ConnectionID != c.in.ConnectionID || a.Cursor != c.last || a.Acked != c.acked || a.Resume != c.hello.Resume {
			w.fail("attachment %+v, want cursor %d acked %d", a, c.last, c.acked)
		}
		w.checkConn(c)
	}
	w.checkPruned()
	w.checkAnswers()
}

// held is what counts towards max_total_bytes.
func (w *world) held() int64 { return w.bytes() + 64*int64(len(w.records)) + w.latest.bytes() }

// busy says whether the client is more than its retained frames.
func (w *world) busy() bool {
	for p := range w.calls {
		if p.kind == "read" || p.stored {
			return true
		}
	}
	return len(w.conns)+len(w.places)+len(w.writes)+len(w.records) > 0 || w.snap != nil || w.latest != nil || w.ask != nil || w.ending != nil || w.draining()
}

// checkConn: with no batch under way, nothing is left to write (nobody is forgotten).
func (w *world) checkConn(c *conn) {
	if c.paused != (c.replies >= protocol.MaxReplies) {
		w.fail("P-27: connection %d has %d replies waiting, paused: %v", c.gen, c.replies, c.paused)
	}
	if c.batch != nil {
		if !bytes.Equal(c.copied, flat(c.batch)) {
			w.fail("the batch under way to connection %d has changed", c.gen)
		}
		return
	}
	if !w.shows() {
		if c.greeted {
			w.fail("P-26: connection %d was shown an epoch that the store has not confirmed", c.gen)
		}
		return
	}
	idle := c.greeted && c.replies == 0 && c.pongs == 0 && c.snapshot == nil && !c.excuse && !c.closing && c.pinging == (c.pings > 0)
	if c.awaiting == 0 {
		waits := w.fetching(c.last)
		idle = idle && (waits || c.last >= w.floor && (c.last == w.head() || w.deferred && w.head()-c.last < 16) && !c.replaying && (!w.draining() || w.appending() > 0))
	}
	if !idle {
		w.fail("connection %d waits for nothing: %+v, the outbox is %d..%d", c.gen, c, w.floor, w.head())
	}
}

// checkPruned: every frame that went is counted, with its reason.
func (w *world) checkPruned() {
	n := 0
	for _, e := range w.fx.Events {
		switch e.Kind {
		case session.EventPrunedAcked, session.EventPrunedCount, session.EventPrunedBytes, session.EventPrunedAge:
			n += e.N
		}
	}
	if n != int(w.floor-w.before) {
		w.fail("%d frames went, %d are counted", w.floor-w.before, n)
	}
}

func (w *world) reached(last uint64) session.Level {
	switch {
	case w.acked >= last:
		return session.LevelAcked
	case w.handed >= last:
		return session.LevelSent
	}
	return session.LevelStored
}

// checkAnswers: who was answered was answered right, and who can be answered was.
func (w *world) checkAnswers() {
	for _, a := range w.answers {
		w.checkAnswer(a.to, a.r)
	}
	w.answers = w.answers[:0]
	for p := range w.calls {
		over := w.draining() || w.floor >= p.last || w.ending != nil && w.pending() == 0 && len(w.disk.fetches) == 0 || w.ending != nil && w.ending.asked
		switch {
		case p.wantErr != "":
			w.fail("%s %d was to be answered with %s", p.kind, p.n, p.wantErr)
		case p.kind == "put" && p.stored:
			w.fail("put %d was to be answered", p.n)
		case p.kind == "publish" && p.stored && (over || w.reached(p.last) >= p.level):
			w.fail("publish %d of %d..%d was to be answered: level %s of %s", p.n, p.first, p.last, w.reached(p.last), p.level)
		case p.kind == "read" && p.awaiting == 0 && (!p.waiting || p.start < w.head()) && w.shows() && !w.fetching(p.start):
			w.fail("read %d after %d was to be answered", p.n, p.start)
		}
	}
}

func (w *world) checkAnswer(p *caller, r session.Reply) {
	if r.Err != nil && r.Err.Code == p.mayErr {
		return
	}
	if r.Err != nil || p.wantErr != "" {
		if r.Err == nil || r.Err.Code != p.wantErr {
			w.fail("%s %d was answered with %v, want %q", p.kind, p.n, r, p.wantErr)
		}
		return
	}
	switch p.kind {
	case "read":
		if r.Page == nil || p.awaiting > 0 && !p.snapshot || r.Page.Floor < w.before || r.Page.Floor > w.floor {
			w.fail("read %d was answered with %+v", p.n, r)
		}
	case "publish":
		w.checkStored(p, &r.Stored)
	}
}

func (w *world) checkStored(p *caller, st *session.Stored) {
	switch {
	case st.Status == "" || !p.stored:
		w.fail("P-26: publish %d was answered before it was confirmed", p.n)
	case st.First != p.first || st.Last != p.last || st.Duplicate != p.duplicate:
		w.fail("publish %d of %d..%d was answered with %+v", p.n, p.first, p.last, st)
	case !w.past[st.Epoch.String()]:
		w.fail("publish %d was answered with an unknown epoch", p.n)
	case st.Reason == "" && st.Status != p.level.String():
		w.fail("publish %d waited for %s, and got %s", p.n, p.level, st.Status)
	case st.Epoch.String() == w.epoch && levels[st.Status] > w.reached(p.last):
		w.fail("publish %d was told %s, it is %s", p.n, st.Status, w.reached(p.last))
	}
}

var levels = map[string]session.Level{
	protocol.StatusStored: session.LevelStored, protocol.StatusSent: session.LevelSent, protocol.StatusAcked: session.LevelAcked,
}
