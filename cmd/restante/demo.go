package main

import (
	"errors"
	"time"

	"github.com/restante/restante/cmd/restante/demo"
)

// leastKills is how often --kill kills the broker at least.
const leastKills = 5

// demoCmd shows a real stream arrive whole through a connection that is cut again and again.
type demoCmd struct {
	Seed     uint64   `help:"Seed of the proxy's choices, to repeat a run; 0 draws one."`
	Duration duration `default:"25s" help:"How long the agent's output is paced over, 1s to 40s."`
	Cuts     int      `default:"20" help:"How many cuts there must be, 1 to 100, with --kill to 50; where they need longer than --duration, about 0.3 s each, so does the demo."`
	Kill     bool     `help:"Kill the broker's process as well, at least five times, and start it again on the same folder."`
	Command  []string `arg:"" optional:"" help:"The agent, after --: any command that prints lines. By default go list and go vet, or ls where there is no Go."`
}

// Help is shown below the flags.
func (demoCmd) Help() string {
	return "A broker is started as a process of its own, and a real program as the agent, whose lines are published to a client. The client reads through " +
		"a proxy that cuts, stalls and half-closes its connection; with --kill the broker's process is killed again and again as well, with whatever it is doing. " +
		"Its outboxes are in a temporary folder. The exit status is 0 if each line arrived once, in order and unchanged; " +
		"it ends within 45 s of the start."
}

// Run plays the demo to its end, or to the first signal.
func (c *demoCmd) Run(p *process) error {
	if c.Duration == 0 || c.Cuts < 1 {
		return usageError{errors.New("a demo needs a --duration, and at least one of --cuts")}
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	o := demo.Options{Seed: c.Seed, Duration: time.Duration(c.Duration), Cuts: c.Cuts, Command: c.Command, Out: p.out}
	if c.Kill {
		o.Kills = leastKills
	}
	code := demo.Run(ctx, o)
	if code == exitOK {
		return nil
	}
	return interrupted(ctx, status(code))
}
