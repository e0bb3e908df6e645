package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// runLimit is what one run may take in all. The profiles have limits of their own, which are shorter.
const runLimit = 15 * time.Minute

// order is what a child is to do: one profile against one server. The load has a process of its own for each run, so that what one run has left in memory does
// not slow the next.
type order struct {
	Dialect  string        `json:"dialect"`
	URL      string        `json:"url"`
	PID      int           `json:"pid"`
	Profile  string        `json:"profile"`
	Clients  int           `json:"clients"`
	Duration time.Duration `json:"duration"`
	Warmup   time.Duration `json:"warmup"`
}

// runChild is the life of a child: an order on in, its result on out, and how far it is on say.
func runChild(ctx context.Context, in io.Reader, out, say io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	d, err := dialects.ByName(o.Dialect)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, fmt.Errorf("not done after %s", runLimit))
	defer cancel()
	r, err := bench.Run{
		URL: o.URL, PID: o.PID, Dialect: d, Profile: o.Profile, Clients: o.Clients, Duration: o.Duration, Warmup: o.Warmup,
		Say: func(format string, args ...any) { fmt.Fprintf(say, format+"\n", args...) },
	}.Do(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

// inChild has a child do an order. What it says goes to say, line by line. An error that the load tells of is what the result has failed with, since it may be
// the server that has caused it, by having gone for example. The error that is returned is ctx's, or of a load that has crashed.
func inChild(ctx context.Context, o order, say func(line string)) (r bench.Result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	in, err := json.Marshal(o)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "-run")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	var out bytes.Buffer
	lines := &lineWriter{each: say}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, lines
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	if err == nil {
		return r, json.Unmarshal(out.Bytes(), &r)
	}
	last, complains := strings.CutPrefix(lines.last(), complaint)
	if !complains {
		return r, fmt.Errorf("the load has ended with %w\n%s", err, strings.Join(lines.tail, "\n"))
	}
	return bench.Result{Profile: o.Profile, Clients: o.Clients, Figures: map[string]float64{}, Failed: last}, nil
}

// lineWriter hands over whole lines, and keeps the last of them.
type lineWriter struct {
	each func(line string)
	part []byte
	tail []string
}

// tailLines is how many lines are kept: enough for what a panic begins with.
const tailLines = 60

// Write takes what comes.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		line, rest, whole := bytes.Cut(w.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		w.part = rest
		if len(line) == 0 {
			continue
		}
		if len(w.tail) == tailLines {
			w.tail = w.tail[1:]
		}
		w.tail = append(w.tail, string(line))
		w.each(string(line))
	}
}

// last is the last line; "" where there is none.
func (w *lineWriter) last() string {
	if len(w.tail) == 0 {
		return ""
	}
	return w.tail[len(w.tail)-1]
}
