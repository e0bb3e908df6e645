package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// errClosed answers what is asked of a store after Close.
var errClosed = protocol.Errorf(protocol.CodeInternal, "the store has been closed")

// Failed is closed when the store has failed. It stays open after a Close.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is why the store failed and what to do about it, nil while it has not.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return nil
	}
	return s.failure
}

// fail ends the store for this process: the first cause wins. It may be called from any goroutine, one of the library's that holds its
// locks too, and does not block. A store that has been closed cannot fail any more. why says what happened and what to do, and after what then.
func (s *Store) fail(why, after string) {
	s.mu.Lock()
	if s.failure != nil || s.closed {
		s.mu.Unlock()
		return
	}
	s.failure, s.why = protocol.Errorf(protocol.CodeInternal, "the store has failed: %s, %s", why, after), why
	s.guard.dead.Store(true)
	close(s.failed)
	s.work.Broadcast()
	s.asked.Broadcast()
	s.left.Broadcast()
	s.mu.Unlock()
	s.log.Error("the store has failed", "dir", s.dir, "cause", why)
	go s.answerAll()
}

// answerAll answers all that waits with the failure, once and in order: the updates that the committing goroutine is applying, or hangs
// in, then those behind them, and what readers were asked.
func (s *Store) answerAll() {
	s.confirming.Lock() // what was kept before is confirmed first
	defer s.confirming.Unlock()
	err := s.Err()
	for {
		s.mu.Lock()
		var waiting []waiter
		if s.applying != nil {
			waiting = append(waiting, s.applying.waiting...)
			s.applying = nil
		}
		waiting = append(waiting, s.open.waiting...)
		s.open.waiting = s.open.waiting[:0]
		asks := s.unanswered()
		if len(waiting) == 0 && len(asks) == 0 {
			s.over = true
			close(s.answered)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for _, w := range waiting {
			w.owner.Confirmed(w.token, err)
		}
		for _, a := range asks {
			a.answer(result{err: err})
		}
	}
}

// onWrite is the guard's: the disk did not take something.
func (s *Store) onWrite(doing, path string, err error) {
	s.end(fmt.Sprintf("%s %s: %v; %s", doing, filepath.Base(path), plain(err), remedy(err)))
}

// onLibrary takes what the library itself calls an end.
func (s *Store) onLibrary(err error) {
	if crdb.IsCorruptionError(err) {
		s.onRead(err)
		return
	}
	s.end(fmt.Sprintf("%v; %s", plain(err), remedy(err)))
}

// onRead takes what cannot be read, or is not there though it must be.
func (s *Store) onRead(err error) {
	why := fmt.Sprintf("it cannot read what it holds: %v; look at the disk, see what `restante store check` says of the data directory", plain(err))
	s.fail(why, "and restart the broker, from a backup if it is damaged")
}

// end fails the store over its disk. why ends with what to do about it before the restart.
func (s *Store) end(why string) {
	after := "and then restart the broker: nothing that was confirmed is lost"
	if s.sync.mode != modeAlways {
		after = "and then restart the broker: what was confirmed last may be lost, since it ran with sync " + s.sync.String()
	}
	s.fail(why, after)
}

// remedy says what to do about a disk that did not take something.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space on the data directory's disk"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "make the data directory writable"
	}
	return "look at the data directory's disk"
}

// plain is err without the path of whoever's machine this is, which publishers do not need to see.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// logger hands the library's words on.
type logger struct {
	log   *slog.Logger
	fatal func(err error)
}

// Infof logs what is of interest to who works on the store only.
func (l logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf logs what the library goes on from.
func (l logger) Errorf(format string, args ...any) { l.log.Warn(fmt.Sprintf(format, args...)) }

// Fatalf is called where the library cannot go on, in any goroutine. It stands still: the caller's deferred calls are not to be trusted.
func (l logger) Fatalf(format string, args ...any) {
	f := fatal{text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if cause, ok := a.(error); ok {
			f.cause = cause
		}
	}
	l.fatal(f)
	park()
}

// fatal is the library's last word, with the cause that it was made from.
type fatal struct {
	text  string
	cause error
}

func (f fatal) Error() string { return f.text }
func (f fatal) Unwrap() error { return f.cause }

var _ store.Keeper = (*Store)(nil)

// corruption is what the library tells of altered data.
func corruption(info crdb.DataCorruptionInfo) error {
	return fmt.Errorf("%s is damaged: %w", filepath.Base(info.Path), info.Details)
}
