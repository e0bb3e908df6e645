// Package janitor holds the hourly actor that has every client judged: reaped when it has been idle for its TTL (P-28), else
// kept, with what has passed its age bound pruned (P-13).
package janitor

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

const (
	// DefaultInterval is how often a sweep starts by itself.
	DefaultInterval = time.Hour
	// MaxDefaultSpread is the longest time that a scheduled sweep's shards are spread over unless told otherwise.
	MaxDefaultSpread = time.Minute
)

// Sweeper is what the janitor asks of those who own the clients.
type Sweeper interface {
	// Shards returns how many shards there are.
	Shards() int
	// SweepShard judges every client of shard i, each in its own turn, and calls done exactly once, from any goroutine, when
	// all have answered; it may do so before it returns. It never blocks. No shard is given out again before it is done.
	SweepShard(i int, done func(protocol.Sweep))
}

// Options are the settings of a Janitor.
type Options struct {
	// Interval is the time from the start of one scheduled sweep to the next. 0 is DefaultInterval, negative: never by itself.
	Interval time.Duration
	// Spread is the time that a scheduled sweep's shards are spread over, so that not all clients are woken at once.
	// 0 is a tenth of Interval, at most MaxDefaultSpread; negative: not spread. It is held below Interval.
	Spread time.Duration
}

func (o Options) withDefaults() Options {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Spread == 0 {
		o.Spread = min(o.Interval/10, MaxDefaultSpread)
	}
	o.Spread = max(0, min(o.Spread, o.Interval))
	return o
}

// Janitor is the handle of the janitor actor.
type Janitor struct {
	sys     *actors.System
	pid     *actor.PID
	stopped chan struct{} // closed when the actor has stopped
}

// Start starts the janitor below sys, which stops it. The first scheduled sweep comes one Interval later.
func Start(sys *actors.System, s Sweeper, o Options) (*Janitor, error) {
	j := &Janitor{sys: sys, stopped: make(chan struct{})}
	k := &keeper{sys: sys, sweeper: s, opts: o.withDefaults(), stopped: j.stopped}
	pid, err := sys.Spawn("janitor", actor.PropsFromProducer(func() actor.Actor { return k }))
	if err != nil {
		return nil, fmt.Errorf("janitor: %w", err)
	}
	j.pid = pid
	return j, nil
}

// Sweep has every client judged now, not spread, and returns the report. Calls at the same time share one sweep; a
// scheduled sweep under way is cut short, since this one covers it. Sweep waits on the caller's goroutine; when ctx ends it
// returns early with ctx's error, and the sweep goes on. Once the broker stops the error has the code draining.
func (j *Janitor) Sweep(ctx context.Context) (protocol.Sweep, error) {
	answer := make(chan protocol.Sweep, 1)
	select {
	case <-j.stopped: // what is sent to a stopped actor is a dead letter
	default:
		j.sys.Root().Send(j.pid, sweepNow{answer})
	}
	select {
	case r := <-answer:
		return r, nil
	case <-j.stopped:
		select {
		case r := <-answer: // it ended just before
			return r, nil
		default:
		}
		return protocol.Sweep{}, protocol.Errorf(protocol.CodeDraining, "the janitor has stopped")
	case <-ctx.Done():
		return protocol.Sweep{}, fmt.Errorf("janitor: sweep: %w", ctx.Err())
	}
}
