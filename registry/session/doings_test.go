package session_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// known are the connections that the session knows, those that wait for the next life among them.
func (w *world) known() []*conn {
	all := slices.Clone(w.conns)
	if w.ending != nil {
		all = append(all, w.ending.early...)
	}
	return all
}

func (w *world) leave() {
	c, ok := pick(w, "connection", w.known())
	if !ok {
		return
	}
	left := w.chance("left")
	w.turn(func() { w.s.Gone(w.now, c.gen, left, w.fx) }, func() {
		if w.ending != nil && slices.Contains(w.ending.early, c) {
			w.ending.early = slices.DeleteFunc(w.ending.early, func(o *conn) bool { return o == c })
			c.goneIn = w.step
			return
		}
		w.active = w.now
		w.remove(c, !left)
	}, nil)
}

func (w *world) ack() {
	c, ok := pick(w, "connection", w.conns)
	if !ok {
		return
	}
	seq := uint64(w.draw("seq", max(0, int(c.acked)-1), int(c.last)+1))
	w.message(c, protocol.Message{Type: protocol.TypeAck, Seq: seq})
}

// message is one message of a connection, late ones among them (P-15).
func (w *world) message(c *conn, m protocol.Message) {
	w.turn(func() { w.s.Message(w.now, c.gen, m, nil, w.fx) }, func() {
		if w.ending != nil && slices.Contains(w.ending.early, c) {
			c.early++
			return
		}
		if !slices.Contains(w.conns, c) || c.closing {
			return
		}
		c.seen, w.active = w.now, w.now
		switch {
		case m.Type == protocol.TypePing:
			c.pongs++
			c.replies++
		case m.Type != protocol.TypeAck:
		case m.Seq > c.last:
			c.replies++
			c.violations = append(slices.DeleteFunc(c.violations, func(t time.Duration) bool { return w.now-t >= protocol.ViolationWindow }), w.now)
			c.closing = len(c.violations) >= protocol.MaxViolations
		case m.Seq >= c.acked:
			c.acked, w.acked = m.Seq, max(w.acked, m.Seq)
			w.retake()
		}
	}, nil)
}

// messages is a burst of pings, or of bad acks.
func (w *world) messages() {
	*w.serial++
	var c *conn
	if gone := w.byGen[uint64(w.draw("any", 1, int(*w.gens)+1))]; gone != nil && w.draw("late", 0, 3) == 0 {
		c = gone
	} else {
		c, _ = pick(w, "connection", w.known())
	}
	if c == nil {
		return
	}
	m := protocol.Message{Type: protocol.TypePing}
	n := rapid.SampledFrom([]int{1, 2, 9, 70}).Draw(w.t, "times")
	if slices.Contains(w.conns, c) && w.chance("bad") {
		m = protocol.Message{Type: protocol.TypeAck, Seq: protocol.MaxSeq}
	}
	for range n {
		w.message(c, m)
	}
}

func (w *world) ackBy() {
	p := w.caller("ack")
	cur := protocol.Cursor{Epoch: w.epoch, Seq: uint64(w.draw("seq", 0, int(w.head())+1))}
	if w.draw("other", 0, 5) == 0 {
		cur.Epoch = "another"
	}
	var c *conn
	id := ""
	if len(w.conns) > 0 && w.chance("of a connection") {
		c, _ = pick(w, "connection", w.conns)
		id = c.in.ConnectionID
	} else if len(w.places) > 0 && w.chance("of a lost one") {
		lost, _ := pick(w, "place", w.places)
		id = lost.id
	} else if w.draw("nobody's", 0, 5) == 0 {
		id = "nobody"
	}
	w.turn(func() { w.s.AckBy(w.now, cur, id, p, w.fx) }, func() {
		switch {
		case cur.Epoch != w.epoch:
			p.wantErr = protocol.CodeEpochMismatch
			return
		case c != nil:
			c.seen = w.now
		}
		place := slices.IndexFunc(w.places, func(h held) bool { return h.id == id && h.until > w.now })
		lost := c == nil && id != ""
		switch {
		case lost && place < 0:
			p.wantErr = protocol.CodeNotFound
		case c != nil && cur.Seq > c.last, lost && cur.Seq > w.places[place].last, cur.Seq > w.head():
			p.wantErr = protocol.CodeAckAhead
		case c != nil:
			if cur.Seq >= c.acked {
				c.acked, w.acked = cur.Seq, max(w.acked, cur.Seq)
				w.retake()
			}
		case lost:
			if h := &w.places[place]; cur.Seq >= h.acked {
				h.acked, w.acked = cur.Seq, max(w.acked, cur.Seq)
				w.retake()
			}
		default:
			w.acked = max(w.acked, cur.Seq)
			least, _ := w.least()
			w.dropTo(min(cur.Seq, least))
		}
		w.active = w.now
	}, nil)
}

