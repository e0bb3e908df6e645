package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// attached is tail --ack: a connection like any client's, that acks each frame once it is written.
type attached struct {
	out *bufio.Writer
	say func(format string, args ...any)
	end context.CancelCauseFunc

	mu        sync.Mutex
	lastError string // said last, so that what a broker refuses at each try is said once
	away      bool   // the connection has ended, or could not be opened, and that has been said
}

// attach prints the client's frames until ctx ends, and returns the cursor of the last one.
func (c *tailCmd) attach(ctx context.Context, out *bufio.Writer, say func(format string, args ...any)) (cursor string, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	a := &attached{out: out, say: say, end: end}
	cfg := client.Config{
		URL: c.API.URL, ClientID: c.Client, Cursor: c.Since,
		Handler: a.frame, OnReset: a.reset, OnSnapshot: a.snapshot, OnResume: a.resumed, OnError: a.failed, OnState: a.state,
	}
	if c.API.Token != "" {
		cfg.Token = func(context.Context) (string, error) { return c.API.Token, nil }
	}
	reader, err := client.New(cfg)
	if err != nil {
		return "", usageError{err}
	}
	err = reader.Run(ctx)
	var failed *writeError
	if errors.As(context.Cause(ctx), &failed) {
		err = failed
	}
	return reader.Cursor(), err
}

// writeError is standard output that takes no more. It ends the client before the frame at hand counts as applied.
type writeError struct{ error }

func (a *attached) frame(_ context.Context, f client.Frame) error { return a.write(f.Raw) }

func (a *attached) snapshot(asOf uint64, data []byte) error {
	return a.write(protocol.EncodeSnapshot(asOf, data))
}

func (a *attached) write(line []byte) error {
	err := writeLine(a.out, line)
	if err == nil {
		err = a.out.Flush()
	}
	if err != nil {
		a.end(&writeError{err})
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func (a *attached) reset(r client.Reset) {
	a.say("%s: the cursor cannot be resumed; going on after %s", r.Reason, r.Cursor)
}

// resumed reports what a reconnect came to, and any loss.
func (a *attached) resumed(r client.ResumeReport) {
	a.mu.Lock()
	a.lastError = ""
	a.mu.Unlock()
	if r.Offline > 0 || r.Lost > 0 || r.LostUnknown {
		a.say("%s", r)
	}
}

// failed says what is wrong in words of the broker's or of the handlers. Any other error ends the connection, and state says it.
func (a *attached) failed(err error) {
	switch err.(type) {
	case *protocol.Error, *client.HandlerError, *client.SnapshotError:
	default:
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := err.Error(); s != a.lastError {
		a.lastError = s
		a.say("%s", s)
	}
}

// state says when the broker has gone and when it is back, in the words of the other tools (see retrier.do).
func (a *attached) state(s client.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch s.Phase {
	case client.Offline:
		if a.away || s.Code.Stops() || s.Err == nil {
			return // it is known, or Run's error says it
		}
		a.away = true
		a.say("%s; trying again", strings.TrimPrefix(s.Err.Error(), "client: "))
	case client.CatchingUp, client.Live:
		if a.away {
			a.away = false
			a.say("the broker answers again")
		}
	}
}
