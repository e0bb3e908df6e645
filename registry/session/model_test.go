package session_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// world is one client as its shell, its store, its readers and its publishers see it, with a naive model of what they have been promised.
// Several worlds share one Effects, as several clients do.
type world struct {
	t   *rapid.T
	fx  *session.Effects
	cfg *session.Config
	s   session.Session

	now, next time.Duration
	deferred  bool // some of what is confirmed may wait for Pump
	gens      *uint64
	serial    *int // numbers frames and calls
	past      map[string]bool
	epoch     string

	frames                     []kept // every confirmed frame of this life: seq is the index plus 1
	floor, acked, sent, handed uint64 // handed: with the kernel of some reader
	active                     time.Duration
	conns                      []*conn
	places                     []held
	writes                     []*write // what the store has not answered, oldest first
	records                    []*record
	calls                      map[*caller]bool // who waits for an answer
	ask                        *asked
	ending                     *ending
	drainBy                    time.Duration
	byGen                      map[uint64]*conn
	disk                       disk
	epochKnown                 bool     // the store has confirmed the epoch
	snap, latest               *summary // the stored snapshot, confirmed and as last given to the store

	// Of one step:
	step      int
	mustClose map[uint64]protocol.CloseCode // the closes that the rules ask for
	commits   []session.Commit              // not matched yet
	asks      []session.Ask                 // the same
	answers   []answer
	before    uint64 // the floor
	ended     bool   // a place has ended
}

// answer is a reply that is judged when the step is over.
type answer struct {
	to *caller
	r  session.Reply
}

type kept struct {
	body string
	at   time.Duration // as the outbox keeps it
}

// quarters rounds a time up to the quarter of a second; at is not negative.
func quarters(at time.Duration) time.Duration {
	return (at + time.Second/4 - 1).Truncate(time.Second / 4)
}

func (f kept) cost() int64 { return int64(len(f.body)) + protocol.FrameOverhead }

type held struct {
	id          string
	last, acked uint64
	until       time.Duration
}

// write is one commit between the session's asking and the store's word.
type write struct {
	token   uint64
	frames  []kept
	calls   []*caller
	record  *record
	deletes bool
	failing bool // the store's word will be that it failed
	unknown bool // or that nobody knows
	lost    bool // the session has given it up
	void    bool // and its epoch with it
	lazy    bool // nobody asked for it
	snap    *summary
	// snapshots: it stores snap, or drops the stored one
	snapshots bool
	is        session.Saved
}

type record struct {
	key, sum    string
	write       *write // nil once confirmed
	first, last uint64
	at          time.Duration
}

// caller is somebody who is owed exactly one answer.
type caller struct {
	kind        string // publish, read, ack, delete
	n           int
	bodies      []protocol.Body
	key         string
	level       session.Level
	stored      bool
	first, last uint64
	duplicate   bool
	wantErr     protocol.Code // the answer has to be this error
	mayErr      protocol.Code // or may be this one

	limit    int // of a read
	start    uint64
	waiting  bool
	awaiting time.Duration // until when it waits for a snapshot; 0: it does not
	snapshot bool
}

type asked struct {
	token    uint64
	stored   bool
	outdated bool
}

type ending struct {
	asked    bool
	to       *caller
	deferred []*caller
	early    []*conn
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format, args...)
}

func (w *world) head() uint64   { return uint64(len(w.frames)) }
func (w *world) draining() bool { return w.drainBy > 0 }

func (w *world) bytes() (n int64) {
	for _, f := range w.frames[w.floor:] {
		n += f.cost()
	}
	return n
}

// pending is what the store may still confirm.
func (w *world) pending() (n int) {
	for _, x := range w.writes {
		if !x.lost {
			n++
		}
	}
	return n
}

// appending is what the store may still confirm that adds frames.
func (w *world) appending() (n int) {
	for _, x := range w.writes {
		if !x.lost && len(x.frames) > 0 {
			n++
		}
	}
	return n
}

// prune applies P-13's bounds.
func (w *world) prune() {
	keep := w.head()
	for _, c := range w.conns {
		keep = min(keep, c.last)
	}
	b := w.cfg.Bounds
	for w.floor+1 < w.head() && (b.Frames > 0 && w.head()-w.floor > uint64(b.Frames) || b.Bytes > 0 && w.bytes() > b.Bytes) {
		w.floor++
	}
	for b.Age > 0 && w.floor+1 < w.head() && w.floor < keep && w.now-w.frames[w.floor].at >= b.Age {
		w.floor++
	}
}

// least is the least ack of the places held (P-11).
func (w *world) least() (least uint64, any bool) {
	least = math.MaxUint64
	for _, c := range w.conns {
		least, any = min(least, c.acked), true
	}
	for _, p := range w.places {
		if p.until > w.now {
			least, any = min(least, p.acked), true
		}
	}
	return least, any
}

func (w *world) retake() {
	w.ended = false
	if least, any := w.least(); any {
		w.dropTo(least)
	}
}

func (w *world) dropTo(least uint64) {
	if least > w.cfg.RetainAcked {
		w.floor = max(w.floor, w.pinned(least-w.cfg.RetainAcked))
	}
}

// remove takes c away, and leaves its place where that is held.
func (w *world) remove(c *conn, hold bool) {
	w.conns = slices.DeleteFunc(w.conns, func(o *conn) bool { return o == c })
	c.goneIn = w.step
	if !hold || w.cfg.ResumeWindow <= 0 {
		w.ended = true
		return
	}
	if w.places = append(w.places, held{c.in.ConnectionID, c.last, c.acked, w.now + w.cfg.ResumeWindow}); len(w.places) > session.MaxPlaces {
		w.places = w.places[1:]
		w.ended = true
	}
}

