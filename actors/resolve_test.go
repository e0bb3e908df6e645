package actors

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// directory is what a registry is to the system: the owners of one address, by id.
type directory struct {
	sys     *System
	address string
	mu      sync.Mutex
	owners  map[string]*scripted
}

func newDirectory(s *System, address string) *directory {
	d := &directory{sys: s, address: address, owners: map[string]*scripted{}}
	s.Resolve(address, func(id string) (Addressed, bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		o, ok := d.owners[id]
		return o, ok
	})
	return d
}

func (d *directory) create(id string) *scripted {
	o := &scripted{sys: d.sys, address: d.address, id: id}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owners[id] = o
	return o
}

// retire ends an owner's life as a registry does: closed, then no longer found, then told.
func (d *directory) retire(o *scripted) {
	o.tell(func() {
		o.Close()
		d.mu.Lock()
		delete(d.owners, o.id)
		d.mu.Unlock()
		d.sys.Closed(d.address, o.id)
	})
}

// watcherActor is an ordinary actor that keeps what it is told. A func(actor.Context) message is run in its turn.
type watcherActor struct {
	mu  sync.Mutex
	got []any
}

func (w *watcherActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case func(actor.Context):
		msg(ctx)
	case *actor.Started, *actor.Stopping, *actor.Stopped:
	default:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, msg)
	}
}

func (w *watcherActor) read() []any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]any(nil), w.got...)
}

// inSystem runs f in a bubble with a system that holds the owner "a" at address "client", and a watching actor.
func inSystem(t *testing.T, o Options, f func(t *testing.T, s *System, d *directory, a *scripted, w *watcherActor, wpid *actor.PID)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Logger == nil {
			o.Logger = new(logBuffer).logger()
		}
		s := Start(o)
		d := newDirectory(s, "client")
		w := &watcherActor{}
		wpid, err := s.Spawn("watcher", actor.PropsFromProducer(func() actor.Actor { return w }))
		require.NoError(t, err)
		f(t, s, d, d.create("a"), w, wpid)
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAMessageReachesAnOwnerByItsPID(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, _ *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
		pid := actor.NewPID("client", "a")
		s.Root().Send(pid, "plain")
		s.Root().Send(pid, &actor.MessageEnvelope{Message: "in an envelope"})
		require.Equal(t, []any{"plain", "in an envelope"}, a.snapshot())
	})
}

func TestARequestIsAnsweredToItsSender(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, _ *directory, a *scripted, w *watcherActor, wpid *actor.PID) {
		s.Root().Send(wpid, func(ctx actor.Context) { ctx.Request(actor.NewPID("client", "a"), "question") })
		synctest.Wait()
		got := a.snapshot()
		require.Len(t, got, 1)
		r := got[0].(Request)
		require.Equal(t, "question", r.Message)
		require.True(t, r.Sender.Equal(wpid))
		a.tell(func() { r.Reply("answer") })
		synctest.Wait()
		require.Equal(t, []any{"answer"}, w.read())
	})
}

func TestAMessageForNobodyIsADeadLetter(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, w *watcherActor, wpid *actor.PID) {
		s.Root().Send(actor.NewPID("client", "nobody"), "x")
		s.Root().Send(wpid, func(ctx actor.Context) { ctx.Request(actor.NewPID("client", "nobody"), "question") })
		synctest.Wait()
		require.EqualValues(t, 2, s.Counters().Dropped[DropLetter].Load())
		require.Len(t, w.read(), 1)
		require.IsType(t, &actor.DeadLetterResponse{}, w.read()[0])

		a.tell(func() { a.Close() }) // closed but still found, as while a registry retires it
		synctest.Wait()
		s.Root().Send(actor.NewPID("client", "a"), "x")
		require.EqualValues(t, 3, s.Counters().Dropped[DropLetter].Load())
	})
}

