package session_test

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// disk is what a store has of a world's client: what was applied, in order.
type disk struct {
	is      session.Saved
	records []*record // every one of this life
	fetches []session.Fetch
	cold    uint64 // bodies up to here are not in memory
	stale   bool   // what is there is of an epoch that has ended with its generation
}

// lazily takes the commits out that a session makes by itself: they are nobody's, and may come at any time. unasked says that one that tells
// the epoch may be among them.
func (w *world) lazily(unasked bool) {
	w.commits = slices.DeleteFunc(w.commits, func(k session.Commit) bool {
		tells := unasked && w.cfg.Kept && !w.shows() && !k.Delete && k.First == 0 && k.Snapshot == nil
		if !k.Lazy && !tells {
			return false
		}
		if !w.cfg.Kept || k.First != 0 || k.Record != nil || k.Delete {
			w.fail("a lazy commit of %+v", k)
		}
		w.writes = append(w.writes, &write{token: k.Token, lazy: k.Lazy, is: saved(k)})
		return true
	})
	for _, k := range w.fx.Commits {
		if unasked && k.Lazy && !w.shows() && saved(k).Epoch == w.s.Epoch().Bits {
			w.fail("P-26: the epoch is told in passing: %+v", k)
		}
	}
}

// told checks what the store is told, as far as the moment of the telling does not matter.
func (w *world) told() {
	slices.SortStableFunc(w.writes, func(a, b *write) int { return cmp.Compare(a.token, b.token) })
	for _, f := range w.fx.Fetches {
		if f.After >= f.Last || f.Last > w.disk.cold || f.Frames < 1 {
			w.fail("the store was asked for %+v, and %d is cold", f, w.disk.cold)
		}
		w.disk.fetches = append(w.disk.fetches, f)
	}
}

// announce: nobody is shown an epoch that the store has not confirmed.
func (w *world) announce() {
	if w.shows() || slices.ContainsFunc(w.writes, func(x *write) bool { return !x.lost && !x.lazy }) {
		return
	}
	w.expectCommit(false)
}

// shows reports whether the epoch may be shown.
func (w *world) shows() bool { return !w.cfg.Kept || w.epochKnown }

// fetching reports whether the store is asked for what comes after seq.
func (w *world) fetching(after uint64) bool {
	return slices.ContainsFunc(w.disk.fetches, func(f session.Fetch) bool { return f.After >= after })
}

// applied is what the store does with a commit.
func (w *world) applied(x *write) {
	w.disk.is, w.disk.stale = x.is, false
	if x.record != nil {
		w.disk.records = append(w.disk.records, x.record)
	}
}

// spill is what leaves memory after a confirmation.
func (w *world) spill(above int64) {
	if !w.cfg.Kept || above < 0 {
		return
	}
	hot := int64(0)
	w.disk.cold = max(w.disk.cold, w.floor)
	for _, f := range w.frames[w.disk.cold:] {
		hot += int64(len(f.body))
	}
	for ; hot > above && w.disk.cold < w.head(); w.disk.cold++ {
		hot -= int64(len(w.frames[w.disk.cold].body))
	}
	if w.s.Hot() != hot {
		w.fail("%d bytes are in memory, want %d", w.s.Hot(), hot)
	}
}

// bodies is the store's answer to one fetch.
func (w *world) bodies() {
	f, ok := pick(w, "fetch", w.disk.fetches)
	if !ok {
		return
	}
	w.disk.fetches = slices.DeleteFunc(w.disk.fetches, func(o session.Fetch) bool { return o.Token == f.Token })
	n := min(int(f.Last-f.After), f.Frames)
	var bodies []protocol.Body
	for _, k := range w.frames[f.After:][:max(1, w.draw("bodies", n-2, n))] {
		bodies = append(bodies, protocol.Body(k.body))
	}
	w.turn(func() { w.s.Bodies(w.now, f.Token, bodies, nil, w.fx) }, func() {
		if w.ending != nil {
			w.deleteIfIdle()
		}
	}, nil)
}

func (w *world) squeeze() {
	if !w.cfg.Kept {
		return
	}
	w.turn(func() { w.s.Squeeze(w.now, w.fx) }, func() { w.spill(0) }, nil)
}

