package outbox

import (
	"time"

	"github.com/restante/restante/protocol"
)

// cold is what is left in memory of the frames whose bodies are in the store only: the oldest of an outbox.
type cold struct {
	ring[coldEntry]
	bytes int64 // of the bodies, with overhead
}

type coldEntry struct {
	at      moment
	size    uint32 // of the body
	ofTopic bool
}

func (o *Outbox) hasCold() bool { return o.aside != nil && o.aside.cold != nil }

// Cold is the highest seq whose body is not in memory, the floor if there is none such.
func (o *Outbox) Cold() uint64 {
	if !o.hasCold() {
		return o.floor
	}
	return o.floor + uint64(o.aside.cold.n)
}

// Hot is how many bytes the bodies of confirmed frames in memory have, without overhead.
func (o *Outbox) Hot() int64 {
	n := o.bytes
	if o.hasCold() {
		n -= o.aside.cold.bytes
	}
	return n - int64(o.head-o.Cold())*protocol.FrameOverhead
}

// Spill lets go of the bodies of the oldest confirmed frames until Hot is at most keep, and returns how many frames that were. The
// caller knows that the store has them.
func (o *Outbox) Spill(keep int64) (frames int) {
	hot := o.Hot()
	for at := o.Cold(); hot > keep && at < o.head; at++ {
		e := o.hot.shift()
		hot -= int64(e.size)
		o.freeze(int(e.size), e.at, protocol.OfTopic(e.body()))
		frames++
	}
	if frames > 0 {
		o.hot.fit()
	}
	return frames
}

// Restore begins anew with an outbox as the store has it: nothing is retained yet, and the next frame is floor+1.
func (o *Outbox) Restore(floor uint64) { *o = Outbox{floor: floor, head: floor} }

// Restored adds the next retained frame after Restore, oldest first: its size, and its body, or nil where that was left in the store; then ofTopic
// says whether it is a topic's.
func (o *Outbox) Restored(body protocol.Body, size int, at time.Duration, ofTopic bool) {
	if body == nil {
		o.Spill(0) // what is cold is older than what is hot
		o.freeze(size, momentOf(at), ofTopic)
	} else {
		o.hot.push(newEntry(body, at))
	}
	o.head++
	o.bytes += cost(size)
}

func (o *Outbox) freeze(size int, at moment, ofTopic bool) {
	a := o.more()
	if a.cold == nil {
		a.cold = &cold{}
	}
	a.cold.push(coldEntry{at, uint32(size), ofTopic})
	a.cold.bytes += cost(size)
}

// dropCold is DropTo's part that is cold; there is some.
func (o *Outbox) dropCold(seq uint64) (frames int, bytes int64) {
	c := o.aside.cold
	for ; o.floor < seq && c.n > 0; frames++ {
		e := c.shift()
		bytes += cost(int(e.size))
		o.floor++
		if o.counts(o.floor) {
			o.aside.above.add(-1, int(e.size), e.ofTopic)
		}
	}
	c.bytes -= bytes
	if c.n == 0 {
		o.aside.cold = nil
	} else if frames > 0 {
		c.fit()
	}
	return frames, bytes
}
