package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// ErrStopped is returned where a System that is stopping, or has stopped, is asked for something new.
var ErrStopped = errors.New("actors: the system is stopping")

// DefaultTick is the granularity of deadlines where Options.Tick is zero.
const DefaultTick = time.Second

// Options are the settings of a System. The zero value is ready for use.
type Options struct {
	// Logger takes the log; nil is slog.Default().
	Logger *slog.Logger
	// Counters are added to; nil: the system has its own.
	Counters *Counters
	// Tick is the wheel's granularity: a deadline is kept at most one Tick late. 0 is DefaultTick.
	Tick time.Duration
	// Supervisor decides on the failures of actors; nil resumes them with their state. Restart and stop are told to an
	// Owner as RestartRequest and StopRequest. It may be called from many goroutines at once.
	Supervisor actor.SupervisorStrategy
	// Escalated is called when Supervisor escalates a failure: what is above the system decides, which is usually to end
	// the broker. It must not block. nil: the actor is asked to stop.
	Escalated func(reason any)
}

// System is the one actor system of a broker. Its methods are safe for concurrent use.
type System struct {
	logger     *slog.Logger
	counters   *Counters
	supervisor actor.SupervisorStrategy
	escalated  func(reason any)
	start      time.Time

	lib      *actor.ActorSystem
	root     *actor.PID
	rootDone chan struct{} // closed when the root supervisor has stopped
	intake   intake
	kinds    kinds
	roll     roll

	stopping atomic.Bool
	stopOnce sync.Once
	stopped  chan struct{} // closed when all has ended
	running  goroutines
}

// Start starts a system: the root supervisor, and below it the keepalive actor. Stop ends it.
func Start(o Options) *System {
	s := &System{
		logger: o.Logger, counters: o.Counters, supervisor: o.Supervisor, escalated: o.Escalated,
		start: time.Now(), rootDone: make(chan struct{}), stopped: make(chan struct{}),
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	if s.counters == nil {
		s.counters = new(Counters)
	}
	if s.supervisor == nil {
		s.supervisor = resuming
	}
	if o.Tick <= 0 {
		o.Tick = DefaultTick
	}
	s.lib = newLibrary(s.logger)
	s.lib.EventStream.Subscribe(s.deadLetter)
	s.lib.ProcessRegistry.RegisterAddressResolver(s.kinds.resolve)
	var err error
	s.root, err = s.lib.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &root{sys: s} },
		actor.WithSupervisor(rootStrategy{s})), "root")
	if err == nil {
		_, err = s.Spawn("keepalive", actor.PropsFromProducer(func() actor.Actor {
			return &keepalive{sys: s, wheel: wheel{tick: o.Tick}}
		}))
	}
	if err != nil { // cannot be: the names are the first of a new system
		panic(fmt.Sprintf("actors: a new system cannot start its own actors: %v", err))
	}
	return s
}

// Now is the time since Start, monotonic. Every deadline of the broker is measured in it.
func (s *System) Now() time.Duration { return time.Since(s.start) }

// Counters returns the counters that the system adds to.
func (s *System) Counters() *Counters { return s.counters }

// Logger returns the log that the system writes to.
func (s *System) Logger() *slog.Logger { return s.logger }

// Root is the library's root context: it sends to a PID, and asks one to stop.
func (s *System) Root() *actor.RootContext { return s.lib.Root }

// At has the keepalive actor call t.Due once, at deadline or at most one Tick later, never before. It may be called from any
// goroutine and never blocks. An entry cannot be taken back (see Timed). After Stop it does nothing.
func (s *System) At(t Timed, deadline time.Duration) { s.intake.add(t, deadline) }

// Go runs f on a goroutine that Stop waits for. A panic in f is counted and logged, and ends f only. After Stop has
// returned f still runs, but nobody waits for it.
func (s *System) Go(f func()) {
	s.running.add()
	go func() {
		defer s.running.done()
		s.recovering("Go", f)
	}()
}

// recovering runs f and turns its panic into a count and a log entry.
func (s *System) recovering(where string, f func()) {
	defer func() {
		if reason := recover(); reason != nil {
			s.counters.Panics.Add(1)
			s.logger.Error("panic", "in", where, "reason", reason, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// Spawn starts an ordinary actor of the library below the root supervisor, and returns when it is started. Its failures
// are counted, logged, and put to Options.Supervisor; Stop ends it before those that were spawned earlier. It waits for the
// root supervisor's turn, so an actor must not call it. Errors: ErrStopped, and actor.ErrNameExists while an actor of that name lives.
func (s *System) Spawn(name string, p *actor.Props) (*actor.PID, error) {
	if s.stopping.Load() {
		return nil, ErrStopped
	}
	answer := make(chan spawned, 1)
	s.lib.Root.Send(s.root, spawn{name, p, answer})
	select {
	case a := <-answer:
		return a.pid, a.err
	case <-s.rootDone:
		return nil, ErrStopped
	}
}

// Stop ends the system, in order: the spawned actors, the last one first, each after it has handled the mail that it had;
// the keepalive actor; the root supervisor; then it waits for what Go has started. Client and connection actors have no
// goroutine of their own and are retired by their registry before. It may be called more than once and from many
// goroutines: all wait for the same end. It returns early with ctx's error; the stopping goes on, and another Stop waits on.
func (s *System) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.stopping.Store(true)
		s.lib.Root.Send(s.root, stopAll{})
		go func() {
			<-s.rootDone
			s.running.wait()
			s.lib.Shutdown() // it stops no actor; it only marks the system as stopped, and must be called once
			close(s.stopped)
		}()
	})
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("actors: stop: %w", ctx.Err())
	}
}
