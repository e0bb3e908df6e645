package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longestLatency is the longest that is told apart from longer ones.
const longestLatency = time.Minute

// latencies are those of the frames that were due in one span of time, whenever they came: counting from when a frame was due, and not when the server got
// to it, a server that stands still is not let off.
type latencies struct {
	h        *hdrhistogram.Histogram
	from, to int64 // of the machine's clock
}

func newLatencies() *latencies {
	return &latencies{h: hdrhistogram.New(1, longestLatency.Microseconds(), 3)}
}

// add notes a frame that was due at one time and came at another.
func (l *latencies) add(due, came int64) {
	if due < l.from || due >= l.to {
		return
	}
	us := max((came-due)/int64(time.Microsecond), 1)
	_ = l.h.RecordValue(min(us, longestLatency.Microseconds()))
}

// into sets the figures.
func (l *latencies) into(figures map[string]float64) {
	if l.h.TotalCount() == 0 {
		return
	}
	for name, q := range map[string]float64{FigureP50: 50, FigureP99: 99, FigureP999: 99.9, FigureMax: 100} {
		figures[name] = float64(l.h.ValueAtQuantile(q))
	}
}
