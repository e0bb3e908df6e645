package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progressEvery is how often the line of progress is written anew on a terminal.
const progressEvery = 200 * time.Millisecond

// progress speaks to the user of publish on standard error: a line of progress if that is a terminal, and what must be said in any case.
// It is safe for concurrent use.
type progress struct {
	name  string // of the target
	quiet bool
	live  bool // a terminal: the line is rewritten in place
	began time.Time

	mu    sync.Mutex
	w     io.Writer
	shown time.Time // when the line was last written; zero while there is none on the screen
	said  time.Time // when sayAtMost last spoke
}

func newProgress(w io.Writer, name string, quiet bool) *progress {
	return &progress{name: name, quiet: quiet, live: !quiet && isTerminal(w), began: time.Now(), w: w}
}

// isTerminal reports whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(format, args...)
}

// sayAtMost says it unless something was said so within the time given.
func (p *progress) sayAtMost(every time.Duration, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.said.IsZero() || now.Sub(p.said) >= every {
		p.said = now
		p.line(format, args...)
	}
}

// update writes the line of progress anew, if there is a terminal for it and its time has come.
func (p *progress) update(t *tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.live || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.summary(t))
}

// finish says what the whole run came to.
func (p *progress) finish(t *tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quiet {
		p.line("%s", p.summary(t))
	}
}

func (p *progress) line(format string, args ...any) {
	if !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = time.Time{}
	}
	fmt.Fprintf(p.w, "restante: "+format+"\n", args...)
}

func (p *progress) summary(t *tally) string {
	s := fmt.Sprintf("%d frames (%d bytes) stored for %s in %s", t.frames, t.bytes, p.name, time.Since(p.began).Round(100*time.Millisecond))
	if t.epoch != "" {
		s += fmt.Sprintf(", up to %s:%d", t.epoch, t.last)
	}
	if t.refused > 0 {
		s += fmt.Sprintf(", %d refused by the broker", t.refused)
	}
	if t.pruned > 0 {
		s += fmt.Sprintf(", %d pruned before anybody acked them", t.pruned)
	}
	return s
}
