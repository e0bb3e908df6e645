package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	// strikesAKill is how many faults there are for one kill, in the mean.
	strikesAKill = (int(faults) + killShare) / killShare
	// stillness is how long the end is watched for frames that should not come.
	stillness = 300 * time.Millisecond
)

// Run runs the demo and returns the exit status: 0 if every line arrived once, in order and unchanged through at least Options.Cuts cuts and Options.Kills kills,
// 1 if not, 2 for Options that make no sense, 130 if ctx ended before. Nothing that it started runs on when it returns.
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
	broker  *lives
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
	dir, err := os.MkdirTemp("", "restante-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r.broker = &lives{path: r.Executable, dir: dir, log: r.screen}
	defer r.broker.stop()
	if r.proxy, err = NewProxy(""); err != nil {
		return err
	}
	defer r.proxy.Close()
	r.broker.moved = r.proxy.Retarget
	if err := r.broker.start(ctx); err != nil {
		return err
	}
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
	r.screen.say("broker %s, proxy %s, seed %d", r.broker.url(), r.proxy.Addr(), r.Seed)

	if err := r.publishAll(working); err != nil {
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

// publishAll runs the agent and publishes its lines, spread over the duration, while proxy and broker are being struck. It goes on, a few lines
// at a time, until there have been enough cuts and kills: frames flow during each of them.
func (r *run) publishAll(ctx context.Context) (err error) {
	steps := plan(ctx, r.Command)
	pub := newPublisher(r.broker.url, clientID, fmt.Sprintf("demo-%d-%d", r.Seed, r.began.UnixNano()), r.ledger)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	working, stop := context.WithTimeout(ctx, r.Duration)
	defer stop()
	failed := make(chan error, 1)
	tasks.Go(func() { failed <- r.agent.run(working, steps) })

	beat := max(r.Duration/time.Duration(4*max(r.Cuts, r.Kills*strikesAKill, 1)), 10*time.Millisecond)
	publishing, calm := r.disturb(ctx, beat)
	defer func() { err = cmp.Or(calm(), err) }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	perStrike := int((2*beat+300*time.Millisecond)/tick) + 1 // ticks that one more takes, as a rule
	until := time.Now().Add(r.Duration)
	for {
		left := max(int(time.Until(until)/tick), perStrike*(r.Cuts-r.proxy.Cuts()), perStrike*strikesAKill*(r.Kills-r.broker.killed()))
		first, lines, over := r.agent.take(left, r.ledger.room())
		if err := pub.publish(publishing, first, lines); err != nil {
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
		case <-publishing.Done():
			return context.Cause(publishing)
		}
	}
}

// disturb strikes proxy and broker until calm is called, or a broker does not come back, which calm returns and which ends the context.
// A kill that is under way then is not broken off: what comes after needs a broker.
func (r *run) disturb(ctx context.Context, beat time.Duration) (lasting context.Context, calm func() error) {
	lasting, giveUp := context.WithCancelCause(ctx)
	striking, stop := context.WithCancel(ctx)
	c := newChaos(r.proxy, r.Seed, r.flowing, beat)
	if r.Kills > 0 {
		c.kill = func() error { return r.kill(ctx) }
	}
	ended := make(chan error, 1)
	go func() {
		err := c.run(striking)
		giveUp(err)
		ended <- err
	}()
	return lasting, func() error {
		stop()
		return <-ended
	}
}

// kill is the one fault that is not the proxy's.
func (r *run) kill(ctx context.Context) error {
	began := time.Now()
	if err := r.broker.kill(ctx); err != nil {
		return err
	}
	r.screen.say("%6s  the broker was killed; %d ms later it serves again, at %s", r.since(), time.Since(began).Milliseconds(), r.broker.url())
	return nil
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
		r.screen.progress("%6s  sent %d  received %d  duplicates dropped %d  cuts %d  kills %d  %v",
			r.since(), sent, received, r.client.Stats().Duplicates, r.proxy.Cuts(), r.broker.killed(), r.client.State())
	}
}

// verdict says what the run came to, and returns the exit status. failed is why it could not be played to its end.
func (r *run) verdict(failed error) int {
	if r.client == nil {
		r.screen.say("FAILED after %s: %v", r.since(), failed)
		return 1
	}
	c, s, cuts, kills := r.ledger.counts(), r.client.Stats(), r.proxy.Cuts(), r.broker.killed()
	order := "ok"
	if c.disordered > 0 {
		order = fmt.Sprintf("broken %d times", c.disordered)
	}
	r.agent.mu.Lock()
	ran := strings.Join(r.agent.ran, "; ")
	r.agent.mu.Unlock()
	r.screen.say("agent: %s", ran)
	r.screen.say("sent %d, received %d, missing %d, doubled %d, altered %d; order %s", c.sent, c.received, c.missing, c.doubled, c.corrupt+c.foreign, order)
	r.screen.say("cuts survived %d, kills of the broker %d, attaches %d, duplicates dropped %d, resets %d, acked up to %d", cuts, kills, s.Attaches, s.Duplicates, s.Resets, s.Acked)
	switch {
	case failed != nil:
		r.screen.say("FAILED in %s (seed %d): %v", r.since(), r.Seed, failed)
		return 1
	case !c.faultless():
		r.screen.say("FAILED in %s (seed %d): %s", r.since(), r.Seed, cmp.Or(c.bad, "not every line arrived"))
		return 1
	case s.Resets > 0:
		r.screen.say("FAILED in %s (seed %d): the client had to start over %d times, so its place was not kept", r.since(), r.Seed, s.Resets)
		return 1
	case cuts < r.Cuts:
		r.screen.say("FAILED in %s (seed %d): only %d of %d cuts came about", r.since(), r.Seed, cuts, r.Cuts)
		return 1
	case kills < r.Kills:
		r.screen.say("FAILED in %s (seed %d): only %d of %d kills came about", r.since(), r.Seed, kills, r.Kills)
		return 1
	}
	r.screen.say("OK in %s: every line arrived once and in order", r.since())
	return 0
}
