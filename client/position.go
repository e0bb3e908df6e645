package client

import (
	"time"

	"github.com/restante/restante/protocol"
)

// position is where the application stands. Only taking an item out of the inbox, and having applied it, moves it.
type position struct {
	// held says that there is a cursor.
	held bool
	// cursor is the last frame handed over (P-30).
	cursor protocol.Cursor
	// applied is the last frame that the application is through with.
	applied uint64
	// told is the last frame that an ack has named, on whichever connection, or where the numbering began.
	told uint64
	// over is why the next attach goes without the cursor; "" where it goes with it.
	over protocol.Reason
	// life counts the times that the numbering began anew. An ack is only ever sent on a connection of the same life.
	life uint64
	// last is the frame that was handed over and not applied yet; Seq 0 for none.
	last Frame
	// frames and bytes have been applied since the last ack.
	frames, bytes int
}

func (p *position) rebase(r *rebase) {
	*p = position{held: true, cursor: r.cursor, applied: r.cursor.Seq, told: r.cursor.Seq, life: r.life}
}

// hand moves the cursor to f, and returns false for a frame that was handed over before.
func (p *position) hand(f Frame) bool {
	if f.Seq <= p.cursor.Seq {
		return false
	}
	p.cursor.Seq = f.Seq
	p.last = f
	return true
}

// pass is through with the frame that hand has moved to, which the application is not given.
func (p *position) pass() {
	p.apply()
}

// apply takes note that last is applied, and says whether an ack is due at once.
func (p *position) apply() (due bool) {
	if p.last.Seq == 0 {
		return false
	}
	p.applied = p.last.Seq
	p.frames++
	p.bytes += len(p.last.Raw)
	p.last = Frame{}
	return p.frames >= protocol.AckFrames || p.bytes >= protocol.AckBytes
}

// ack returns what to acknowledge: what has been applied, but nothing that this connection has not brought, since the broker
// would answer that with ack_ahead (P-11). What earlier connections have brought is new until an ack has named it: the cursor of an
// attach is where its ack mark begins, but it does not make the broker take the least anew.
func (p *position) ack(life, received uint64) (seq uint64, ok bool) {
	seq = min(p.applied, received)
	if p.life != life || seq <= p.told {
		return 0, false
	}
	p.told, p.frames, p.bytes = seq, 0, 0
	return seq, true
}

// catchup counts what has been handed over since the client was last live, over as many connections as it took.
type catchup struct {
	// since is when the connection was lost; zero before the first attach.
	since       time.Time
	replayed    uint64
	passed      uint64 // repeats of a topic's frames, which were not handed over
	mode        protocol.Resume
	reason      protocol.Reason
	snapshot    bool
	lost        uint64
	lostUnknown bool
}

func (c *catchup) rebase(r *rebase) {
	c.mode, c.snapshot = r.mode, r.snapshot
	c.replayed, c.passed = 0, 0 // what is discarded has not been caught up on
	if r.reason != "" {
		c.reason = r.reason
	}
	c.lost += r.lost
	c.lostUnknown = c.lostUnknown || r.lostUnknown
}

// fill completes the report of the attach that ended the catching up.
func (c *catchup) fill(r *ResumeReport) {
	if c.mode != "" {
		r.Mode, r.Reason, r.Snapshot, r.Lost, r.LostUnknown = c.mode, c.reason, c.snapshot, c.lost, c.lostUnknown
	}
	r.Replayed = c.replayed
	if !c.since.IsZero() {
		r.Offline = time.Since(c.since)
	}
}
