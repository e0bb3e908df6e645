package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// The time limits of calls.
const (
	lookLimit = 10 * time.Second // list and grep
	vetLimit  = 60 * time.Second
	testLimit = 120 * time.Second
)

// progressGap is the least time between two frames about how far a call is.
const progressGap = 100 * time.Millisecond

// errStop is the cause of a turn's end by somebody's stop.
var errStop = errors.New("stopped")

// turn is the answer to one thing that somebody said. Its methods return an error only when the turn is to end: it was stopped, or the agent is.
type turn struct {
	a      *Agent
	number int
	ctx    context.Context
	// cancel ends the turn, with errStop or what the agent ends with.
	cancel context.CancelCauseFunc
}

// say says something, word by word, as a model would.
func (t *turn) say(format string, args ...any) error {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	for _, piece := range pieces(text) {
		if err := t.a.pub.put(t.ctx, textFrame{"text", t.number, piece}); err != nil {
			return err
		}
		if !pause(t.ctx, t.a.cfg.pace()) {
			return context.Cause(t.ctx)
		}
	}
	return nil
}

// pieces cuts a text into words, each with the white space behind it.
func pieces(text string) []string {
	var cut []string
	for text != "" {
		n := strings.IndexAny(text, " \n")
		if n < 0 {
			n = len(text)
		}
		for n < len(text) && (text[n] == ' ' || text[n] == '\n') {
			n++
		}
		cut = append(cut, text[:n])
		text = text[n:]
	}
	return cut
}

// ended is what a call came to.
type ended struct {
	exit int
	// failed is errTimeout, or a sentence that says why there is no exit status; "" where there is one.
	failed string
}

// ok reports whether the call ended with status 0.
func (e ended) ok() bool { return e.exit == 0 && e.failed == "" }

// call is a tool call under way, as what runs it sees it.
type call struct {
	t        *turn
	number   int
	ctx      context.Context // ends with the turn, and at the call's time limit
	out, err *stream
	mu       sync.Mutex
	told     time.Time // when progress was told last
}

// use runs a tool as a call of the turn. An error of work's is shown as the call's; only the end of the turn is one of use's.
func (t *turn) use(name string, args []string, limit time.Duration, work func(c *call) (exit int, err error)) (ended, error) {
	if args == nil {
		args = []string{}
	}
	c := &call{t: t, number: t.a.nextCall()}
	if err := t.a.pub.put(t.ctx, toolFrame{"tool", t.number, c.number, name, args, limit.Milliseconds()}); err != nil {
		return ended{}, err
	}
	ctx, stop := context.WithTimeout(t.ctx, limit)
	defer stop()
	c.ctx = ctx
	out := &output{emit: func(text, stream string) error {
		return t.a.pub.put(ctx, outputFrame{"output", c.number, text, stream})
	}}
	c.out, c.err = out.stream(stdout), out.stream(stderr)
	began := time.Now()
	exit, err := work(c)
	_, _ = c.out.Close(), c.err.Close() // they fail only where ctx has ended, which is told below
	e := ended{exit: exit}
	switch {
	case t.ctx.Err() != nil:
		e = ended{-1, errStopped}
	case ctx.Err() != nil:
		e = ended{-1, errTimeout}
	case err != nil:
		e = ended{-1, err.Error()}
	}
	t.a.pub.must(doneFrame{"tool_done", c.number, e.exit, time.Since(began).Milliseconds(), e.failed, out.left()})
	if t.ctx.Err() != nil {
		return e, context.Cause(t.ctx)
	}
	return e, nil
}

// progress says how far the call is; not each time, but at its end.
func (c *call) progress(done, of int, label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if done < of && now.Sub(c.told) < progressGap {
		return
	}
	c.told = now
	_ = c.t.a.pub.put(c.ctx, progressFrame{"progress", c.number, done, of, label}) // the call ends with ctx
}

// ask asks whether command may be run, and waits for the first answer, however long that takes.
func (t *turn) ask(command, format string, args ...any) (allowed bool, err error) {
	q := t.a.open()
	defer t.a.shut(q)
	err = t.a.pub.put(t.ctx, questionFrame{"question", q.number, t.number, fmt.Sprintf(format, args...), []string{allow, deny}, command})
	if err != nil {
		return false, err
	}
	select {
	case choice := <-q.answer:
		return choice == allow, nil
	case <-t.ctx.Done():
		return false, context.Cause(t.ctx)
	}
}
