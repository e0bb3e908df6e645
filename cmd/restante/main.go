// Command restante is the broker and its tools: serve runs it, publish, tail, topic and broadcast move frames through it, demo shows what
// it promises.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses, the same for every subcommand; docs/OPERATIONS.md lists them. A run that a signal ended early exits with
// 128 + the signal's number.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line: every flag may also be set by an environment variable RESTANTE_ and its name.
type cli struct {
	Log logFlags `embed:"" prefix:"log-"`

	Serve      serveCmd      `cmd:"" help:"Run the broker."`
	Publish    publishCmd    `cmd:"" help:"Publish standard input to a client, one frame a line."`
	Tail       tailCmd       `cmd:"" help:"Print a client's frames as they come, one a line."`
	Topic      topicCmd      `cmd:"" help:"Publish to a topic, print its log, close it, or list topics."`
	Broadcast  broadcastCmd  `cmd:"" help:"Publish standard input to every client, one frame a line."`
	Demo       demoCmd       `cmd:"" help:"Watch a real stream arrive whole while its connection is cut again and again."`
	DemoBroker demoBrokerCmd `cmd:"" hidden:"" help:"The broker of demo --ui."`
	Sweep      sweepCmd      `cmd:"" help:"Let the janitor sweep now, and print its report."`
	Store      storeCmd      `cmd:"" help:"Check the store in a data directory, or dump a client's frames from it."`
	Bench      benchCmd      `cmd:"" help:"Load a running broker and report what came of it."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// process is what a subcommand sees of the process that it runs in, so that tests can run it in theirs.
type process struct {
	in       io.Reader
	out, err io.Writer
	// signals begins to catch SIGINT and SIGTERM and returns where they arrive; it may be called again.
	signals func() <-chan os.Signal
}

// status is an error that only carries an exit status: what there was to say has been said.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func main() {
	os.Exit(run(os.Args[1:], process{in: os.Stdin, out: os.Stdout, err: os.Stderr, signals: catchSignals}))
}

// catchSignals returns one channel for the whole process; until it is called, a signal ends the process at once.
var catchSignals = sync.OnceValue(func() <-chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	return c
})

// run parses args, runs the subcommand and returns the exit status.
func run(args []string, p process) (code int) {
	var c cli
	exited := new(status) // kong's help ends the process through Exit: we unwind to here instead
	defer func() {
		switch r := recover(); r {
		case nil:
		case exited:
			code = int(*exited)
		default:
			panic(r)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("restante"),
		kong.Description("A WebSocket message broker: frames wait for their client, and reach it once and in order however often its connection breaks. "+
			"Every flag can be set in the environment too: --log-level is RESTANTE_LOG_LEVEL."),
		kong.DefaultEnvars("RESTANTE"),
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }), // without each flag's variable, which is always RESTANTE_ and its name
		kong.ExplicitGroups([]kong.Group{
			{Key: "store", Title: "Where outboxes are kept:"},
			{Key: "outbox", Title: "Limits of one outbox:"},
			{Key: "topic", Title: "Limits of one topic's log, and of their number:"},
			{Key: "connection", Title: "Limits of one client's connections:"},
			{Key: "broker", Title: "Limits of the whole broker:"},
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Writers(p.out, p.err),
		kong.Exit(func(code int) { *exited = status(code); panic(exited) }),
	)
	if err != nil {
		panic(err) // the struct tags above are wrong: every test of this package would see it
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err == nil {
		log, logErr := c.Log.open(p.err)
		if logErr != nil {
			err = logErr
		} else {
			err = k.Run(&p, log)
		}
	}
	return report(err, commandName(k, err), p.err)
}

// commandName is how the user calls the subcommand that k, or the parser's err, is about: "restante serve", or "restante" where
// the arguments have named none.
func commandName(k *kong.Context, err error) string {
	var parse *kong.ParseError
	if k == nil && errors.As(err, &parse) {
		k = parse.Context
	}
	if k != nil && k.Selected() != nil {
		return k.Selected().FullPath()
	}
	return "restante"
}

// report says on w what err of the command called name is, once, and returns the exit status for it.
func report(err error, name string, w io.Writer) int {
	var s status
	var usage usageError
	var parse *kong.ParseError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &s):
		return int(s)
	case errors.As(err, &usage), errors.As(err, &parse):
		fmt.Fprintf(w, "restante: %v\n", err)
		fmt.Fprintf(w, "Try %s --help.\n", name)
		return exitUsage
	}
	fmt.Fprintf(w, "restante: %v\n", err)
	return exitFailed
}

// signalStatus is the exit status of a run that s ended early.
func signalStatus(s os.Signal) status {
	if n, ok := s.(syscall.Signal); ok {
		return status(128 + int(n))
	}
	return exitFailed
}

// firstSignal waits for a signal; ok is false if ctx ended before.
func firstSignal(ctx context.Context, c <-chan os.Signal) (s os.Signal, ok bool) {
	select {
	case s = <-c:
		return s, true
	case <-ctx.Done():
		return nil, false
	}
}

// untilSignal returns a context that the first signal ends, with the signal's status as its cause.
func untilSignal(c <-chan os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		if s, ok := firstSignal(ctx, c); ok {
			cancel(signalStatus(s))
		}
	}()
	return ctx, func() { cancel(nil) }
}