func (w *world) ping() {
	c, ok := pick(w, "connection", w.conns)
	if !ok {
		return
	}
	w.turn(func() { w.s.PingDue(w.now, c.gen, w.fx) }, func() { c.pinging = true }, nil)
}

func (w *world) read() {
	p := w.caller("read")
	p.limit = w.draw("limit", 1, 6)
	in := session.Read{To: p, Since: w.since(), Limit: p.limit, Wait: w.chance("wait")}
	w.turn(func() { w.s.Read(w.now, in, w.fx) }, func() {
		w.active = w.now
		w.prune()
		resume, _ := w.decide(in.Since)
		if !w.draining() && w.ending == nil {
			w.announce()
		}
		rests := w.draining() || w.ending != nil
		switch {
		case rests && !w.shows():
			p.wantErr = protocol.CodeDraining
			if w.ending != nil {
				p.wantErr = protocol.CodeNotFound
			}
			return
		case w.ending != nil:
			p.mayErr = protocol.CodeNotFound
		}
		p.start = w.floor
		switch {
		case resume == protocol.ResumeUpToDate || resume == protocol.ResumeReplay:
			p.start = in.Since.Seq
			p.waiting = resume == protocol.ResumeUpToDate && in.Wait && !rests
		case (w.cfg.Snapshots || w.counts()) && !rests:
			p.awaiting = w.now + w.cfg.SnapshotTimeout
			w.expectSnapshot()
		}
	}, nil)
}

// waiters are those who wait for an answer, oldest first.
func (w *world) waiters() (all []*caller) {
	for p := range w.calls {
		if p.kind != "delete" {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *caller) int { return a.n - b.n })
	return all
}

func (w *world) giveUpOne() {
	p, ok := pick(w, "caller", w.waiters())
	if !ok {
		return
	}
	w.turn(func() { w.s.GiveUp(w.now, p, w.fx) }, func() {
		p.level, p.waiting, p.awaiting = session.LevelStored, false, 0
	}, nil)
}

// time passes; the session is told at every deadline of its own on the way, or too late.
func (w *world) time() {
	d := rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, time.Second, 5 * time.Second, 25 * time.Second, time.Minute, 10 * time.Minute, time.Hour,
	}).Draw(w.t, "time")
	if w.draw("late", 0, 3) == 0 {
		w.now += d
		return
	}
	w.pass(d)
}

func (w *world) pass(d time.Duration) {
	until := w.now + d
	for w.next > 0 && w.next <= until {
		w.now = max(w.now, w.next)
		w.tick()
		if w.next != 0 && w.next <= w.now && !w.fx.Sleep {
			w.fail("the next deadline is %s, and it is %s", w.next, w.now)
		}
	}
	w.now = until
}

func (w *world) endPlaces() {
	n := len(w.places)
	w.places = slices.DeleteFunc(w.places, func(p held) bool { return p.until <= w.now })
	if len(w.places) < n {
		w.retake()
	}
}

func (w *world) tick() {
	w.turn(func() { w.s.Tick(w.now, w.fx) }, func() {
		w.endPlaces()
		w.excuse(func(by time.Duration) bool { return by <= w.now })
	}, nil)
}

