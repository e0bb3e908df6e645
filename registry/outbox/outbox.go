// Package outbox is the retained, numbered frames of one client: pure data, no clock, no lock, no I/O. Whoever holds
// an Outbox is its only writer.
package outbox

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Outbox numbers frames densely from 1. Frames in (Floor, Head] are retained and may be shown; those in (Head, Tail]
// are appended and not yet confirmed by the store, and nobody may see them (P-26). Of the retained ones those up to Cold have their
// bodies in the store only. The zero value is an empty outbox.
//
// Append, Confirm, DropTo and At are O(1) amortised at any depth.
type Outbox struct {
	hot   ring[entry] // the frames above Cold
	aside *aside      // nil for none
	floor uint64
	head  uint64
	bytes int64 // of the confirmed ones, with overhead
}

// Floor is the highest seq that is no longer retained; 0 at first.
func (o *Outbox) Floor() uint64 { return o.floor }

// Head is the last confirmed seq; 0 for none yet.
func (o *Outbox) Head() uint64 { return o.head }

// Tail is the last seq given out, confirmed or not.
func (o *Outbox) Tail() uint64 { return o.Cold() + uint64(o.hot.n) }

// Len is the number of retained confirmed frames.
func (o *Outbox) Len() uint64 { return o.head - o.floor }

// Bytes is what the retained confirmed frames cost: each body plus protocol.FrameOverhead.
func (o *Outbox) Bytes() int64 { return o.bytes }

// Append gives b, which has less than 4 GiB, the next seq, provisionally: nothing shows it before Confirm. The outbox keeps b, which must not change any
// more. at is when that is; it is kept to the quarter of a second, rounded up.
func (o *Outbox) Append(b protocol.Body, at time.Duration) uint64 {
	o.hot.push(newEntry(b, at))
	seq := o.Tail()
	if o.counts(seq) {
		o.aside.above.add(1, len(b), protocol.OfTopic(b))
	}
	return seq
}

// Confirm moves the head up to seq, which is at most Tail; an older seq changes nothing.
func (o *Outbox) Confirm(seq uint64) {
	cold := o.Cold()
	for seq = min(seq, cold+uint64(o.hot.n)); o.head < seq; {
		o.bytes += cost(int(o.hot.at(int(o.head - cold)).size))
		o.head++
	}
}

// Truncate forgets every frame above the head and returns how many: a failed write consumes no seq (P-26).
func (o *Outbox) Truncate() int {
	n := int(o.Tail() - o.head)
	for range n {
		if tail := o.Tail(); o.counts(tail) {
			size, ofTopic := o.look(tail)
			o.aside.above.add(-1, size, ofTopic)
		}
		o.hot.pop()
	}
	o.hot.fit()
	return n
}

// DropTo raises the floor to seq, at most to the head, and returns how many frames and bytes went.
func (o *Outbox) DropTo(seq uint64) (frames int, bytes int64) {
	seq = min(seq, o.head)
	if o.hasCold() {
		frames, bytes = o.dropCold(seq)
	}
	if o.floor < seq {
		for ; o.floor < seq; frames++ {
			e := o.hot.shift()
			bytes += cost(int(e.size))
			o.floor++
			if o.counts(o.floor) {
				o.aside.above.add(-1, int(e.size), protocol.OfTopic(e.body()))
			}
		}
		o.hot.fit()
	}
	o.bytes -= bytes
	return frames, bytes
}

// At returns the retained confirmed frame with that seq, and when it was appended; the body is nil for a cold one, and ok is false for any
// other seq.
func (o *Outbox) At(seq uint64) (b protocol.Body, at time.Duration, ok bool) {
	switch {
	case seq <= o.floor || seq > o.head:
		return nil, 0, false
	case seq <= o.Cold():
		return nil, o.aside.cold.at(int(seq - o.floor - 1)).at.time(), true
	}
	e := o.entry(seq)
	return e.body(), e.at.time(), true
}

// Oldest is when the oldest frame was appended, confirmed or not; ok is false for an empty outbox.
func (o *Outbox) Oldest() (at time.Duration, ok bool) {
	if o.hasCold() || o.hot.n > 0 {
		return o.oldest().time(), true
	}
	return 0, false
}

// oldest is when the oldest frame was appended; there must be one.
func (o *Outbox) oldest() moment {
	if o.hasCold() {
		return o.aside.cold.at(0).at
	}
	return o.hot.items[o.hot.start].at
}

// Appended appends to dst the bodies of the frames first to last that are in memory, confirmed or not: what the store is asked to keep.
func (o *Outbox) Appended(dst []protocol.Body, first, last uint64) []protocol.Body {
	for seq, end := max(first, o.Cold()+1), min(last, o.Tail()); seq <= end; seq++ {
		dst = append(dst, o.entry(seq).body())
	}
	return dst
}

// Copy appends to dst the confirmed frames after seq after, as many as fit maxFrames and maxBytes of bodies, but at
// least one if there is one. after must not be below Cold, nor so below the floor: the caller has looked.
func (o *Outbox) Copy(dst []protocol.Piece, after uint64, maxFrames, maxBytes int) []protocol.Piece {
	size := 0
	for seq := after + 1; seq <= o.head && maxFrames > 0; seq++ {
		b := o.entry(seq).body()
		if size += len(b); size > maxBytes && seq > after+1 {
			break
		}
		dst = append(dst, protocol.Piece{Seq: seq, Body: b})
		maxFrames--
	}
	return dst
}

func cost(size int) int64 { return int64(size) + protocol.FrameOverhead }

// entry is that of a frame above Cold.
func (o *Outbox) entry(seq uint64) *entry { return o.hot.at(int(seq - o.Cold() - 1)) }
