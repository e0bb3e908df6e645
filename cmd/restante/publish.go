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

	Lines  bool `xor:"mode" help:"Input is text: send {\"type\":\"line\",\"text\":…}, long lines in several with \"part\":n."`
	Wrap   bool `xor:"mode" help:"Input is any JSON value a line: send {\"type\":\"json\",\"data\":…}."`
	Strict bool `help:"Stop at the first line that is refused."`

	Window        count    `default:"2000" help:"Leave at most this many frames unacked while somebody holds a place in the outbox; 0 or off: any number."`
	WindowBytes   size     `default:"1MiB" help:"The same in bytes."`
	MaxFrameBytes size     `default:"64KiB" help:"Longest frame that the broker takes."`
	Retry         duration `name:"retry-for" default:"1m" help:"How long to try again while the broker cannot be reached, or is overloaded; off: for ever."`
	Quiet         bool     `short:"q" help:"Say nothing on standard error but what went wrong."`
}

// Help is shown below the flags.
func (publishCmd) Help() string {
	return "Each line of standard input is one frame: a JSON object with a string \"type\". A line that the broker would refuse is named on " +
		"standard error and the others go on; the exit status is 1 then. Whatever has to be sent again is stored once."
}

func (c *publishCmd) mode() inputMode {
	switch {
	case c.Lines:
		return modeLines
	case c.Wrap:
		return modeWrap
	}
	return modeFrames
}

func (c *publishCmd) check() error {
	if c.MaxFrameBytes < 256 || c.MaxFrameBytes > maxLine {
		return usageError{fmt.Errorf("--max-frame-bytes: %d is not between 256 and %d", c.MaxFrameBytes, maxLine)}
	}
	return checkClient(c.Client)
}

// Run publishes until the input ends.
func (c *publishCmd) Run(p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	show := newProgress(p.err, c.Client, c.Quiet)
	in := newGather()
	pub := newPublisher(a, c.Client, show, time.Duration(c.Retry))
	pub.strict = c.Strict
	pub.window = newWindow(int(c.Window), int(c.WindowBytes))
	feed := &feeder{out: in, show: show, strict: c.Strict, done: make(chan struct{})}
	go feed.run(newLineReader(p.in, c.mode(), int(c.MaxFrameBytes)))

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
	err = pub.run(ctx, in)
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

func (f *feeder) run(in *lineReader) {
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