// sleeps holds the store to having everything, and lets the client sleep and wake.
func (w *world) sleeps() {
	oldest := time.Duration(0)
	if w.floor < w.head() {
		oldest = w.frames[w.floor].at
	}
	is := w.disk.is
	if is.Floor != w.floor || is.Head != w.head() || is.Acked != w.acked || is.Sent != w.sent || is.Seen != w.active || is.Cleaned != w.floor ||
		is.Bytes != w.held() || is.SnapshotBytes > 0 != (w.snap != nil) || w.snap != nil && is.SnapshotAsOf != w.snap.asOf || w.floor < w.head() && is.Oldest != oldest {
		w.fail("the client sleeps, and the store has %+v of %d..%d, acked %d, sent %d, active at %s, %d bytes",
			is, w.floor, w.head(), w.acked, w.sent, w.active, w.bytes())
	}
	if len(w.conns)+len(w.places)+len(w.writes)+len(w.calls)+len(w.disk.fetches) > 0 || w.ask != nil || w.ending != nil || w.draining() {
		w.fail("the client sleeps in the middle of something")
	}
	w.sent = max(w.sent, w.acked) // what was acked was sent
	w.handed = w.sent
	w.restart(w.draw("unclean", 0, 5) == 0)
}

// crash ends the process: what the store has confirmed is there when the next one begins, and of what it was about to confirm a part.
func (w *world) crash() {
	busy := w.ending != nil || w.disk.stale || w.draining() || w.disk.is.Epoch != w.s.Epoch().Bits ||
		slices.ContainsFunc(w.writes, func(x *write) bool { return x.lost || x.deletes })
	if !w.cfg.Kept || busy || w.draw("crash", 0, 2) > 0 {
		return
	}
	for _, x := range w.writes[:w.draw("applied", 0, len(w.writes))] {
		w.confirmed(x)
		w.applied(x)
	}
	w.step++
	for _, c := range w.conns {
		c.goneIn = w.step
	}
	w.conns, w.places, w.writes, w.ask, w.disk.fetches = nil, nil, nil, nil, nil
	clear(w.calls)
	is := w.disk.is
	if is.Head != w.head() || is.Floor > w.floor || is.Acked > w.acked || is.Sent > w.sent {
		w.fail("P-26: the store has %+v of %d..%d, acked %d, sent %d", is, w.floor, w.head(), w.acked, w.sent)
	}
	w.floor, w.acked, w.sent, w.active = is.Floor, is.Acked, max(is.Sent, is.Acked), is.Seen
	w.handed = w.sent
	w.latest = w.snap
	w.records = slices.DeleteFunc(slices.Clone(w.disk.records), func(r *record) bool { return r.last <= is.RecordFloor })
	if is.Bytes != w.held() {
		w.fail("P-29: the store has %d bytes, want %d", is.Bytes, w.held())
	}
	w.restart(false)
}

// restart begins the client anew with what the store has. unclean says that the store cannot vouch for it.
func (w *world) restart(unclean bool) {
	is := w.disk.is
	w.step++
	w.before = w.floor
	w.fx.Reset()
	if unclean {
		cfg := *w.cfg
		cfg.Generation++
		w.cfg = &cfg
	}
	w.s, w.epochKnown = session.Restore(w.cfg, is, 0), true
	w.disk.cold = w.floor + uint64(w.draw("cold", 0, int(w.head()-w.floor)))
	for i, f := range w.frames[w.floor:] {
		var body protocol.Body
		if w.floor+uint64(i) >= w.disk.cold {
			body = protocol.Body(f.body)
		}
		w.s.RestoreFrame(body, len(f.body), f.at, protocol.OfTopic(protocol.Body(f.body)))
	}
	for _, r := range w.disk.records {
		if r.last > is.RecordFloor {
			bodies := []protocol.Body{}
			for _, f := range w.frames[r.first-1 : r.last] {
				bodies = append(bodies, protocol.Body(f.body))
			}
			w.s.RestoreRecord(session.IdempotencyKey("me", r.key), session.SumOf(bodies), r.first, r.last, r.at)
		}
	}
	w.s.Restored(w.now, unclean, w.fx)
	w.next = w.fx.Next
	if w.next <= w.now {
		w.next = 0 // it would go on sleeping: the next input decides
	}
	if unclean {
		w.acked, w.sent, w.handed, w.records, w.disk.records = 0, 0, 0, nil, nil
		w.snap, w.latest = nil, nil
		w.disk.stale = true
		w.learnEpoch()
	}
	w.check()
}

// keeping draws a store, or none.
func keeping(t *rapid.T, cfg *session.Config) {
	if cfg.Kept = rapid.Bool().Draw(t, "kept"); cfg.Kept {
		cfg.SpillAbove = rapid.SampledFrom([]int64{-1, 1, 200, 50_000}).Draw(t, "spill above")
		cfg.SleepAfter = rapid.SampledFrom([]time.Duration{-1, 10 * time.Second, 10 * time.Minute}).Draw(t, "sleep after")
	}
}

// saved is what a commit tells the store, as a copy.
func saved(k session.Commit) (is session.Saved) {
	if k.Is != nil {
		is = *k.Is
	}
	return is
}
