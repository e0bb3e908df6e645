package actors

import "time"

const (
	// wheelSlots is the number of slots, a power of two. With slots of one second a round is 512 s: what is due later
	// stays in its slot and is passed over once a round.
	wheelSlots = 512
	// sparesKept is how many emptied slots' memory waits to be used again. Slots keep none themselves: time goes through all
	// of them, and each would end up as large as the busiest.
	sparesKept = 8
	// spareKept is the largest of these, in entries of 24 bytes. A larger one was a burst.
	spareKept = 1 << 14
)

// Timed is what a System's keepalive actor calls when a deadline has come.
type Timed interface {
	// Due is called at or after the deadline, once per At. It must not block: usually it tells its own mailbox. Entries
	// are never removed, so the owner ignores a deadline that it no longer means, and registers the next one itself.
	Due(now time.Duration)
}

type wheelEntry struct {
	t        Timed
	deadline time.Duration
}

// wheel is a hashed timing wheel: pure, no clock, no goroutine. A deadline is in the slot of its own tick; its slot is
// looked at whenever time has moved within it or past it.
type wheel struct {
	tick  time.Duration
	at    time.Duration // the now of the last advance
	size  int
	slots [wheelSlots][]wheelEntry
	spare [][]wheelEntry // emptied slots, at most sparesKept
}

// add registers t for deadline, in constant time. A deadline that has passed is due at the next advance.
func (w *wheel) add(t Timed, deadline time.Duration) {
	i := w.slot(max(deadline, w.at))
	if n := len(w.spare); w.slots[i] == nil && n > 0 {
		w.slots[i], w.spare = w.spare[n-1], w.spare[:n-1]
	}
	w.slots[i] = append(w.slots[i], wheelEntry{t, deadline})
	w.size++
}

// advance moves the time on to now, takes out every entry that is due, and appends it to due. Time that goes back is taken as standing still.
func (w *wheel) advance(now time.Duration, due []Timed) []Timed {
	now = max(now, w.at)
	first, last := int64(w.at/w.tick), int64(now/w.tick)
	last = min(last, first+wheelSlots-1) // after a stall of more than a round each slot is looked at once
	w.at = now
	for i := first; i <= last; i++ {
		due = w.drain(int(i&(wheelSlots-1)), due)
	}
	return due
}

// drain takes what is due out of one slot.
func (w *wheel) drain(i int, due []Timed) []Timed {
	slot := w.slots[i]
	kept := 0
	for _, e := range slot {
		if e.deadline <= w.at {
			due = append(due, e.t)
			continue
		}
		slot[kept] = e
		kept++
	}
	clear(slot[kept:]) // an owner that is gone must not be held by its old entry
	w.size -= len(slot) - kept
	w.slots[i] = slot[:kept]
	if kept == 0 {
		w.slots[i] = nil
		if 0 < cap(slot) && cap(slot) <= spareKept && len(w.spare) < sparesKept {
			w.spare = append(w.spare, slot[:0])
		}
	}
	return due
}

func (w *wheel) slot(deadline time.Duration) int {
	return int(int64(deadline/w.tick) & (wheelSlots - 1))
}
