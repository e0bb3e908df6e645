// Package demo shows what the broker is for: a real program's output reaches a reader exactly once and in order, while the
// reader's connection is cut again and again. Broker, agent and reader are real; only the bad network is made.
package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/restante/restante/client"
)

// Options say how to run the demo. The zero value is the demo as the README has it.
type Options struct {
	// Seed makes the proxy's choices repeatable; 0 draws one, which is shown.
	Seed uint64
	// Duration is how long the agent's output is paced over: 15 to 40 s, 24 s for 0.
	Duration time.Duration
	// Command is the agent and its arguments; empty for the default (see agent.go).
	Command []string
	// Broker is the binary to start with "serve"; "" for the running one.
	Broker string
	// Out takes the report (os.Stdout for nil). Live says that it is a terminal, whose last line may be rewritten.
	Out  io.Writer
	Live bool
}

const (
	clientID = "tab-1"
	// minDuration and maxDuration bound Options.Duration; catchUp is what a reader gets at the end to receive the rest. Together they
	// stay below the 45 s in which the demo ends.
	minDuration, maxDuration, defaultDuration = 15 * time.Second, 35 * time.Second, 24 * time.Second
	catchUp                                   = 8 * time.Second
)

// Run runs the demo and returns the exit status: 0 if every line that was sent was received once, in order and unchanged; 1
// if not, or if nothing was sent; 2 if the demo could not run. It ends within 45 s, or soon after ctx, and leaves no process behind.
func Run(ctx context.Context, o Options) int {
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000) + 1
	}
	if o.Duration == 0 {
		o.Duration = defaultDuration
	}
	o.Duration = min(max(o.Duration, minDuration), maxDuration)
	v, err := play(ctx, o)
	if err != nil {
		fmt.Fprintf(o.Out, "restante demo: %s\n", err)
		return 2
	}
	v.print(o.Out)
	if !v.ok() {
		return 1
	}
	return 0
}

// play sets the scene, lets the agent talk, and returns what came of it.
func play(ctx context.Context, o Options) (*verdict, error) {
	began := time.Now()
	ctx, stop := context.WithTimeout(ctx, maxDuration+catchUp)
	defer stop()
	b, err := startBroker(ctx, o.Broker)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	agent, err := startAgent(ctx, o.Command)
	if err != nil {
		return nil, err
	}
	defer agent.stop()
	p, err := newProxy(b.addr, o.Seed)
	if err != nil {
		return nil, err
	}
	defer p.Close()

	v := newVerdict(p)
	c, err := client.New(client.Config{
		URL: "http://" + p.Addr(), ClientID: clientID, Handler: v.receive, OnReset: v.reset, OnResume: v.resumed,
		// A person would wait longer; the demo has to be over in half a minute.
		Backoff: client.Backoff{Min: 50 * time.Millisecond, Max: 250 * time.Millisecond},
	})
	if err != nil {
		return nil, err
	}
	v.stats = c.Stats
	running := make(chan error, 1)
	go func() { running <- c.Run(ctx) }()

	fmt.Fprintf(o.Out, "broker  %s, a process of its own\nagent   %s\nreader  %s, through a proxy that cuts, stalls and half-closes (seed %d)\n\n",
		b.url, agent.name, clientID, o.Seed)
	show := newProgress(o.Out, o.Live, v)
	defer show.stop()
	p.Start()
	sendErr := publish(ctx, b.url, agent, o.Duration, v)
	p.Calm()
	v.await(ctx, catchUp)
	v.calm(ctx, b.url) // a last live frame over the connection that survived
	show.stop()
	v.took = time.Since(began)
	stop()
	if err := <-running; sendErr == nil && err != nil && ctx.Err() == nil {
		sendErr = err
	}
	v.agent, v.err = agent.end(), sendErr
	return v, nil
}