func TestAPIDThatWasResolvedFindsTheNextLife(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
		pid := actor.NewPID("client", "a")
		s.Root().Send(pid, 1) // the library keeps what it resolved in the PID
		synctest.Wait()
		d.retire(a)
		synctest.Wait()
		s.Root().Send(pid, 2)
		require.EqualValues(t, 1, s.Counters().Dropped[DropLetter].Load())
		next := d.create("a")
		s.Root().Send(pid, 3)
		require.Equal(t, []any{3}, next.snapshot())
		require.Equal(t, []any{1}, a.got)
	})
}

func TestAMessageThatMeetsAnEndFindsTheNextLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		old, next := &scripted{sys: s}, &scripted{sys: s}
		old.tell(func() { old.Close() })
		synctest.Wait()
		lives := []*scripted{old, next} // the registry puts the next life in its place between two looks
		s.Resolve("client", func(string) (Addressed, bool) {
			o := lives[0]
			lives = lives[1:]
			return o, true
		})
		s.Root().Send(actor.NewPID("client", "a"), "x")
		require.Equal(t, []any{"x"}, next.snapshot())
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestStopAndPoisonAskTheOwner(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, _ *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
		pid := actor.NewPID("client", "a")
		s.Root().Poison(pid)
		s.Root().Stop(pid)
		s.Root().Send(pid, "still taken")
		require.Equal(t, []any{StopRequest{}, StopRequest{}, "still taken"}, a.snapshot())
	})
}

func TestAWatcherHearsOfTheEnd(t *testing.T) {
	target := actor.NewPID("client", "a")
	t.Run("watched", func(t *testing.T) {
		inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, w *watcherActor, wpid *actor.PID) {
			s.Root().Send(wpid, func(ctx actor.Context) { ctx.Watch(target); ctx.Watch(target) })
			synctest.Wait()
			require.EqualValues(t, 1, s.roll.size.Load())
			require.Empty(t, w.read())
			d.retire(a)
			synctest.Wait()
			require.Len(t, w.read(), 1)
			require.True(t, w.read()[0].(*actor.Terminated).Who.Equal(target))
			require.Zero(t, s.roll.size.Load(), "nothing is kept of an owner that has ended")
		})
	})
	t.Run("unwatched", func(t *testing.T) {
		inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, w *watcherActor, wpid *actor.PID) {
			s.Root().Send(wpid, func(ctx actor.Context) { ctx.Watch(target); ctx.Unwatch(target) })
			synctest.Wait()
			require.Zero(t, s.roll.size.Load(), "nothing is kept while nobody watches")
			d.retire(a)
			synctest.Wait()
			require.Empty(t, w.read())
		})
	})
	t.Run("watched too late", func(t *testing.T) {
		inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, w *watcherActor, wpid *actor.PID) {
			known := actor.NewPID("client", "a")
			s.Root().Send(known, 1) // resolved, so that the watch reaches the kind and not the dead letters
			synctest.Wait()
			d.retire(a)
			synctest.Wait()
			s.Root().Send(wpid, func(ctx actor.Context) { ctx.Watch(known); ctx.Watch(actor.NewPID("client", "never")) })
			synctest.Wait()
			require.Len(t, w.read(), 2)
			for _, msg := range w.read() {
				require.Equal(t, actor.TerminatedReason_NotFound, msg.(*actor.Terminated).Why)
			}
			require.Zero(t, s.roll.size.Load())
		})
	})
	t.Run("by an owner", func(t *testing.T) {
		inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
			b := d.create("b")
			p, ok := s.kinds.resolve(target)
			require.True(t, ok)
			p.SendSystemMessage(target, &actor.Watch{Watcher: actor.NewPID("client", "b")})
			d.retire(a)
			synctest.Wait()
			require.Len(t, b.snapshot(), 1)
			require.IsType(t, &actor.Terminated{}, b.snapshot()[0])
		})
	})
}

