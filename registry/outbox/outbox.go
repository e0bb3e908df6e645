// Package outbox is the retained, numbered frames of one client: pure data, no clock, no lock, no I/O. Whoever holds
// an Outbox is its only writer.
package outbox

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Outbox numbers frames densely from 1. Frames in (Floor, Head] are retained and may be shown; those in (Head, Tail]
// are appended and not yet confirmed by the store, and nobody may see them (P-26). The zero value is an empty outbox.
//
// Append, Confirm, DropTo and At are O(1) amortised at any depth.
type Outbox struct {
	ring  []entry // the entry of seq floor+1 is at start
	start uint32
	floor uint64
	head  uint64
	tail  uint64
	bytes int64 // of the confirmed ones, with overhead
}

// entry is one frame as the outbox owns it. at is when it was appended, on the broker's monotonic clock.
type entry struct {
	body protocol.Body
	at   time.Duration
}

const (
	firstRing  = 2   // 64 bytes, so that the first frame of an idle client costs little
	doubleUpTo = 256 // above it the ring grows by a quarter: slack is paid for every deep outbox
	keepRing   = 8   // an empty ring up to this size is kept, so that publish-ack-publish does not allocate
)

// Floor is the highest seq that is no longer retained; 0 at first.
func (o *Outbox) Floor() uint64 { return o.floor }

// Head is the last confirmed seq; 0 for none yet.
func (o *Outbox) Head() uint64 { return o.head }

// Tail is the last seq given out, confirmed or not.
func (o *Outbox) Tail() uint64 { return o.tail }

// Len is the number of retained confirmed frames.
func (o *Outbox) Len() uint64 { return o.head - o.floor }

// Bytes is what the retained confirmed frames cost: each body plus protocol.FrameOverhead.
func (o *Outbox) Bytes() int64 { return o.bytes }

// Append gives b the next seq, provisionally: nothing shows it before Confirm. The outbox keeps b, which must not change any more.
func (o *Outbox) Append(b protocol.Body, at time.Duration) uint64 {
	n := int(o.tail - o.floor)
	if n == len(o.ring) {
		o.resize(grown(n))
	}
	o.ring[o.index(n)] = entry{b, at}
	o.tail++
	return o.tail
}

// Confirm moves the head up to seq, which is at most Tail; an older seq changes nothing.
func (o *Outbox) Confirm(seq uint64) {
	for o.head < seq && o.head < o.tail {
		o.head++
		o.bytes += cost(o.entry(o.head).body)
	}
}

// Truncate forgets every frame above the head and returns how many: a failed write consumes no seq (P-26).
func (o *Outbox) Truncate() int {
	n := int(o.tail - o.head)
	for ; o.tail > o.head; o.tail-- {
		*o.entry(o.tail) = entry{}
	}
	o.shrink()
	return n
}

// DropTo raises the floor to seq, at most to the head, and returns how many frames and bytes went.
func (o *Outbox) DropTo(seq uint64) (frames int, bytes int64) {
	seq = min(seq, o.head)
	for o.floor < seq {
		e := &o.ring[o.start]
		bytes += cost(e.body)
		*e = entry{}
		o.start++
		if int(o.start) == len(o.ring) {
			o.start = 0
		}
		o.floor++
		frames++
	}
	o.bytes -= bytes
	if frames > 0 {
		o.shrink()
	}
	return frames, bytes
}

// At returns the retained confirmed frame with that seq, and when it was appended; ok is false for any other seq.
func (o *Outbox) At(seq uint64) (b protocol.Body, at time.Duration, ok bool) {
	if seq <= o.floor || seq > o.head {
		return nil, 0, false
	}
	e := o.entry(seq)
	return e.body, e.at, true
}

// Appended appends to dst the bodies of the frames first to last, confirmed or not: what the store is asked to keep.
func (o *Outbox) Appended(dst []protocol.Body, first, last uint64) []protocol.Body {
	for seq := max(first, o.floor+1); seq <= min(last, o.tail); seq++ {
		dst = append(dst, o.entry(seq).body)
	}
	return dst
}

// Copy appends to dst the confirmed frames after seq after, as many as fit maxFrames and maxBytes of bodies, but at
// least one if there is one. after must not be below the floor: the caller has looked.
func (o *Outbox) Copy(dst []protocol.Piece, after uint64, maxFrames, maxBytes int) []protocol.Piece {
	size := 0
	for seq := after + 1; seq <= o.head && maxFrames > 0; seq++ {
		b := o.entry(seq).body
		if size += len(b); size > maxBytes && seq > after+1 {
			break
		}
		dst = append(dst, protocol.Piece{Seq: seq, Body: b})
		maxFrames--
	}
	return dst
}

func cost(b protocol.Body) int64 { return int64(len(b)) + protocol.FrameOverhead }

func (o *Outbox) entry(seq uint64) *entry { return &o.ring[o.index(int(seq-o.floor-1))] }

// index is where the n-th entry after the floor lies, n < len(ring).
func (o *Outbox) index(n int) int {
	if n += int(o.start); n >= len(o.ring) {
		n -= len(o.ring)
	}
	return n
}

func grown(n int) int {
	switch {
	case n == 0:
		return firstRing
	case n < doubleUpTo:
		return 2 * n
	}
	return n + n/4
}

func (o *Outbox) shrink() {
	n, size := int(o.tail-o.floor), len(o.ring)
	if n == 0 && size > keepRing {
		o.ring, o.start = nil, 0
		return
	}
	for size > 2*keepRing && n < size/4 {
		size /= 2
	}
	if size < len(o.ring) {
		o.resize(size)
	}
}

func (o *Outbox) resize(size int) {
	ring := make([]entry, size)
	n := int(o.tail - o.floor)
	for i := range n {
		ring[i] = o.ring[o.index(i)]
	}
	o.ring, o.start = ring, 0
}
