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
func (o *Outbox) Prune(b Bounds, now time.Duration, keep uint64) (p Pruned) {
	if o.floor == o.head {
		return p
	}
	newest := o.head - 1 // how far the floor may go: the newest confirmed frame stays
	if most := uint64(max(b.Frames, 0)); most > 0 && o.head-o.floor > most {
		p.Count, p.Freed = o.DropTo(min(o.head-most, newest))
	}
	for b.Bytes > 0 && o.bytes > b.Bytes && o.floor < newest {
		n, freed := o.DropTo(o.floor + 1)
		p.Bytes, p.Freed = p.Bytes+n, p.Freed+freed
	}
	if b.Age <= 0 {
		return p
	}
	for old := now - b.Age; o.floor < min(keep, newest) && o.oldest().time() <= old; {
		n, freed := o.DropTo(o.floor + 1)
		p.Age, p.Freed = p.Age+n, p.Freed+freed
	}
	return p
}
