package client

import (
	"encoding/json"
	"math"
	"time"

	"github.com/restante/restante/protocol"
)

// What holds until hello says otherwise (P-6, P-12, P-17).
const (
	defaultSilence = 60 * time.Second
	defaultAckGap  = 5 * time.Second
	// maxAfter is the longest retry_after_ms that a client obeys.
	maxAfter = 5 * time.Minute
)

// attachment is the protocol of one attach: which message may come, and what it means. It belongs to the goroutine that reads the
// connection; seen (what an ack may cover) is shared with the writer through an atomic.
type attachment struct {
	c    *Client
	link *link
	from standing
	id   uint64

	greeted bool
	hello   protocol.Hello
	// awaited is the rebase that waits for its snapshot; nil where there is none.
	awaited *rebase
	// next is the seq that must come, last the greatest that came, also where there was no room for it.
	next, last uint64
	// liveAt is when everything up to hello's head had come; zero before.
	liveAt time.Time
	// dry says that the queue has overflowed: frames are dropped from here on, everything else is heard (see inbox.push).
	dry bool
	// refused is the last error that the broker sent which belongs to no send or subscription, after how long it asked the client to stay away.
	refused *protocol.Error
	after   time.Duration

	marks marks
}

// on reads one message. A *fault is what the server did wrong.
func (a *attachment) on(raw []byte) error {
	m, err := protocol.ParseIncoming(raw)
	if err != nil {
		return &fault{code: protocol.CloseProtocolError, err: err}
	}
	switch {
	case m.Seq > 0:
		return a.frame(m)
	case !a.greeted && m.Type == protocol.TypeHello:
		return a.onHello(raw)
	}
	switch m.Type {
	case protocol.TypePing:
		a.link.writer.answer()
	case protocol.TypeReplayEnd:
		return a.replayEnd(raw)
	case protocol.TypeSnapshot:
		if m.Topic != "" {
			return a.topicSnapshot(raw)
		}
		return a.snapshot(raw)
	case protocol.TypeSubscribed:
		return a.subscribed(raw)
	case protocol.TypeUnsubscribed:
		a.unsubscribed(m.Topic)
	case protocol.TypeError:
		return a.refusal(raw)
	case protocol.TypeReceipt:
		a.c.receipt(raw)
	case protocol.TypeGoaway:
		var g protocol.Goaway
		if err := decode(raw, &g); err != nil {
			return err
		}
		a.after = retryAfter(g.RetryAfterMS)
	}
	return nil
}

// decode reads a message of the broker's own.
func decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return violation(protocol.CodeBadFrame, "the server sent a message that cannot be read: %v", err)
	}
	return nil
}

func retryAfter(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), maxAfter.Milliseconds())) * time.Millisecond
}

func (a *attachment) onHello(raw []byte) error {
	h := &a.hello
	if err := decode(raw, h); err != nil {
		return err
	}
	if err := a.checkHello(h); err != nil {
		return err
	}
	a.greeted = true
	a.limits(h)
	a.c.greeted(h)
	a.c.setState(State{Phase: CatchingUp})
	if h.Resume == protocol.ResumeReplay || h.Resume == protocol.ResumeUpToDate {
		return a.goOn(h)
	}
	return a.anew(h)
}

func (a *attachment) checkHello(h *protocol.Hello) error {
	switch {
	case protocol.CheckClientID(h.ClientID) != nil, a.c.ClientID() != "" && a.c.ClientID() != h.ClientID:
		return violation(protocol.CodeBadFrame, "the server's hello is for the client_id %q", h.ClientID)
	case !protocol.CheckEpoch(h.Epoch):
		return violation(protocol.CodeBadFrame, "the server's hello has no valid epoch")
	case h.Floor > h.Head || h.Head > protocol.MaxSeq:
		return violation(protocol.CodeBadFrame, "the server's hello has floor %d and head %d", h.Floor, h.Head)
	}
	return nil
}

// limits takes over what hello says about sizes and times; what is absent keeps its default.
func (a *attachment) limits(h *protocol.Hello) {
	frame, message := h.MaxFrameBytes, h.MaxMessageBytes
	if frame <= 0 {
		frame = protocol.DefaultMaxFrameBytes
	}
	if message <= 0 {
		message = protocol.DefaultMaxMessageBytes
	}
	a.link.limit = int64(max(min(frame, math.MaxInt-protocol.MessageSlack)+protocol.MessageSlack, message))
	a.link.silence = 0 // an operator may have turned either off
	if h.PingIntervalMS > 0 && h.PongTimeoutMS > 0 {
		const most = int64(24 * time.Hour / time.Millisecond)
		a.link.silence = time.Duration(min(h.PingIntervalMS, most)+min(h.PongTimeoutMS, most)) * time.Millisecond
	}
	gap := defaultAckGap
	if h.AckIntervalMS > 0 {
		gap = min(gap, time.Duration(h.AckIntervalMS)*time.Millisecond)
	}
	a.marks.maxFrame.Store(int64(frame))
	a.link.writer.greeted(gap)
}