// decide is P-7, and P-5 for a bare seq.
func (w *world) decide(since *protocol.Cursor) (protocol.Resume, protocol.Reason) {
	switch {
	case since == nil:
		return protocol.ResumeFresh, ""
	case since.Epoch != "" && since.Epoch != w.epoch, since.Epoch == "" && since.Seq > w.sent:
		return protocol.ResumeTooOld, protocol.ReasonEpoch
	case since.Seq > w.head():
		return protocol.ResumeTooOld, protocol.ReasonAhead
	case since.Seq == w.head():
		return protocol.ResumeUpToDate, ""
	case since.Seq < w.floor:
		return protocol.ResumeTooOld, protocol.ReasonPruned
	}
	return protocol.ResumeReplay, ""
}

func sumOf(bodies []protocol.Body) string {
	var b strings.Builder
	for _, x := range bodies {
		fmt.Fprintf(&b, "%d:%s", len(x), x)
	}
	return b.String()
}

// expire lets go of the records past their time.
func (w *world) expire() {
	for w.cfg.RecordTTL > 0 && len(w.records) > 0 && w.now-w.records[0].at >= w.cfg.RecordTTL {
		w.records = w.records[1:]
	}
}

// accept is what a publish must come to: an answer, a place among the deferred, or the next commit.
func (w *world) accept(p *caller) {
	switch {
	case w.draining():
		p.wantErr = protocol.CodeDraining
		return
	case w.ending != nil:
		w.ending.deferred = append(w.ending.deferred, p)
		return
	}
	if p.key != "" {
		w.expire()
	}
	if i := slices.IndexFunc(w.records, func(r *record) bool { return p.key != "" && r.key == p.key }); i >= 0 {
		r := w.records[i]
		switch {
		case r.sum != sumOf(p.bodies):
			p.wantErr = protocol.CodeIDReused
		case r.write != nil:
			p.duplicate = true
			r.write.calls = append(r.write.calls, p)
		default:
			p.duplicate, p.stored, p.first, p.last = true, true, r.first, r.last
		}
		return
	}
	size := int64(0)
	for _, b := range p.bodies {
		size += int64(len(b)) + protocol.FrameOverhead
	}
	b := w.cfg.Bounds
	if len(p.bodies) > 1 && (b.Frames > 0 && len(p.bodies) > b.Frames/10 || b.Bytes > 0 && size > b.Bytes/10) {
		p.wantErr = protocol.CodeTooLarge
		return
	}
	x := w.expectCommit(false)
	w.active = w.now
	if w.cfg.Kept && x.is.Seen != w.now {
		w.fail("P-28: the store is told %s with a publish at %s", x.is.Seen, w.now)
	}
	x.calls = []*caller{p}
	for _, body := range p.bodies {
		x.frames = append(x.frames, kept{string(body), quarters(w.now)})
	}
	if p.key != "" {
		x.record = &record{key: p.key, sum: sumOf(p.bodies), write: x, at: w.now}
		for w.cfg.MaxRecords > 0 && len(w.records) >= w.cfg.MaxRecords {
			w.records = w.records[1:]
		}
		w.records = append(w.records, x.record)
	}
}

// expectCommit takes the next commit of this step, which has to be there.
func (w *world) expectCommit(deletes bool) *write {
	if len(w.commits) == 0 {
		w.fail("no commit was asked for")
	}
	k := w.commits[0]
	w.commits = w.commits[1:]
	if k.Delete != deletes {
		w.fail("commit #%d deletes: %v", k.Token, k.Delete)
	}
	x := &write{token: k.Token, deletes: deletes, is: saved(k)}
	w.writes = append(w.writes, x)
	return x
}

// giveUp marks every write as given up, and what hung on it as failed.
func (w *world) giveUp(code protocol.Code) {
	w.latest = w.snap
	for _, x := range w.writes {
		if x.lost {
			continue
		}
		x.lost = true
		for _, p := range x.calls {
			p.wantErr = code
		}
		w.records = slices.DeleteFunc(w.records, func(r *record) bool { return r == x.record })
	}
}

// newEpoch ends all that belongs to the epoch (P-26).
func (w *world) newEpoch() {
	w.giveUp(protocol.CodeInternal)
	for _, x := range w.writes {
		x.void = true
	}
	for _, c := range w.conns {
		w.mustClose[c.gen] = protocol.CloseClientRestarted
		c.goneIn = w.step
	}
	w.conns, w.places, w.records = nil, nil, nil
	w.acked, w.sent, w.handed = 0, 0, 0
	w.disk.records, w.snap, w.latest = nil, nil, nil
	w.epochKnown = false
	for p := range w.calls {
		p.mayErr = protocol.CodeInternal
	}
	w.cut()
	w.learnEpoch()
}

// cut: whoever waits is to be answered in this step.
func (w *world) cut() {
	for p := range w.calls {
		p.waiting, p.awaiting = false, 0
		if p.stored {
			p.level = session.LevelStored
		}
	}
}

func (w *world) learnEpoch() {
	w.epoch = w.s.Epoch().String()
	if w.past[w.epoch] {
		w.fail("epoch %s was used before", w.epoch)
	}
	w.past[w.epoch] = true
}
