package outbox

import "time"

// Bounds are P-13's: what one outbox may retain. A value of zero or less means no such bound.
type Bounds struct {
	Frames int
	Bytes  int64 // bodies, each with protocol.FrameOverhead
	Age    time.Duration
}

// Pruned counts the frames that bounds took, by the bound that took them, and the bytes that they gave back.
type Pruned struct {
	Count, Bytes, Age int
	Freed             int64
}

// Frames is the number of frames that went.
func (p Pruned) Frames() int { return p.Count + p.Bytes + p.Age }

// Prune applies b at the time now, oldest frames first (P-13). The newest confirmed frame always stays. Age takes nothing above
// keep, the lowest cursor attached; count and bytes do.
func (o *Outbox) Prune(b Bounds, now time.Duration, keep uint64) Pruned {
	var p Pruned
	if over := int(o.Len()) - b.Frames; b.Frames > 0 && over > 0 {
		n, freed := o.DropTo(min(o.floor+uint64(over), o.newest()))
		p.Count, p.Freed = n, freed
	}
	for b.Bytes > 0 && o.bytes > b.Bytes && o.floor < o.newest() {
		n, freed := o.DropTo(o.floor + 1)
		p.Bytes, p.Freed = p.Bytes+n, p.Freed+freed
	}
	for limit := min(keep, o.newest()); b.Age > 0 && o.floor < limit && now-o.oldest() >= b.Age; {
		n, freed := o.DropTo(o.floor + 1)
		p.Age, p.Freed = p.Age+n, p.Freed+freed
	}
	return p
}

// oldest is when the oldest frame was appended; there must be one.
func (o *Outbox) oldest() time.Duration {
	at, _ := o.Oldest()
	return at
}

// newest is how far bounds may move the floor: the newest confirmed frame stays.
func (o *Outbox) newest() uint64 {
	if o.head == o.floor {
		return o.floor
	}
	return o.head - 1
}
