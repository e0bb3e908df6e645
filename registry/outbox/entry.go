package outbox

import (
	"math"
	"time"
	"unsafe"

	"github.com/restante/restante/protocol"
)

// entry is one frame as the outbox owns it. A broker keeps millions, so that it is no larger than it has to be: 16 bytes.
type entry struct {
	first *byte // of the body; nil for an empty one
	size  uint32
	at    moment
}

func newEntry(b protocol.Body, at time.Duration) entry {
	return entry{unsafe.SliceData(b), uint32(len(b)), momentOf(at)}
}

// body is what newEntry was given.
func (e *entry) body() protocol.Body { return unsafe.Slice(e.first, e.size) }

// moment is a time on the broker's monotonic clock, rounded up to a quarter of a second, which is fine enough for what it is for, the bound on age: no frame
// goes before its time. It reaches 17 years to both sides, and stands still there.
type moment int32

const momentUnit = time.Second / 4

func momentOf(t time.Duration) moment {
	n := t / momentUnit
	if t > n*momentUnit {
		n++
	}
	return moment(min(max(n, math.MinInt32), math.MaxInt32))
}

func (m moment) time() time.Duration { return time.Duration(m) * momentUnit }