func TestStopFutureOfTheLibraryWorksOnAnOwner(t *testing.T) {
	inSystem(t, Options{}, func(t *testing.T, s *System, d *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
		future := s.Root().PoisonFuture(actor.NewPID("client", "a"))
		require.Equal(t, []any{StopRequest{}}, a.snapshot())
		d.retire(a)
		require.NoError(t, future.Wait())
	})
}

func TestTheLibrarysStrategiesDecideOnAFailure(t *testing.T) {
	fail := func(a *scripted) { a.tell(func() { panic("boom") }); a.tell("after") }
	directed := func(d actor.Directive) actor.SupervisorStrategy {
		return actor.NewOneForOneStrategy(2, 10*time.Second, func(any) actor.Directive { return d })
	}
	for name, c := range map[string]struct {
		strategy actor.SupervisorStrategy
		failures int
		want     []any
	}{
		"resume by default":          {nil, 3, []any{"after", "after", "after"}},
		"restart":                    {directed(actor.RestartDirective), 1, []any{"after", RestartRequest{"boom"}}},
		"restart, too often is stop": {directed(actor.RestartDirective), 3, []any{"after", "after", "after", RestartRequest{"boom"}, RestartRequest{"boom"}, StopRequest{"boom"}}},
		"stop":                       {directed(actor.StopDirective), 1, []any{"after", StopRequest{"boom"}}},
		"escalate to nobody is stop": {directed(actor.EscalateDirective), 1, []any{"after", StopRequest{"boom"}}},
		"all for one is one for one": {actor.NewAllForOneStrategy(2, time.Second, func(any) actor.Directive { return actor.StopDirective }), 1, []any{"after", StopRequest{"boom"}}},
		"always restarting":          {actor.NewRestartingStrategy(), 1, []any{"after", RestartRequest{"boom"}}},
		"restart after a while":      {actor.NewExponentialBackoffStrategy(time.Minute, time.Second), 1, []any{"after", RestartRequest{"boom"}}},
	} {
		t.Run(name, func(t *testing.T) {
			inSystem(t, Options{Supervisor: c.strategy}, func(t *testing.T, s *System, d *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
				hold := make(chan struct{})
				a.tell(func() { <-hold })
				for range c.failures {
					fail(a)
				}
				close(hold)
				time.Sleep(time.Minute) // the bubble's clock, for the strategy that waits
				require.ElementsMatch(t, c.want, a.snapshot())
				require.Len(t, a.failed, c.failures, "Failed is called whatever is decided")
				d.retire(a)
				synctest.Wait()
				require.Zero(t, s.roll.size.Load(), "failures are forgotten with the life")
			})
		})
	}
	t.Run("escalate to somebody", func(t *testing.T) {
		var told journal
		inSystem(t, Options{Supervisor: directed(actor.EscalateDirective), Escalated: func(r any) { told.add(r.(string)) }}, func(t *testing.T, _ *System, _ *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
			fail(a)
			require.Equal(t, []any{"after"}, a.snapshot())
			require.Equal(t, []string{"boom"}, told.read())
		})
	})
	t.Run("a strategy that panics", func(t *testing.T) {
		bad := actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { panic("bad decider") })
		inSystem(t, Options{Supervisor: bad}, func(t *testing.T, s *System, _ *directory, a *scripted, _ *watcherActor, _ *actor.PID) {
			fail(a)
			require.Equal(t, []any{"after"}, a.snapshot())
			require.Len(t, a.failed, 1)
			require.EqualValues(t, 2, s.Counters().Panics.Load())
		})
	})
}

func TestTheFailingAreRememberedWithinABound(t *testing.T) {
	var r roll
	for i := range maxFailing + 100 {
		rs := actor.NewRestartStatistics()
		rs.Fail()
		r.keepFailures(name{"client", string(rune(i))}, rs)
	}
	require.Len(t, r.failing, maxFailing)
	require.EqualValues(t, maxFailing, r.size.Load())
	for n := range r.failing {
		r.remove(n)
	}
	require.Zero(t, r.size.Load())
}
