// Command versus does the same works with our server and with those that a user would take instead, in turn, and compares what they cost.
// `make bench-peers` runs it. It needs Linux, and Node for the servers that are written for it.
//
// Each run has a fresh process of one server, and a process of its own for the load. What is measured is written down after each run, so that a comparison
// that was broken off can be gone on with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// complaint stands before each error of this program.
const complaint = "versus: "

// options are the flags.
type options struct {
	passes                 int
	servers, works, out    string
	duration, warmup       time.Duration
	quick, resume          bool
	scale, report, asChild bool
}

func main() {
	var o options
	flag.IntVar(&o.passes, "passes", 3, "how often each work is done with each server")
	flag.StringVar(&o.servers, "servers", "", "servers, with commas between; all if there are none")
	flag.StringVar(&o.works, "works", "", "works or profiles, with commas between; all if there are none")
	flag.StringVar(&o.out, "out", "bench-peers", "directory for results.json, the report and the plots")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long what goes on is measured")
	flag.DurationVar(&o.warmup, "warmup", 2*time.Second, "how long it has gone on before that")
	flag.BoolVar(&o.quick, "quick", false, "one pass of one second each, after half a second: to try it, not to compare by")
	flag.BoolVar(&o.resume, "resume", false, "go on with the results that are in --out")
	flag.BoolVar(&o.scale, "scale", false, "instead of comparing, measure how our server's cost grows with its clients")
	flag.BoolVar(&o.report, "report", false, "measure nothing: write the report of the results that are in --out")
	flag.BoolVar(&o.asChild, "run", false, "do one run in this process; for the program's own use")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := o.do(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", complaint, err)
		os.Exit(1)
	}
}

func (o options) do(ctx context.Context) error {
	switch {
	case o.asChild:
		return runChild(ctx, os.Stdin, os.Stdout, os.Stderr)
	case flag.NArg() > 0:
		return fmt.Errorf("%q is no flag", flag.Arg(0))
	case o.passes < 1 || o.duration <= 0 || o.warmup <= 0:
		return errors.New("there is at least one pass, and --duration and --warmup are above zero")
	case o.report:
		table, err := report(o.out)
		fmt.Print(table)
		return err
	}
	if o.quick {
		o.passes, o.duration, o.warmup = 1, time.Second, 500*time.Millisecond
	}
	return o.measure(ctx)
}

// files is how many descriptors the server and the load each need, for 19,500 connections.
const files = 20_000

// measure does all runs that are missing, and writes the report.
func (o options) measure(ctx context.Context) error {
	v := &versus{passes: o.passes, say: progressOn(os.Stderr)}
	var err error
	file, all := resultsFile, works
	if v.servers, err = chosenServers(o.servers); err != nil {
		return err
	}
	if o.scale {
		if o.servers != "" {
			return errors.New("--scale is about our server: it takes no --servers")
		}
		v.servers, _ = chosenServers(oursName)
		file, all = scaleFile, scaleWorks
	}
	if v.works, err = chosen(all, o.works); err != nil {
		return err
	}
	for _, c := range v.servers {
		if _, err := dialects.ByName(c.dialect); err != nil {
			return fmt.Errorf("%s cannot take part: %w", c.name, err)
		}
	}
	for _, w := range v.works {
		if !slices.Contains(bench.Profiles(), w.profile) {
			return fmt.Errorf("%s cannot be done: the load generator has no profile %q", w.name, w.profile)
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < files {
		return fmt.Errorf("a process may open %d files, and %d are needed: ulimit -n %d", limit.Cur, files, files)
	}
	v.settings = settings{Servers: namesOf(v.servers, func(c contestant) string { return c.name }), Duration: o.duration, Warmup: o.warmup}
	if v.results, err = openResults(filepath.Join(o.out, file), thisMachine(), v.settings, o.resume); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "restante-versus-")
	if err == nil {
		err = os.MkdirAll(o.out, 0o755)
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir, v.servers); err != nil {
		return err
	}
	v.run = func(ctx context.Context, c contestant, w work, s settings, say func(string)) (r bench.Result, err error) {
		data, err := os.MkdirTemp(o.out, "data-") // beside the results: where programs lie may be memory
		if err != nil {
			return r, err
		}
		defer os.RemoveAll(data)
		p, err := launch(ctx, c, dir, data)
		if err != nil {
			return r, err
		}
		defer p.stop()
		r, err = inChild(ctx, order{c.dialect, p.url, p.cmd.Process.Pid, w.profile, w.clients, s.Duration, s.Warmup}, say)
		return p.account(r, err)
	}
	if err := v.all(ctx); err != nil {
		return err
	}
	table, err := report(o.out)
	fmt.Printf("\n%s", table)
	return errors.Join(err, v.results.faults())
}
