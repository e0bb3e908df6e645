package actors

import "sync"

const (
	// ringFirst is the capacity of a new ring, in messages: 16 bytes each.
	ringFirst = 16
	// ringPooled is the largest ring that goes back to the pool. A larger one was a burst, and its memory goes with it.
	ringPooled = 1024
)

// ring is a growing first-in, first-out queue of messages. It is lent to a mailbox while messages wait there.
type ring struct {
	buf     []any // its length is a power of two
	head, n int
}

var rings = sync.Pool{New: func() any { return &ring{buf: make([]any, ringFirst)} }}

func (r *ring) push(msg any) {
	if r.n == len(r.buf) {
		grown := make([]any, 2*len(r.buf))
		k := copy(grown, r.buf[r.head:])
		copy(grown[k:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = msg
	r.n++
}

// pop takes the oldest message; r must not be empty.
func (r *ring) pop() any {
	msg := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return msg
}

// at returns the i-th oldest message, i < n.
func (r *ring) at(i int) any { return r.buf[(r.head+i)&(len(r.buf)-1)] }

// giveBack returns an empty ring to the pool.
func (r *ring) giveBack() {
	if len(r.buf) <= ringPooled {
		r.head = 0
		rings.Put(r)
	}
}
