package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// Shards is the number of parts that a sweep comes in (janitor.Sweeper): the last is for those who sleep, where a store keeps clients.
func (r *Registry) Shards() int {
	if r.disk != nil {
		return shardCount + 1
	}
	return shardCount
}

// SweepShard judges every client of shard i in its own turn, and calls done once all have answered. It does not block:
// one goroutine goes round the shard, so that a sweep takes one core at the most.
func (r *Registry) SweepShard(i int, done func(protocol.Sweep)) {
	r.sys.Go(func() {
		if i == shardCount {
			r.sweepSleepers(done)
			return
		}
		all := r.shards[i].all()
		rd := &round{done: done}
		rd.left.Store(int64(len(all)) + 1)
		for _, c := range all {
			if !c.do(&judgeMail{round: rd, followed: r.followed(c.id)}) {
				rd.end() // gone meanwhile
			}
		}
		rd.end()
	})
}

// round is one shard's part of a sweep. It counts clients; topics it does not count.
type round struct {
	left, reaped, kept, pruned atomic.Int64
	done                       func(protocol.Sweep)
}

func (rd *round) judged(kept bool, pruned int) {
	if kept {
		rd.kept.Add(1)
	} else {
		rd.reaped.Add(1)
	}
	rd.pruned.Add(int64(pruned))
	rd.end()
}

func (rd *round) end() {
	if rd.left.Add(-1) == 0 {
		reaped, kept := int(rd.reaped.Load()), int(rd.kept.Load())
		rd.done(protocol.Sweep{Reaped: reaped, Kept: kept, Pruned: int(rd.pruned.Load()), Clients: reaped + kept})
	}
}

// judge asks the session whether the client may stay (P-28).
func (c *client) judge(now time.Duration, m *judgeMail, fx *session.Effects) {
	kept := c.session.Judge(now, m.followed, fx)
	pruned := 0
	for _, e := range fx.Events {
		if e.Kind == session.EventPrunedAge {
			pruned += e.N
		}
	}
	if m.woken != nil {
		c.session.Squeeze(now, fx) // it goes on sleeping
	}
	m.left()
	if c.isTopic() {
		m.round.pruned.Add(int64(pruned))
		m.round.end()
		return
	}
	m.round.judged(kept, pruned)
}

// left gives back the place of a sleeper that has been judged, or is not to be judged any more.
func (m *judgeMail) left() {
	m.judged = true
	if m.woken != nil {
		<-m.woken
	}
}

// end takes m out of its round, without a judgement.
func (m *judgeMail) end() {
	m.left()
	m.round.end()
}

// Drain begins the end (P-23): new work is refused with draining, every connection gets what there is for it, then goaway and
// 4002, at the latest after within. why is what new work is refused with instead, nil for the plain draining. It does not wait: the
// connections' own room knows when they are gone.
func (r *Registry) Drain(within time.Duration, why *protocol.Error) {
	d := &draining{by: r.sys.Now() + within, why: why}
	// A queue, not a herd: five milliseconds for each connection to come back in, at least a second in all.
	d.over = min(max(time.Second, time.Duration(r.counters.Connections.Load())*5*time.Millisecond), protocol.MaxGoaway)
	if !r.draining.CompareAndSwap(nil, d) {
		return
	}
	for i := range r.shards {
		for _, c := range r.shards[i].all() {
			c.do(drainMail{d})
		}
	}
}

// Settle returns when every client actor has handled the mail that there was, or ctx ends. After Drain three rounds are enough for
// all that was under way: a sender's message, its target, the outcome back at the sender.
func (r *Registry) Settle(ctx context.Context) error {
	for range 3 {
		var all sync.WaitGroup
		for i := range r.shards {
			for _, c := range r.shards[i].all() {
				all.Add(1)
				if !c.do(&settleMail{&all}) {
					all.Done()
				}
			}
		}
		done := make(chan struct{})
		go func() {
			all.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Draining reports whether Drain was called.
func (r *Registry) Draining() bool { return r.draining.Load() != nil }
