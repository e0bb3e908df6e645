package actors

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
)

// newLibrary makes the library's actor system, with two things of its own taken out. Of its log entries only warnings and
// worse are kept: the others would show messages, which are the application's. And its listeners to dead letters, which
// start a goroutine for each burst that nobody can wait for, give way to deadLetter.
func newLibrary(l *slog.Logger) *actor.ActorSystem {
	quiet := slog.New(warnings{l.Handler()})
	lib := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	lib.EventStream = eventstream.NewEventStream()
	return lib
}

// deadLetter hears the library's events. A message that found no actor is counted, and its type logged; who asked
// for an answer, or to watch, is told that there is nobody.
func (s *System) deadLetter(event any) {
	e, ok := event.(*actor.DeadLetterEvent)
	if !ok {
		return
	}
	s.counters.Dropped[DropLetter].Add(1)
	s.logger.Debug("message for an actor that does not exist", "address", e.PID.GetAddress(), "id", e.PID.GetId(), // nil for an answer to nobody
		"message", fmt.Sprintf("%T", e.Message))
	if e.Sender != nil {
		s.Root().Send(e.Sender, &actor.DeadLetterResponse{Target: e.PID})
	}
	if w, ok := e.Message.(*actor.Watch); ok {
		s.terminated(w.Watcher, &actor.Terminated{Who: e.PID, Why: actor.TerminatedReason_NotFound})
	}
}

// warnings passes on entries of level warning and above.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }
