// Command peers compares the durable broker with JetStream and with Redis, and measures what its store costs. `make compare` runs it.
//
// It starts itself for each pass, so that every pass has a process, and so processor seconds, of its own. Passes of the compared
// alternate, and what is printed are the medians, with the lowest and the highest in brackets.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// workers is how many publishers, or connections, work at once.
const workers = 64

// frameBytes is the length of the frames that are published, batch how many a batch holds.
const (
	frameBytes = 256
	batch      = 50
)

func main() {
	pass := flag.String("pass", "", "run one pass in this process; for the program's own use")
	passes := flag.Int("passes", 5, "how many passes of each")
	length := flag.Duration("length", 3*time.Second, "how long a pass is")
	only := flag.String("only", "", "run only the parts with one of these letters: a (JetStream), b (Redis), c (slow disk), d (costs)")
	flag.Parse()
	var err error
	if *pass != "" {
		err = runPass(*pass, *length, flag.Args())
	} else {
		err = compare(*passes, *length, *only)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}

// bench is one run of the comparisons.
type bench struct {
	self, restante string // programs
	dir            string // for data
	passes         int
	length         time.Duration
}

func compare(passes int, length time.Duration, only string) (err error) {
	b := &bench{passes: passes, length: length}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "restante-compare-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.restante = filepath.Join(b.dir, "restante")
	build := exec.Command("go", "build", "-trimpath", "-o", b.restante, "./cmd/restante")
	build.Dir = "../.." // this program runs where its source lies
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the broker cannot be built: %w\n%s", err, out)
	}
	for _, part := range []struct {
		letter string
		run    func() error
	}{{"a", b.jetstream}, {"b", b.redis}, {"c", b.slowDisk}, {"d", b.costs}} {
		if only == "" || strings.Contains(only, part.letter) {
			if err := part.run(); err != nil {
				return err
			}
		}
	}
	return nil
}

// result is what one pass came to.
type result struct {
	Ops     int64              // publishes, or frames
	Seconds float64            // of the wall clock
	CPU     float64            // processor seconds, of the process that serves
	More    map[string]float64 `json:",omitempty"`
}

func (r result) perSecond() float64  { return float64(r.Ops) / r.Seconds }
func (r result) cpuMillion() float64 { return r.CPU / float64(r.Ops) * 1e6 }

// child runs one pass in a process of its own, below others if prefix names them.
func (b *bench) child(prefix []string, pass string, args ...string) (r result, err error) {
	line := slices.Concat(prefix, []string{b.self, "-pass", pass, "-length", b.length.String()}, args)
	cmd := exec.Command(line[0], line[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", pass, err, stderr.String())
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("%s: %w: %s", pass, err, out)
	}
	if r.Ops == 0 {
		return r, errors.New(pass + " has done nothing")
	}
	return r, nil
}

// contestant is one of those whose passes alternate.
type contestant struct {
	name string
	pass func() (result, error)
}

// alternate runs the passes of all in turn.
func (b *bench) alternate(all ...contestant) (map[string][]result, error) {
	results := map[string][]result{}
	for range b.passes {
		for _, c := range all {
			r, err := c.pass()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			results[c.name] = append(results[c.name], r)
		}
	}
	return results, nil
}

// show prints the medians of all, and returns those of their rates.
func show(title string, results map[string][]result, order ...contestant) map[string]float64 {
	fmt.Printf("\n%s\n", title)
	rates := map[string]float64{}
	for _, c := range order {
		rate, cpu := spread(results[c.name], result.perSecond), spread(results[c.name], result.cpuMillion)
		rates[c.name] = rate.median
		fmt.Printf("  %-38s %s/s   %s CPU s per million\n", c.name, rate.text("%.0f"), cpu.text("%.1f"))
	}
	return rates
}

// figure is a median with its range.
type figure struct{ median, low, high float64 }

func spread(all []result, of func(result) float64) figure {
	values := make([]float64, 0, len(all))
	for _, r := range all {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return figure{values[len(values)/2], values[0], values[len(values)-1]}
}

func (f figure) text(verb string) string {
	return fmt.Sprintf(strings.ReplaceAll("%9s (V – V)", "V", verb), fmt.Sprintf(verb, f.median), f.low, f.high)
}

// goal says whether a figure is what it is to be.
func goal(what string, value, least float64) {
	verdict := "reached"
	if value < least {
		verdict = "NOT reached"
	}
	fmt.Printf("  %s: %.2f (goal: %g or more, %s)\n", what, value, least, verdict)
}
