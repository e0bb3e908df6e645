package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/client"
)

const (
	// clientID is the client whose outbox the lines go into.
	clientID = "demo"
	// tick is how often lines are published.
	tick = 50 * time.Millisecond
	// defaultDuration is how long lines are published, defaultCuts how many cuts there must be.
	defaultDuration = 25 * time.Second
	defaultCuts     = 20
	// mostDuration bounds a duration, mostTime a whole run, without the end of the broker. A cut takes up to 0.3 s on top of a quarter of
	// the duration for all of them, so that mostCuts have their time in any run.
	mostDuration, mostTime = 40 * time.Second, 42 * time.Second
	mostCuts               = 100
	// stillness is how long the end is watched for frames that should not come.
	stillness = 300 * time.Millisecond
)

// Options say how a demo runs. Zero means the documented default.
type Options struct {
	// Seed decides where and how connections are cut; 0 draws one, which the run tells.
	Seed uint64
	// Duration (25 s) is how long the program's output is spread over, 1 to 40 s. The verdict comes within 45 s of the start.
	Duration time.Duration
	// Cuts (20) is how many cuts there must be, at most 100. Where they need longer than Duration, about 0.3 s each, the run does too.
	Cuts int
	// Command is the program whose output is published. Empty: the go command about the module here, or about the standard library,
	// or ls -lR /usr/share.
	Command []string
	// Executable is the restante binary that runs the broker ("": this one).
	Executable string
	// Out (standard output) takes the progress and the verdict.
	Out io.Writer
}

func (o Options) filled() (Options, error) {
	o.Duration = cmp.Or(o.Duration, defaultDuration)
	o.Cuts = cmp.Or(o.Cuts, defaultCuts)
	if o.Duration < time.Second || o.Duration > mostDuration {
		return o, fmt.Errorf("the duration %v is not between 1s and %v", o.Duration, mostDuration)
	}
	if o.Cuts < 0 {
		return o, errors.New("the number of cuts cannot be off")
	}
	if o.Cuts > mostCuts {
		return o, fmt.Errorf("%d cuts do not fit into the time of a demo: give at most %d", o.Cuts, mostCuts)
	}
	for o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000)
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return o, err
		}
		o.Executable = path
	}
	return o, nil
}

// Run runs the demo and returns the exit status: 0 if every line arrived once, in order and unchanged through at least Options.Cuts cuts, 1 if not, 2 for Options
// that make no sense, 130 if ctx ended before. Nothing that it started runs on when it returns.
func Run(ctx context.Context, o Options) int {
	o, err := o.filled()
	if err != nil {
		fmt.Fprintf(os.Stderr, "restante: demo: %v\n", err)
		return 2
	}
	r := &run{Options: o, screen: newScreen(o.Out), ledger: &ledger{}, began: time.Now(), flowing: make(chan struct{}, 1)}
	err = r.play(ctx)
	if ctx.Err() != nil {
		r.screen.say("interrupted after %s", r.since())
		return 130
	}
	return r.verdict(err)
}

// run is one demo under way.
type run struct {
	Options
	screen  *screen
	ledger  *ledger
	agent   agent
	proxy   *Proxy
	client  *client.Client
	began   time.Time
	flowing chan struct{}
}

func (r *run) since() time.Duration { return time.Since(r.began).Round(100 * time.Millisecond) }

// play starts everything, publishes, waits for the rest, and stops everything.
func (r *run) play(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, mostTime, errors.New("the time is over"))
	defer cancel()
	broker, err := startBroker(ctx, r.Executable, r.screen)
	if err != nil {
		return err
	}
	defer broker.stop()
	if r.proxy, err = NewProxy(strings.TrimPrefix(broker.url, "http://")); err != nil {
		return err
	}
	defer r.proxy.Close()
	if r.client, err = r.newClient(); err != nil {
		return err
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	working, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	tasks.Go(func() { ended <- r.client.Run(working) })
	tasks.Go(func() { r.report(working) })
	r.screen.say("broker %s, proxy %s, seed %d", broker.url, r.proxy.Addr(), r.Seed)

	if err := r.publishAll(working, broker.url); err != nil {
		return err
	}
	if err := r.arrive(ctx, ended); err != nil {
		return err
	}
	return r.client.Close(ctx)
}

