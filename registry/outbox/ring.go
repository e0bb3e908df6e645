package outbox

import "slices"

// ring is a queue in one slice, whose slack follows what it holds: it grows and shrinks, and keeps nothing alive that has left it.
type ring[T any] struct {
	items []T
	start uint32 // where the oldest is
	n     uint32
}

const (
	firstRing  = 4  // 64 bytes of entries, so that the first frame of an idle client costs little
	keepRing   = 8  // an empty ring up to this size is kept, so that publish-ack-publish does not allocate
	doubleUpTo = 32 // above it the ring grows by a quarter: slack is paid for every deep outbox. Up to it sizes are the allocator's own
)

// at is the i-th oldest.
func (r *ring[T]) at(i int) *T { return &r.items[r.index(i)] }

func (r *ring[T]) index(i int) int {
	if i += int(r.start); i >= len(r.items) {
		i -= len(r.items)
	}
	return i
}

func (r *ring[T]) push(v T) {
	if int(r.n) == len(r.items) {
		r.resize(grown(int(r.n)))
	}
	r.n++
	*r.at(int(r.n) - 1) = v
}

// shift takes the oldest out. The caller calls fit when it is done.
func (r *ring[T]) shift() (v T) {
	e := &r.items[r.start]
	v, *e = *e, v
	if r.start++; int(r.start) == len(r.items) {
		r.start = 0
	}
	r.n--
	return v
}

// pop takes the newest out. The caller calls fit when it is done.
func (r *ring[T]) pop() {
	var zero T
	*r.at(int(r.n) - 1) = zero
	r.n--
}

// fit gives slack back where there is too much of it.
func (r *ring[T]) fit() {
	if int(r.n) < max(len(r.items)/4, 1) {
		r.shrink()
	}
}

func (r *ring[T]) shrink() {
	n, size := int(r.n), len(r.items)
	if n == 0 && size > keepRing {
		r.items, r.start = nil, 0
		return
	}
	for size > 2*keepRing && n < size/4 {
		size /= 2
	}
	if size < len(r.items) {
		r.resize(size)
	}
}

// resize moves what there is to a new slice of size items, or of as many as the allocator gives for the same memory.
func (r *ring[T]) resize(size int) {
	var items []T
	if size <= doubleUpTo {
		items = make([]T, size)
	} else {
		items = slices.Grow(items, size)
		items = items[:cap(items)]
	}
	n := min(len(r.items)-int(r.start), int(r.n))
	copy(items, r.items[r.start:int(r.start)+n])
	copy(items[n:], r.items[:int(r.n)-n])
	r.items, r.start = items, 0
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
