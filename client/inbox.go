package client

import (
	"context"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

// item is one thing for the application, in the order of the outbox: a frame, a rebase or a report. News of topics is never queued as one, but taken as one.
type item struct {
	frame  Frame
	rebase *rebase
	report *ResumeReport
	news   *news
}

// cost is what an item counts against the inbox's bound in bytes.
func (i item) cost() int {
	n := len(i.frame.Raw)
	if i.rebase != nil {
		n += len(i.rebase.data)
	}
	return n
}

// rebase moves the position to where a fresh or too old attach begins. The reset and the snapshot are one item, so that no cut
// can come between them: the cursor is never at A without the snapshot.
type rebase struct {
	life   uint64
	cursor protocol.Cursor
	// reason is why the application must discard; "" for its first attach, where it holds nothing.
	reason      protocol.Reason
	mode        protocol.Resume
	snapshot    bool
	data        []byte
	lost        uint64
	lostUnknown bool
}

// inbox is the bounded queue between the connection and the application, together with the position of both: what takes a frame
// out moves the cursor in the same step, so that a reconnect always sees one or the other. Its lock is never held over a call.
type inbox struct {
	maxItems, maxBytes int

	mu    sync.Mutex
	items []item
	bytes int
	// closed hands nothing over any more, finishing only what is there.
	closed, finishing bool
	// overflowed says that a frame of this connection was dropped for want of room.
	overflowed bool

	pos position
	// topics are the positions in topics, news waits for the frames that come before it.
	topics    topics
	news      []*news
	newsBytes int
	// asked is when an ack was last due by its interval, or when the first connection began. It outlives connections: with a clock for
	// each of them, a client whose connections are shorter than the interval would never ack (P-12).
	asked time.Time
	// live says that the report of the last catching up has been handed over, caught counts for the next one.
	live   bool
	caught catchup
	stats  Stats
	// arrived and left hold a token each when the queue has grown or shrunk.
	arrived, left chan struct{}
}

func newInbox(s settings) *inbox {
	b := &inbox{
		maxItems: s.QueueFrames, maxBytes: s.QueueBytes,
		arrived: make(chan struct{}, 1), left: make(chan struct{}, 1),
	}
	if s.since != nil {
		b.pos.held, b.pos.cursor, b.pos.applied, b.pos.told = true, *s.since, s.since.Seq, s.since.Seq
	}
	return b
}

// signal puts the token into a channel of one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// patience is how long a full queue may stand still until the connection is read on without it.
const patience = time.Second

// pushed is what push came to.
type pushed uint8

const (
	queued   pushed = iota
	overflow        // the queue is full and has stood still: the frame was dropped, and comes again with the next attach
	over            // the connection or the client has ended
)

// push queues a frame. It waits while the queue is full and moves, which holds the server back; a queue that stands still must not
// stop the reading, since the handler may wait for a receipt that is behind the frames.
func (b *inbox) push(it item, gone <-chan struct{}) pushed {
	var still *time.Timer
	for {
		if r, ok := b.offer(it, false); ok {
			return r
		}
		if still == nil {
			still = time.NewTimer(patience)
			defer still.Stop()
		} else {
			still.Reset(patience)
		}
		select {
		case <-b.left:
		case <-still.C:
			if r, ok := b.offer(it, true); ok {
				return r
			}
		case <-gone:
			return over
		}
	}
}

// offer queues it if there is room; false if there is not. With last it overflows instead.
func (b *inbox) offer(it item, last bool) (pushed, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	frame := it.rebase == nil && it.report == nil // the other two are few, and must not be dropped
	full := b.maxItems > 0 && len(b.items) >= b.maxItems || b.maxBytes > 0 && b.bytes >= b.maxBytes
	switch {
	case b.closed || b.finishing:
		return over, true
	case frame && full:
		b.overflowed = b.overflowed || last
		return overflow, last
	}
	b.items = append(b.items, it)
	b.bytes += it.cost()
	signal(b.arrived)
	return queued, true
}

// thirsty says, once, that a queue that had overflowed has run empty: the connection must be made anew, to bring what was dropped.
func (b *inbox) thirsty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.overflowed || len(b.items) > 0 {
		return false
	}
	b.overflowed = false
	return true
}

// dried says the same as thirsty, as often as it is asked.
func (b *inbox) dried() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.overflowed && len(b.items) == 0
}

// take returns the next item, and moves the position with it. What has been handed over before is dropped (P-3). It returns an empty item where that was the last of a queue
// that had overflowed.
func (b *inbox) take(ctx context.Context) (item, error) {
	for {
		if err := ctx.Err(); err != nil {
			return item{}, err
		}
		it, ok, closed := b.pop()
		if ok {
			return it, nil
		}
		if closed {
			return item{}, ErrClosed
		}
		if b.dried() {
			return item{}, nil
		}
		select {
		case <-b.arrived:
		case <-ctx.Done():
			return item{}, ctx.Err()
		}
	}
}

