package actors

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// intake takes registrations from any goroutine until the keepalive actor's next tick. It holds at most what the owners
// register within one tick.
type intake struct {
	mu      sync.Mutex
	entries []wheelEntry
	closed  bool
}

func (in *intake) add(t Timed, deadline time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed {
		in.entries = append(in.entries, wheelEntry{t, deadline})
	}
}

// take returns what has come in, and leaves spare, emptied, for what comes next.
func (in *intake) take(spare []wheelEntry) []wheelEntry {
	in.mu.Lock()
	defer in.mu.Unlock()
	got := in.entries
	in.entries = spare[:0]
	return got
}

func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.entries = true, nil
}

// ticked is sent to the keepalive actor by its ticker's goroutine, at most one at a time.
type ticked struct{}

// keepalive is the actor that owns the timing wheel; nobody else touches it. One ticker serves every connection and client
// of the broker, so that none of them needs a timer.
type keepalive struct {
	sys     *System
	wheel   wheel
	spare   []wheelEntry
	due     []Timed
	pending atomic.Bool // a tick is in the mailbox; shared with the ticker's goroutine
	stop    chan struct{}
}

// Receive implements actor.Actor.
func (k *keepalive) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		k.stop = make(chan struct{})
		self := ctx.Self()
		k.sys.Go(func() { k.run(self) })
	case ticked:
		k.pending.Store(false)
		k.advance()
	case *actor.Stopping:
		close(k.stop)
		k.sys.intake.close()
	}
}

// run sends a tick to the actor every Tick; if it has not yet handled the last one, that one will do.
func (k *keepalive) run(self *actor.PID) {
	t := time.NewTicker(k.wheel.tick)
	defer t.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-t.C:
			if k.pending.CompareAndSwap(false, true) {
				k.sys.Root().Send(self, ticked{})
			}
		}
	}
}

func (k *keepalive) advance() {
	got := k.sys.intake.take(k.spare)
	for _, e := range got {
		k.wheel.add(e.t, e.deadline)
	}
	clear(got)
	k.spare = got
	if cap(got) > spareKept {
		k.spare = nil
	}
	now := k.sys.Now()
	k.due = k.wheel.advance(now, k.due[:0])
	for _, t := range k.due {
		k.sys.recovering("Due", func() { t.Due(now) }) // one owner's panic must not cost the others their deadline
	}
	clear(k.due)
	if cap(k.due) > spareKept {
		k.due = nil
	}
}
