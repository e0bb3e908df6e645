package actors

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// newLibrary makes the library's actor system. Of its own log entries only warnings and worse are kept: the others would
// show messages, which are the application's, and are replaced by counters and entries of ours.
func newLibrary(l *slog.Logger) *actor.ActorSystem {
	quiet := slog.New(warnings{l.Handler()})
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		// The library's throttle starts a goroutine that lives for the interval; it has nothing to throttle here.
		actor.WithDeadLetterThrottleCount(math.MaxInt32),
		actor.WithDeadLetterThrottleInterval(time.Nanosecond),
	)
}

// deadLetter counts a message that found no actor, and logs its type.
func (s *System) deadLetter(event any) {
	if e, ok := event.(*actor.DeadLetterEvent); ok {
		s.counters.Dropped[DropLetter].Add(1)
		s.logger.Debug("message for an actor that does not exist", "pid", e.PID.String(), "message", fmt.Sprintf("%T", e.Message))
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