func (r *run) newClient() (*client.Client, error) {
	return client.New(client.Config{
		URL: "http://" + r.proxy.Addr(), ClientID: clientID,
		HandshakeTimeout: 3 * time.Second,
		// A run has a second for each cut, not the half minute that a real network deserves.
		Backoff: client.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond},
		OnReset: func(c client.Reset) {
			r.screen.say("%6s  the client had to start over at %s: %s", r.since(), c.Cursor, c.Reason)
		},
		Handler: func(_ context.Context, f client.Frame) error {
			r.ledger.took(f.Raw)
			select {
			case r.flowing <- struct{}{}:
			default:
			}
			return nil
		},
	})
}

// publishAll runs the agent and publishes its lines, spread over the duration, while the proxy is being struck. It goes on, a few lines
// at a time, until there have been enough cuts: frames flow during each of them.
func (r *run) publishAll(ctx context.Context, broker string) error {
	steps := plan(ctx, r.Command)
	pub := newPublisher(broker, clientID, fmt.Sprintf("demo-%d-%d", r.Seed, r.began.UnixNano()), r.ledger)
	working, stop := context.WithTimeout(ctx, r.Duration)
	defer stop()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	failed := make(chan error, 1)
	tasks.Go(func() { failed <- r.agent.run(working, steps) })

	striking, calm := context.WithCancel(ctx)
	defer calm()
	beat := max(r.Duration/time.Duration(4*max(r.Cuts, 1)), 10*time.Millisecond)
	tasks.Go(func() { newChaos(r.proxy, r.Seed, r.flowing, beat).run(striking) })

	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	perCut := int((2*beat+300*time.Millisecond)/tick) + 1 // ticks that one more cut takes, as a rule
	until := time.Now().Add(r.Duration)
	for {
		left := max(int(time.Until(until)/tick), perCut*(r.Cuts-r.proxy.Cuts()))
		first, lines, over := r.agent.take(left, r.ledger.room())
		if err := pub.publish(ctx, first, lines); err != nil {
			return err
		}
		if over && r.agent.count() == 0 {
			return errors.Join(errNothing, <-failed)
		}
		if over {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errNothing = errors.New("the program wrote nothing, so nothing was sent")

// arrive waits until everything has come, and a little longer for what should not.
func (r *run) arrive(ctx context.Context, ended <-chan error) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !r.ledger.reachedEnd() {
		select {
		case <-ticker.C:
		case err := <-ended:
			return fmt.Errorf("the client ended: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	sleep(ctx, stillness)
	return nil
}

// report writes the line of progress.
func (r *run) report(ctx context.Context) {
	for sleep(ctx, r.screen.every) {
		sent, received := r.ledger.progress()
		r.screen.progress("%6s  sent %d  received %d  duplicates dropped %d  cuts %d  %v",
			r.since(), sent, received, r.client.Stats().Duplicates, r.proxy.Cuts(), r.client.State())
	}
}

// verdict says what the run came to, and returns the exit status. failed is why it could not be played to its end.
func (r *run) verdict(failed error) int {
	if r.client == nil {
		r.screen.say("FAILED after %s: %v", r.since(), failed)
		return 1
	}
	c, s, cuts := r.ledger.counts(), r.client.Stats(), r.proxy.Cuts()
	order := "ok"
	if c.disordered > 0 {
		order = fmt.Sprintf("broken %d times", c.disordered)
	}
	r.agent.mu.Lock()
	ran := strings.Join(r.agent.ran, "; ")
	r.agent.mu.Unlock()
	r.screen.say("agent: %s", ran)
	r.screen.say("sent %d, received %d, missing %d, doubled %d, altered %d; order %s", c.sent, c.received, c.missing, c.doubled, c.corrupt+c.foreign, order)
	r.screen.say("cuts survived %d, attaches %d, duplicates dropped %d, resets %d, acked up to %d", cuts, s.Attaches, s.Duplicates, s.Resets, s.Acked)
	switch {
	case failed != nil:
		r.screen.say("FAILED in %s (seed %d): %v", r.since(), r.Seed, failed)
		return 1
	case !c.faultless():
		r.screen.say("FAILED in %s (seed %d): %s", r.since(), r.Seed, cmp.Or(c.bad, "not every line arrived"))
		return 1
	case cuts < r.Cuts:
		r.screen.say("FAILED in %s (seed %d): only %d of %d cuts came about", r.since(), r.Seed, cuts, r.Cuts)
		return 1
	}
	r.screen.say("OK in %s: every line arrived once and in order", r.since())
	return 0
}
