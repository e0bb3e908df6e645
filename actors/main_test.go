package actors

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer is a log that a test can read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// scripted is an owner whose messages may be functions, which its turn runs; it keeps everything that it was told.
type scripted struct {
	Mailbox
	sys         *System
	address, id string

	got    []any
	failed []failure
	onFail func()
}

type failure struct{ msg, reason any }

func (s *scripted) Receive(msg any) {
	if f, ok := msg.(func()); ok {
		f()
		return
	}
	s.got = append(s.got, msg)
}

func (s *scripted) Failed(msg, reason any) {
	s.failed = append(s.failed, failure{msg, reason})
	if s.onFail != nil {
		s.onFail()
	}
}

func (s *scripted) System() *System            { return s.sys }
func (s *scripted) Name() (address, id string) { return s.address, s.id }
func (s *scripted) tell(msg any) bool          { return s.Tell(s, msg) }
func (s *scripted) snapshot() (got []any) {
	done := make(chan struct{})
	if !s.tell(func() { got = append(got, s.got...); close(done) }) {
		return s.got // closed: no turn will touch it any more
	}
	<-done
	return got
}

// bare is an owner that no system supervises.
type bare struct {
	Mailbox
	receive func(msg any)
	failed  func(msg, reason any)
}

func (b *bare) Receive(msg any)        { b.receive(msg) }
func (b *bare) Failed(msg, reason any) { b.failed(msg, reason) }