// excuse: whoever waits for the provider, and is due, goes on without a snapshot (P-9).
func (w *world) excuse(due func(time.Duration) bool) {
	for _, c := range w.conns {
		if c.awaiting > 0 && due(c.awaiting) {
			c.awaiting, c.excuse = 0, true
		}
	}
	for p := range w.calls {
		if p.awaiting > 0 && due(p.awaiting) {
			p.awaiting = 0
		}
	}
}

func (w *world) provider() {
	if w.ask == nil {
		return
	}
	asOf := uint64(w.draw("as of", max(0, int(w.floor)-1), int(w.head())+1))
	data := rapid.SampledFrom([]string{`{"sum":1}`, `[ 1 ]`, `{`, "\"\xff\""}).Draw(w.t, "data")
	was := w.ask
	if was.stored {
		asOf, data = 0, "{" // it has been dropped since
		if w.snap != nil {
			asOf, data = w.snap.asOf, w.snap.data
		}
	}
	w.turn(func() { w.s.Answered(w.now, was.token, asOf, []byte(data), nil, w.fx) }, func() {
		w.ask = nil
		waits := slices.ContainsFunc(w.conns, func(c *conn) bool { return c.awaiting > 0 })
		for p := range w.calls {
			waits = waits || p.awaiting > 0
		}
		switch {
		case was.outdated:
			if waits {
				w.expectSnapshot()
			}
		case asOf < w.floor || asOf > w.head() || data[len(data)-1] == '{' || data[1] == 0xff:
			w.excuse(func(time.Duration) bool { return true })
		default:
			w.useSnapshot(asOf)
		}
	}, nil)
}

func (w *world) useSnapshot(asOf uint64) {
	for _, c := range w.conns {
		if c.awaiting > 0 {
			c.awaiting, c.snapshot = 0, &asOf
			c.last, c.replayTo = asOf, max(asOf, c.replayTo)
			w.sent = max(w.sent, asOf)
		}
	}
	for p := range w.calls {
		if p.awaiting > 0 {
			p.awaiting, p.start, p.snapshot = 0, asOf, true
		}
	}
}

func (w *world) judge() {
	kept := true
	w.turn(func() { kept = w.s.Judge(w.now, false, w.fx) }, func() {
		w.prune()
		w.expire()
		w.endPlaces()
		if idle := w.idle(); idle == kept {
			w.fail("P-28: idle %v, kept %v", idle, kept)
		}
		if !kept {
			w.ending = &ending{}
			w.deleteIfIdle()
		}
	}, nil)
}

// end is what ends a life or an epoch: seldom, or nothing else would ever be seen.
func (w *world) end() {
	switch n := w.draw("end", 0, 19); {
	case n == 0:
		w.drain()
	case n < 6:
		p := w.caller("delete")
		w.turn(func() { w.s.Delete(w.now, p, w.fx) }, func() { w.deleted(p) }, nil)
	case n < 9:
		w.turn(func() { w.s.Recover(w.now, w.fx) }, func() {
			if w.cfg.Kept && w.ending != nil && w.ending.asked {
				return // the store forgets the client, whatever happened here
			}
			w.newEpoch()
			if w.ending != nil {
				w.abandon()
			}
		}, nil)
	}
}

func (w *world) drain() {
	if w.draining() {
		return
	}
	w.turn(func() { w.s.Drain(w.now, w.now+10*time.Second, 1000, nil, w.fx) }, func() {
		w.drainBy = w.now + 10*time.Second
		for p := range w.calls {
			if p.kind == "read" && !w.shows() {
				p.wantErr = protocol.CodeDraining
			}
		}
		w.cut()
	}, nil)
}

// finish drains what is left: everybody is answered, and everything closed.
func (w *world) finish() {
	w.drain()
	for len(w.writes) > 0 || len(w.disk.fetches) > 0 || len(w.writing()) > 0 {
		switch writing := w.writing(); {
		case len(w.writes) > 0:
			w.word()
		case len(w.disk.fetches) > 0:
			w.bodies()
		default:
			w.writtenOf(writing[0])
		}
	}
	w.pass(10 * time.Second)
	if len(w.conns) > 0 || len(w.calls) > 0 || w.ending != nil {
		w.fail("left over: %d connections, %d unanswered, ending %v", len(w.conns), len(w.calls), w.ending)
	}
}
