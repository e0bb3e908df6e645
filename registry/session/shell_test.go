package session_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// conn is one connection as its reader sees it, and what its reader is owed.
type conn struct {
	gen    uint64
	in     session.Attach
	seen   time.Duration
	goneIn int // the step in which it ended; 0: it has not
	refuse bool

	hello       protocol.Hello // as it has to be
	greeted     bool
	last, acked uint64
	awaiting    time.Duration // until when it waits for its snapshot; 0: it does not
	snapshot    *uint64       // a snapshot as of this is due
	excuse      bool          // snapshot_unavailable is due
	replayTo    uint64
	replaying   bool

	batch   []protocol.Piece // under way
	copied  []byte           // what it held when it was handed over
	handed  uint64           // how far it takes its reader
	lift    uint64           // a snapshot in it lifts the ack mark to this
	pinging bool             // a ping is queued or in it
	pings   int              // in it

	replies    int // queued
	pongs      int // still to come
	paused     bool
	early      int // pings written before hello
	violations []time.Duration
	closing    bool // with 4508, after the error that is due
}

// turn is one input: call tells the session, rules says what must come of it, and afterwards, where there is one, what follows from what
// was written to the readers.
func (w *world) turn(call, rules, afterwards func()) {
	w.step++
	w.before = w.floor
	w.mustClose = map[uint64]protocol.CloseCode{}
	w.fx.Reset()
	w.fx.Defer = w.chance("defer")
	call()
	w.deferred = w.deferred || w.fx.Deferred
	w.commits, w.asks = slices.Clone(w.fx.Commits), slices.Clone(w.fx.Asks)
	w.lazily(false)
	for _, k := range w.commits {
		if got := w.s.Appended(nil, k.First, k.Last); k.First > 0 && len(got) != int(k.Last-k.First+1) {
			w.fail("commit #%d of %d..%d has %d bodies", k.Token, k.First, k.Last, len(got))
		}
	}
	rules()
	w.lazily(true)
	w.observe()
	if afterwards != nil {
		afterwards()
	}
	w.next = w.fx.Next
	retire, sleep := w.fx.Retire, w.fx.Sleep
	w.told()
	w.check()
	if sleep && w.chance("sleep") {
		w.sleeps()
	}
	if retire {
		w.retire()
	}
}

// observe takes the effects in, in the order in which a shell obeys them.
func (w *world) observe() {
	fx := w.fx
	for _, x := range fx.Writes {
		w.write(x)
	}
	for _, x := range fx.Pauses {
		if c := w.byGen[x.Gen]; c.paused == x.Stop {
			w.fail("connection %d was told twice to stop or to go on", x.Gen)
		} else {
			c.paused = x.Stop
		}
	}
	for _, r := range fx.Replies {
		p := r.To.(*caller)
		if !w.calls[p] {
			w.fail("%s %d was answered twice", p.kind, p.n)
		}
		delete(w.calls, p)
		w.answers = append(w.answers, answer{p, r})
		if r.Page != nil {
			w.page(p, r.Page)
		}
	}
	for _, x := range fx.Closes {
		w.close(x)
	}
	if len(w.mustClose) > 0 {
		w.fail("these were to be closed: %v", w.mustClose)
	}
	if w.ended {
		w.retake()
	}
}

func (w *world) close(x session.Close) {
	if code, ok := w.mustClose[x.Gen]; ok && code == x.Code {
		delete(w.mustClose, x.Gen)
		return
	}
	c := w.byGen[x.Gen]
	right := false
	switch x.Code {
	case protocol.CloseSlowConsumer:
		right = c.last < w.floor
	case protocol.CloseProtocolViolation:
		right = c.closing
	case protocol.CloseDraining:
		right = w.draining()
	}
	if !right || c.goneIn != 0 {
		w.fail("connection %d closed with %s (gone in step %d)", x.Gen, x.Code.Name(), c.goneIn)
	}
	w.remove(c, true)
	if w.ended {
		w.retake()
	}
}

// write checks one batch, piece by piece.
func (w *world) write(x session.Write) {
	c := w.byGen[x.Gen]
	switch {
	case c.goneIn != 0 && c.goneIn != w.step:
		w.fail("a batch for connection %d, which is gone", c.gen)
	case c.batch != nil:
		w.fail("a second batch is under way to connection %d", c.gen)
	case len(x.Batch) == 0:
		w.fail("an empty batch for connection %d", c.gen)
	}
	c.batch, c.copied = x.Batch, flat(x.Batch)
	for i, p := range x.Batch {
		switch {
		case p.Seq == 0:
			w.control(c, p.Body, i)
		default:
			w.frame(c, p)
		}
	}
	c.handed = c.last
}