func (b *inbox) pop() (it item, ok, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer signal(b.left)
	for !b.closed {
		if n := b.dueNews(); n != nil {
			return item{news: n}, true, false
		}
		if len(b.items) == 0 {
			break
		}
		it = b.items[0]
		v, n := b.judge(it)
		if v == tells {
			return item{news: n}, true, false // the frame is still there
		}
		b.items[0] = item{}
		b.items = b.items[1:]
		b.bytes -= it.cost()
		switch {
		case it.rebase != nil:
			b.pos.rebase(it.rebase)
			b.caught.rebase(it.rebase)
			b.topics.rebased(it.rebase.reason)
			if it.rebase.reason != "" {
				b.stats.Resets++
			}
		case it.report != nil:
			b.caught.fill(it.report)
			b.live = true
		case !b.pos.hand(it.frame):
			b.stats.Duplicates++
			continue
		case v == repeats:
			b.pos.pass()
			b.caught.passed++
			b.stats.TopicRepeats++
			continue
		default:
			b.stats.Frames++
			b.caught.replayed++
		}
		return it, true, false
	}
	if b.finishing && !b.closed {
		b.closed, b.pos = true, position{}
	}
	return item{}, false, b.closed
}

// judge holds what comes next to its topic's count. What is no frame, or has been handed over before, passes.
func (b *inbox) judge(it item) (verdict, *news) {
	if it.rebase != nil || it.report != nil || it.frame.Seq <= b.pos.cursor.Seq {
		return passes, nil
	}
	v, n := b.topics.judge(it.frame)
	if n != nil && n.hole != nil {
		b.stats.TopicHoles += n.hole.To - n.hole.From + 1
	}
	return v, n
}

// applied says that the application is through with the frame handed over last; due says that the ack cannot wait (P-12).
func (b *inbox) applied() (due bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pos.apply()
}

// ackTime says whether an ack is due by its interval, and when the next one will be.
func (b *inbox) ackTime(now time.Time, gap time.Duration) (due bool, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked.IsZero() {
		b.asked = now
	}
	if due = now.Sub(b.asked) >= gap; due {
		b.asked = now
	}
	return due, b.asked.Add(gap)
}

// ack returns the seq to acknowledge on a connection of that life which has received up to received.
func (b *inbox) ack(life, received uint64) (seq uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq, ok = b.pos.ack(life, received); ok {
		b.stats.Acked = seq
	}
	return seq, ok
}

// standing is what an attach begins with.
type standing struct {
	// since is the cursor to attach with: what has been applied, so that the broker does not prune the frame that is being handled.
	since *protocol.Cursor
	// over is why the client starts over; "" if it does not.
	over protocol.Reason
	life uint64
	// before is how many frames this catching up has handed over or lost by earlier attaches: hello's missed does not count them.
	before uint64
}

// begin empties the queue, whose frames come again after since, and returns what the next attach begins with.
func (b *inbox) begin() standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.items)
	b.items, b.bytes, b.overflowed = nil, 0, false
	s := standing{over: b.pos.over, life: b.pos.life, before: b.caught.replayed + b.caught.passed + b.caught.lost}
	if b.pos.held && s.over == "" {
		s.since = &protocol.Cursor{Epoch: b.pos.cursor.Epoch, Seq: b.pos.applied}
		s.before -= min(s.before, b.pos.cursor.Seq-b.pos.applied)
	}
	b.stats.Attaches++
	return s
}

// adopt gives a bare cursor the epoch in which the broker has understood it (P-5).
func (b *inbox) adopt(epoch string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pos.held && b.pos.cursor.Epoch == "" {
		b.pos.cursor.Epoch = epoch
	}
}

// lost takes note of the end of a connection: what is handed over from now on is catching up.
func (b *inbox) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live {
		b.live, b.caught = false, catchup{since: time.Now()}
	}
}

// startOver drops the cursor from the next attach on; the application learns of it when that attach has come to something.
func (b *inbox) startOver(why protocol.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pos.held {
		b.pos.over = why
	}
}

// repeated counts a frame that the connection brought again.
func (b *inbox) repeated() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Duplicates++
}

// finish closes the inbox once what it holds has been handed over, and forgets the cursor then (4504).
func (b *inbox) finish() {
	b.mu.Lock()
	b.finishing = true
	b.mu.Unlock()
	signal(b.arrived)
	signal(b.left)
}

// close lets nothing more be handed over.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	signal(b.arrived)
	signal(b.left)
}

func (b *inbox) cursor() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.pos.held {
		return ""
	}
	return b.pos.cursor.String()
}
