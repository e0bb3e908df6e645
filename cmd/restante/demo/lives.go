package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/restante/restante/cmd/restante/child"
)

// lives are the broker's: one process after the other, all on the same folder, each with a port of its own. They are safe for concurrent use,
// but for start, kill and stop, of which there is one at a time.
type lives struct {
	path, dir string
	log       io.Writer
	// moved is told the host:port of each process, and "" before it is killed.
	moved func(addr string)

	mu    sync.Mutex
	now   *child.Server // nil while there is none
	kills int
}

// start starts a process and returns when it serves.
func (l *lives) start(ctx context.Context) error {
	c, err := child.Start(ctx, l.path, l.log, []string{"RESTANTE_LOG_LEVEL=warn"}, "serve", "--listen", "127.0.0.1:0", "--data-dir", l.dir)
	if err != nil {
		return fmt.Errorf("the broker: %w", err)
	}
	l.mu.Lock()
	l.now = c
	l.mu.Unlock()
	l.moved(strings.TrimPrefix(c.URL, "http://"))
	return nil
}

// kill ends the process as a crash does, with whatever it was doing, and starts the next one.
func (l *lives) kill(ctx context.Context) error {
	l.mu.Lock()
	c := l.now
	l.now = nil
	l.mu.Unlock()
	// Nobody is sent to its port from now on: while it is free, the system may give it to a stranger.
	l.moved("")
	c.Kill()
	if err := l.start(ctx); err != nil {
		return fmt.Errorf("after the broker was killed: %w", err)
	}
	l.mu.Lock()
	l.kills++
	l.mu.Unlock()
	return nil
}

// url is where the broker serves now, "" while it does not.
func (l *lives) url() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return ""
	}
	return l.now.URL
}

// killed is how many kills the broker has come back from.
func (l *lives) killed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kills
}

// stop ends the last process, and returns when it has been reaped.
func (l *lives) stop() {
	l.mu.Lock()
	c := l.now
	l.now = nil
	l.mu.Unlock()
	if c != nil {
		c.Stop()
	}
}