// flat is what a batch holds, to see that nobody changes it.
func flat(batch []protocol.Piece) (b []byte) {
	for _, p := range batch {
		b = protocol.AppendFrame(b, p.Seq, p.Body)
	}
	return b
}

func (w *world) frame(c *conn, p protocol.Piece) {
	switch {
	case p.Seq > w.head():
		w.fail("P-26: frame %d was shown to connection %d, the head is %d", p.Seq, c.gen, w.head())
	case !c.greeted || c.refuse || c.closing || c.awaiting > 0 || c.snapshot != nil || c.excuse:
		w.fail("P-9: frame %d came to connection %d too early", p.Seq, c.gen)
	case p.Seq != c.last+1:
		w.fail("P-3: frame %d came to connection %d after %d", p.Seq, c.gen, c.last)
	case !bytes.Equal(p.Body, []byte(w.frames[p.Seq-1].body)):
		w.fail("P-1: frame %d is %s, published was %s", p.Seq, p.Body, w.frames[p.Seq-1].body)
	case c.replaying && p.Seq > c.replayTo:
		w.fail("P-8: frame %d came to connection %d before replay_end(%d)", p.Seq, c.gen, c.replayTo)
	}
	c.last = p.Seq
	w.sent = max(w.sent, p.Seq)
}

func (w *world) control(c *conn, body protocol.Body, at int) {
	var m struct {
		Type string        `json:"type"`
		Seq  uint64        `json:"seq"`
		AsOf uint64        `json:"as_of"`
		Head uint64        `json:"head"`
		Code protocol.Code `json:"code"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		w.fail("%s: %s", body, err)
	}
	right := c.greeted
	switch m.Type {
	case protocol.TypeHello:
		right = !c.greeted && at == 0 && !c.refuse && w.shows() && bytes.Equal(body, protocol.EncodeHello(c.hello))
		c.greeted = true
	case protocol.TypeReplayEnd:
		right = right && c.replaying && m.Seq == c.replayTo && c.last >= m.Seq
		c.replaying = false
	case protocol.TypeSnapshot:
		right = right && c.snapshot != nil && *c.snapshot == m.AsOf
		c.snapshot, c.lift = nil, m.AsOf
	case protocol.TypeError:
		if m.Code == protocol.CodeSnapshotUnavailable {
			right = right && c.excuse
			c.excuse = false
		} else {
			c.replies--
		}
	case protocol.TypePing:
		c.pings++
		right = right && c.pinging && c.pings == 1 && m.Head <= w.head()
	case protocol.TypePong:
		c.pongs--
		c.replies--
		right = right && c.pongs >= 0
	case protocol.TypeReceipt:
	case protocol.TypeGoaway:
		done := c.last == w.head() && !c.replaying && c.awaiting == 0 && w.appending() == 0
		late := w.draining() && w.now >= w.drainBy
		right = w.draining() && (c.refuse || late && !w.shows() || right && (done || late))
	default:
		right = false
	}
	if !right {
		w.fail("%s came to connection %d: last %d, replay to %d, hello %s", body, c.gen, c.last, c.replayTo, protocol.EncodeHello(c.hello))
	}
}

// page checks the answer to a read.
func (w *world) page(p *caller, g *protocol.Page) {
	start := p.start
	switch {
	case p.snapshot && start >= g.Floor:
		if g.Snapshot == nil {
			w.fail("P-9: the page has no snapshot")
		}
	case g.Snapshot != nil:
		w.fail("P-9: the page has a snapshot as of %d, and begins at %d", start, g.Floor)
	case start < g.Floor:
		start = g.Floor
	}
	if g.Head != w.head() || len(g.Frames) > p.limit {
		w.fail("a page of %d..%d with %d frames, while the outbox is %d..%d", g.Floor, g.Head, len(g.Frames), w.floor, w.head())
	}
	for i, f := range g.Frames {
		seq := start + uint64(i) + 1
		if seq > w.head() || !bytes.Equal(f, protocol.AppendFrame(nil, seq, protocol.Body(w.frames[seq-1].body))) {
			w.fail("P-3: frame %d of a page is %s", seq, f)
		}
	}
	end := start + uint64(len(g.Frames))
	cur, err := protocol.ParseCursor(g.Cursor)
	if err != nil || cur.Seq != end || g.More != (end < g.Head) {
		w.fail("a page up to %d of %d has the cursor %s, more %v", end, g.Head, g.Cursor, g.More)
	}
	if len(g.Frames) == 0 && end < g.Head {
		w.fail("an empty page, though there are frames up to %d", g.Head)
	}
	if cur.Epoch == w.epoch && !w.shows() {
		w.fail("P-26: a page of %s, which the store has not confirmed", g.Epoch)
	}
	if cur.Epoch == w.epoch { // else the epoch ended in this step
		w.sent, w.handed = max(w.sent, end), max(w.handed, end)
	}
}
