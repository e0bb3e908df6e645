package actors

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
)

// The root supervisor's messages, sent by System.
type (
	// spawn asks for a child; answer has room for one.
	spawn struct {
		name   string
		props  *actor.Props
		answer chan<- spawned
	}
	spawned struct {
		pid *actor.PID
		err error
	}
	// stopAll asks it to stop its children and then itself.
	stopAll struct{}
)

// child is one actor below the root supervisor.
type child struct {
	name string
	pid  *actor.PID
}

// root is the root supervisor. It owns the order of start and stop: the list of its children, in the order started.
type root struct {
	sys      *System
	children []child
	stopping bool
}

// Receive implements actor.Actor.
func (r *root) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case spawn:
		pid, err := r.spawn(ctx, msg)
		msg.answer <- spawned{pid, err}
	case stopAll:
		r.stopping = true
		r.stopNext(ctx)
	case *actor.Terminated:
		r.ended(msg.Who)
		if r.stopping {
			r.stopNext(ctx)
		}
	case *actor.Stopped:
		close(r.sys.rootDone)
	}
}

func (r *root) spawn(ctx actor.Context, msg spawn) (pid *actor.PID, err error) {
	if r.stopping {
		return nil, ErrStopped
	}
	// The library knows children by name only: until a child's end has been told, a second one of its name would be
	// taken out of the list in its place.
	for _, c := range r.children {
		if c.name == msg.name {
			return nil, fmt.Errorf("actors: spawn %q: %w", msg.name, actor.ErrNameExists)
		}
	}
	err = fmt.Errorf("actors: spawn %q: its props panicked", msg.name)
	r.sys.recovering("Spawn", func() { // a panic of the caller's producer would restart the root, and end every child
		pid, err = ctx.SpawnNamed(msg.props.Clone(actor.WithReceiverMiddleware(r.sys.watchful)), msg.name)
	})
	if err != nil {
		return nil, err
	}
	r.children = append(r.children, child{msg.name, pid})
	return pid, nil
}

// stopNext asks the child that was started last to stop, after the mail that it has; with none left it stops itself.
func (r *root) stopNext(ctx actor.Context) {
	if len(r.children) == 0 {
		ctx.Stop(ctx.Self())
		return
	}
	ctx.Poison(r.children[len(r.children)-1].pid)
}

func (r *root) ended(who *actor.PID) {
	for i, c := range r.children {
		if c.pid.Equal(who) {
			r.children = append(r.children[:i], r.children[i+1:]...)
			return
		}
	}
}

// watchful counts and logs a panic of an ordinary actor where its stack still exists, and lets it pass on to supervision.
func (s *System) watchful(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(ctx actor.ReceiverContext, env *actor.MessageEnvelope) {
		defer func() {
			if reason := recover(); reason != nil {
				s.counters.Panics.Add(1)
				logFailure(s.logger, ctx.Self().Address, ctx.Self().Id, env.Message, reason, debug.Stack())
				panic(reason)
			}
		}()
		next(ctx, env)
	}
}