// goOn begins after the cursor that was sent.
func (a *attachment) goOn(h *protocol.Hello) error {
	since := a.from.since
	if since == nil || since.Epoch != "" && since.Epoch != h.Epoch || since.Seq > h.Head {
		return hole("the server's hello says %s, which does not follow from the cursor that was sent", h.Resume)
	}
	a.c.inbox.adopt(h.Epoch)
	a.c.inbox.restart(a.from.life, h.Epoch)
	a.begin(a.from.life, since.Seq)
	if h.Resume == protocol.ResumeUpToDate {
		if since.Seq != h.Head {
			return hole("the server's hello says up_to_date, with head %d after %d", h.Head, since.Seq)
		}
		return a.live()
	}
	return nil
}

// anew begins at the floor, or at the snapshot that comes next (P-9).
func (a *attachment) anew(h *protocol.Hello) error {
	a.from.before = 0 // what was caught up on is discarded, and missed again
	r := &rebase{life: a.c.newLife(), cursor: protocol.Cursor{Epoch: h.Epoch, Seq: h.Floor}, mode: h.Resume}
	a.c.inbox.restart(r.life, h.Epoch)
	switch {
	case h.Resume == protocol.ResumeTooOld:
		r.reason = h.Reason
	case a.from.over != "":
		r.reason = a.from.over
	case a.from.since != nil:
		r.reason = ReasonFresh
	}
	r.lostUnknown = r.reason != "" && (h.Lost == nil || h.Resume == protocol.ResumeFresh && h.Floor > 0)
	if h.Lost != nil && !r.lostUnknown {
		r.lost = *h.Lost
	}
	if h.Snapshot {
		a.awaited = r
		return nil
	}
	return a.rebase(r)
}

func (a *attachment) rebase(r *rebase) error {
	a.awaited = nil
	a.begin(r.life, r.cursor.Seq)
	return a.push(item{rebase: r})
}

// begin sets where this connection's frames and acks begin (P-11).
func (a *attachment) begin(life, seq uint64) {
	a.next, a.last = seq+1, seq
	a.marks.begin(life, seq)
	signal(a.link.writer.wake) // an ack may be overdue from the connection before (P-12)
}

func (a *attachment) snapshot(raw []byte) error {
	r := a.awaited
	if r == nil {
		return nil // none was announced
	}
	var s protocol.Snapshot
	if err := decode(raw, &s); err != nil {
		return err
	}
	if s.AsOf < r.cursor.Seq || s.AsOf > protocol.MaxSeq || s.Data == nil {
		return hole("the server sent a snapshot as of %d with a floor of %d", s.AsOf, r.cursor.Seq)
	}
	r.cursor.Seq, r.snapshot, r.data = s.AsOf, true, s.Data
	r.lost, r.lostUnknown = 0, false
	return a.rebase(r)
}

func (a *attachment) frame(m protocol.Incoming) error {
	switch {
	case !a.greeted:
		return violation(protocol.CodeBadFrame, "the server sent a frame before its hello")
	case a.dry:
		a.last = max(a.last, m.Seq)
		return nil
	case a.awaited != nil:
		return hole("the server sent frame %d before the snapshot that it had announced", m.Seq)
	case m.Seq < a.next:
		a.c.inbox.repeated()
		return nil
	case m.Seq > a.next:
		return hole("the server sent frame %d where %d follows", m.Seq, a.next)
	}
	a.next++
	a.last = m.Seq
	before := a.marks.seen.Swap(m.Seq)
	err := a.push(item{frame: newFrame(m)})
	if a.dry {
		a.marks.seen.Store(before)
	}
	return err
}

func (a *attachment) replayEnd(raw []byte) error {
	var e protocol.ReplayEnd
	if err := decode(raw, &e); err != nil {
		return err
	}
	switch {
	case !a.greeted || a.awaited != nil:
		return hole("the server ended a replay that had not begun")
	case !a.liveAt.IsZero(), a.dry:
		return nil
	case e.Seq >= a.next:
		return hole("the server ended the replay at %d, and the last frame was %d", e.Seq, a.next-1)
	}
	return a.live()
}

// live reports what the attach has come to, behind its frames.
func (a *attachment) live() error {
	a.liveAt = time.Now()
	r := &ResumeReport{Mode: a.hello.Resume, Missed: a.from.before}
	if a.hello.Missed != nil {
		r.Missed += *a.hello.Missed
	}
	if err := a.push(item{report: r}); err != nil {
		return err
	}
	a.c.setState(State{Phase: Live})
	return nil
}

func (a *attachment) push(it item) error {
	switch a.c.inbox.push(it, a.link.writer.gone) {
	case over:
		return ErrClosed
	case overflow:
		a.dry = true
	}
	return nil
}

// refusal reads an error of the broker's.
func (a *attachment) refusal(raw []byte) error {
	var m struct {
		Code    protocol.Code
		Message string
		ID      string
		Topic   string
		After   int64 `json:"retry_after_ms"`
	}
	if err := decode(raw, &m); err != nil {
		return err
	}
	e := &protocol.Error{Code: m.Code, Message: m.Message, ID: m.ID, Topic: m.Topic, RetryAfterMS: m.After}
	if e.ID != "" && a.c.refused(e) {
		return nil
	}
	if e.Topic != "" && a.topicRefused(e) {
		return nil
	}
	a.refused = e
	a.after = max(a.after, retryAfter(e.RetryAfterMS))
	a.c.report(e)
	if e.Code == protocol.CodeSnapshotUnavailable && e.Topic == "" && a.awaited != nil {
		return a.rebase(a.awaited)
	}
	return nil
}
