package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	// rewriteEvery is how often the line of progress is rewritten on a terminal, sayEvery how often a line is added elsewhere.
	rewriteEvery = 150 * time.Millisecond
	sayEvery     = 3 * time.Second
)

// screen is where the demo speaks: whole lines, and a live line of progress. It is safe for concurrent use.
type screen struct {
	every time.Duration
	live  bool

	mu    sync.Mutex
	w     io.Writer
	dirty bool // the live line stands on the screen
}

func newScreen(w io.Writer) *screen {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &screen{w: w, live: true, every: rewriteEvery}
	}
	return &screen{w: w, every: sayEvery}
}

// say writes a line that stays.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	fmt.Fprintf(s.w, format+"\n", args...)
}

// progress writes the live line.
func (s *screen) progress(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	fmt.Fprintf(s.w, format, args...)
	if s.live {
		s.dirty = true
	} else {
		fmt.Fprintln(s.w)
	}
}

func (s *screen) wipe() {
	if s.dirty {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.dirty = false
	}
}

// Write lets other programs' words (the broker's log) through without tearing the live line.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	return s.w.Write(b)
}
