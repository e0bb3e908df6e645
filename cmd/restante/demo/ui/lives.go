package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/cmd/restante/child"
)

// againGap is what lies between two tries to start a broker that does not start.
const againGap = time.Second

// errNoBroker is where there is none at the moment, errEnding where there will be none.
var (
	errNoBroker = errors.New("there is no broker at the moment")
	errEnding   = errors.New("the demo is ending")
)

// lives are the broker's: one process after the other, all on the same folder, each with a port of its own. One goroutine, keep, starts and ends them; the other methods are
// safe for concurrent use.
type lives struct {
	path string
	args []string
	env  []string
	log  io.Writer
	// moved is told the host:port of each process, and "" before it is ended.
	moved func(addr string)

	asks  chan chan struct{} // a kill; answered when there is a broker again
	ended chan struct{}      // closed when keep has returned

	mu    sync.Mutex
	addr  string // "" while there is none
	kills int
}

func newLives(path string, args, env []string, log io.Writer, moved func(addr string)) *lives {
	return &lives{path: path, args: args, env: env, log: log, moved: moved, asks: make(chan chan struct{}), ended: make(chan struct{})}
}

// start starts a process and returns when it serves.
func (l *lives) start(ctx context.Context) (*child.Server, error) {
	s, err := child.Start(ctx, l.path, l.log, l.env, l.args...)
	if err != nil {
		return nil, fmt.Errorf("the broker: %w", err)
	}
	l.at(strings.TrimPrefix(s.URL, "http://"))
	return s, nil
}

// at takes note of where the broker is. Nobody is sent to the port of one that has ended: the system may give it to a stranger.
func (l *lives) at(addr string) {
	l.mu.Lock()
	l.addr = addr
	l.mu.Unlock()
	l.moved(addr)
}

// keep sees to it that there is a broker, of which s is the first, until ctx ends. It returns when the last one has been reaped.
func (l *lives) keep(ctx context.Context, s *child.Server) {
	defer close(l.ended)
	for s != nil {
		var asked chan struct{}
		select {
		case <-ctx.Done():
			l.at("")
			s.Stop()
			return
		case asked = <-l.asks:
			l.at("")
			s.Kill()
		case <-s.Exited():
			l.at("")
			if ctx.Err() == nil {
				fmt.Fprintf(l.log, "restante: demo: the broker has ended by itself (%v), and is started again\n", s.State())
			}
		}
		s = l.again(ctx)
		if asked != nil {
			l.mu.Lock()
			l.kills++
			l.mu.Unlock()
			close(asked)
		}
	}
}

// again starts the next one, however often that takes; nil when ctx has ended.
func (l *lives) again(ctx context.Context) *child.Server {
	for ctx.Err() == nil {
		s, err := l.start(ctx)
		if err == nil {
			return s
		}
		if ctx.Err() == nil {
			fmt.Fprintf(l.log, "restante: demo: %v\n", err)
		}
		t := time.NewTimer(againGap)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil
}

// kill ends the process as a crash does, with whatever it is doing, and returns when the next one serves.
func (l *lives) kill(ctx context.Context) error {
	asked := make(chan struct{})
	select {
	case l.asks <- asked:
	case <-l.ended:
		return errEnding
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-asked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dial connects to the broker, wherever it is.
func (l *lives) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	l.mu.Lock()
	addr := l.addr
	l.mu.Unlock()
	if addr == "" {
		return nil, errNoBroker
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// look says whether there is a broker, and how often it has been killed.
func (l *lives) look() (up bool, kills int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr != "", l.kills
}
