package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// publishGrace is how long a first signal lets publish send what it has read already.
const publishGrace = 5 * time.Second

// publishCmd reads frames from standard input and publishes them to one client, in order.
type publishCmd struct {
	API    apiFlags `embed:""`
	Client string   `arg:"" help:"The client_id to publish to."`

	Publish     publishFlags `embed:""`
	Window      count        `default:"2000" help:"Leave at most this many frames unacked while somebody holds a place in the outbox; 0 or off: any number."`
	WindowBytes size         `default:"1MiB" help:"The same in bytes."`
}

// Help is shown below the flags.
func (publishCmd) Help() string {
	return "Each line of standard input is one frame" + publishHelp
}

// publishHelp ends the help of every command that publishes.
const publishHelp = ": a JSON object with a string \"type\". A line that the broker would refuse is named on " +
	"standard error and the others go on; the exit status is 1 then. Whatever has to be sent again is stored once."

// Run publishes until the input ends.
func (c *publishCmd) Run(p *process) error {
	if err := checkClient(c.Client); err != nil {
		return err
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	return c.Publish.run(p, a, clientTarget(c.Client), newWindow(int(c.Window), int(c.WindowBytes)), nil)
}

// publishFlags say how input becomes frames, and how they are sent, wherever they go.
type publishFlags struct {
	Lines  bool `xor:"mode" help:"Input is text: send {\"type\":\"line\",\"text\":…}, long lines in several with \"part\":n."`
	Wrap   bool `xor:"mode" help:"Input is any JSON value a line: send {\"type\":\"json\",\"data\":…}."`
	Strict bool `help:"Stop at the first line that is refused."`

	MaxFrameBytes size     `default:"64KiB" help:"Longest frame that the broker takes."`
	Retry         duration `name:"retry-for" default:"1m" help:"How long to try again while the broker cannot be reached, or is overloaded; off: for ever."`
	Quiet         bool     `short:"q" help:"Say nothing on standard error but what went wrong."`
}

func (f *publishFlags) mode() inputMode {
	switch {
	case f.Lines:
		return modeLines
	case f.Wrap:
		return modeWrap
	}
	return modeFrames
}

// source is the frames of the command line, or the lines of standard input where it has none.
func (f *publishFlags) source(p *process, frames []string) frameSource {
	if len(frames) > 0 {
		return newArgumentReader(frames, f.mode(), int(f.MaxFrameBytes))
	}
	return newLineReader(p.in, f.mode(), int(f.MaxFrameBytes))
}

// run publishes frames, or standard input where there are none, to the target, within the window, until they end or a signal comes.
func (f *publishFlags) run(p *process, a *api, to target, w *window, frames []string) error {
	if f.MaxFrameBytes < 256 || f.MaxFrameBytes > maxLine {
		return usageError{fmt.Errorf("--max-frame-bytes: %d is not between 256 and %d", f.MaxFrameBytes, maxLine)}
	}
	show := newProgress(p.err, to.name, f.Quiet)
	in := newGather()
	pub := newPublisher(a, to, show, time.Duration(f.Retry))
	pub.strict = f.Strict
	pub.window = w
	feed := &feeder{out: in, show: show, strict: f.Strict, done: make(chan struct{})}
	go feed.run(f.source(p, frames))

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var stopped atomic.Int32 // the status of the signal that stopped us
	go func() {
		if s, ok := firstSignal(ctx, p.signals()); ok {
			stopped.Store(int32(signalStatus(s)))
			in.end() // what has been read already is still sent, unless that takes too long or another signal comes
			grace, stop := context.WithTimeout(ctx, publishGrace)
			defer stop()
			firstSignal(grace, p.signals())
			cancel(signalStatus(s))
		}
	}()
	err := pub.run(ctx, in)
	in.end()
	pub.finish(ctx)
	switch {
	case stopped.Load() != 0:
		return status(stopped.Load())
	case err != nil:
		return err
	}
	<-feed.done // without a signal or an error the publisher ends only after the reader
	switch {
	case feed.failed != nil:
		return fmt.Errorf("standard input: %w", feed.failed)
	case feed.refused+pub.total.refused > 0:
		return status(exitFailed)
	}
	return nil
}

// feeder reads the input into a gathering, and names the lines that are refused.
type feeder struct {
	out    *gather
	show   *progress
	strict bool

	// done is closed when the reading has ended; refused and failed may be read after that.
	done    chan struct{}
	refused int
	failed  error
}

func (f *feeder) run(in frameSource) {
	defer close(f.done)
	defer f.out.end()
	for {
		l, err := in.next()
		var refused *lineError
		switch {
		case err == nil:
			if !f.out.put(l) {
				return
			}
		case errors.As(err, &refused):
			f.refused++
			f.show.say("%v", refused)
			if f.strict {
				return
			}
		case errors.Is(err, io.EOF):
			return
		default:
			f.failed = err
			return
		}
	}
}
