package janitor

import (
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// The actor's messages.
type (
	// sweepNow comes from Janitor.Sweep; answer has room for one.
	sweepNow struct{ answer chan<- protocol.Sweep }
	// due comes from an alarm that the actor set.
	due struct{ now time.Duration }
	// swept comes from the Sweeper: shard i of run r has answered.
	swept struct {
		run    *run
		shard  int
		report protocol.Sweep
	}
)

// alarm is what the keepalive actor calls for the janitor.
type alarm struct {
	root *actor.RootContext
	pid  *actor.PID
}

// Due implements actors.Timed.
func (a *alarm) Due(now time.Duration) { a.root.Send(a.pid, due{now}) }

// keeper is the janitor actor. It owns the sweep under way, if any, and the schedule; it keeps nothing about clients.
type keeper struct {
	sys     *actors.System
	sweeper Sweeper
	opts    Options
	stopped chan struct{}

	alarm   *alarm
	next    time.Duration // when the next scheduled sweep is due, if Interval > 0
	current *run
	waiting []chan<- protocol.Sweep // they want a sweep as soon as the current one, cut short, has ended
}

// Receive implements actor.Actor.
func (k *keeper) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		k.alarm = &alarm{k.sys.Root(), ctx.Self()}
		k.schedule(k.sys.Now())
	case due:
		k.due(msg.now)
	case sweepNow:
		k.onDemand(msg.answer)
	case swept:
		k.swept(msg)
	case *actor.Stopped:
		if r := k.current; r != nil {
			k.sys.Logger().Info("janitor: stopped in mid-sweep", "given", r.given, "of", r.all, "unanswered", r.left)
		}
		close(k.stopped) // the waiters see it
	}
}

// schedule sets the alarm for the next sweep, one interval after began.
func (k *keeper) schedule(began time.Duration) {
	if k.opts.Interval > 0 {
		k.next = began + k.opts.Interval
		k.sys.At(k.alarm, k.next)
	}
}

// due handles an alarm; one that is no longer meant finds nothing to do.
func (k *keeper) due(now time.Duration) {
	if k.opts.Interval > 0 && now >= k.next {
		if r := k.current; r == nil {
			k.begin(now, true, nil)
		} else if r.scheduled {
			k.sys.Logger().Warn("janitor: the sweep before has not ended, so none is begun", "given", r.given, "of", r.all, "unanswered", r.left)
		} // else a sweep on demand is under way, which covers this one
		k.schedule(now)
	}
	k.advance(now)
}

// onDemand begins a sweep, or joins one on demand that is under way or about to begin.
func (k *keeper) onDemand(answer chan<- protocol.Sweep) {
	now := k.sys.Now()
	switch {
	case k.current == nil:
		k.begin(now, false, []chan<- protocol.Sweep{answer})
	case k.current.scheduled:
		k.waiting = append(k.waiting, answer)
		k.current.cut()
	default:
		k.current.waiters = append(k.current.waiters, answer)
	}
	k.advance(now)
}

func (k *keeper) begin(now time.Duration, scheduled bool, waiters []chan<- protocol.Sweep) {
	spread := time.Duration(0)
	if scheduled {
		spread = k.opts.Spread
	}
	k.current = newRun(now, k.sweeper.Shards(), spread)
	k.current.scheduled, k.current.waiters = scheduled, waiters
}

// advance gives out what is due, and ends the run when all has answered.
func (k *keeper) advance(now time.Duration) {
	for k.current != nil {
		r := k.current
		for r.more() && r.due() <= now {
			k.give(r)
		}
		if r.more() && r.armed != r.due() { // once for each, since an entry is never taken back
			r.armed = r.due()
			k.sys.At(k.alarm, r.armed)
		}
		if !r.ended() {
			return
		}
		k.current = nil
		k.end(r, now)
		if len(k.waiting) > 0 {
			k.begin(now, false, k.waiting)
			k.waiting = nil
		}
	}
}

// give gives out one shard. If the sweeper panics, the shard counts as answered, so that the sweep can end.
func (k *keeper) give(r *run) {
	i := r.give()
	defer func() {
		if reason := recover(); reason != nil {
			k.sys.Counters().Panics.Add(1)
			k.sys.Logger().Error("janitor: a shard's sweep panicked", "shard", i, "reason", reason, "stack", string(debug.Stack()))
			r.answer(i, protocol.Sweep{})
		}
	}()
	pid := k.alarm.pid
	k.sweeper.SweepShard(i, func(s protocol.Sweep) {
		select {
		case <-k.stopped: // a late answer finds nobody
		default:
			k.sys.Root().Send(pid, swept{r, i, s})
		}
	})
}

func (k *keeper) swept(msg swept) {
	if !msg.run.answer(msg.shard, msg.report) {
		k.sys.Counters().Dropped[actors.DropStale].Add(1)
		return
	}
	k.advance(k.sys.Now())
}

// end reports a run. One that was cut short is not counted: the sweep that cut it is.
func (k *keeper) end(r *run, now time.Duration) {
	r.report.TookMS = (now - r.began).Milliseconds()
	text := "janitor: swept"
	if r.wasCut() {
		text = "janitor: scheduled sweep cut short by one on demand"
	} else {
		k.sys.Counters().Sweeps.Add(1)
	}
	k.sys.Logger().Info(text, "scheduled", r.scheduled, "clients", r.report.Clients, "reaped", r.report.Reaped,
		"kept", r.report.Kept, "pruned", r.report.Pruned, "took_ms", r.report.TookMS)
	for _, w := range r.waiters {
		w <- r.report
	}
}
