package main

import (
	"errors"
	"time"

	"github.com/restante/restante/cmd/restante/demo"
	"github.com/restante/restante/cmd/restante/demo/ui"
)

// leastKills is how often --kill kills the broker at least.
const leastKills = 5

// demoCmd shows a real stream arrive whole through a connection that is cut again and again.
type demoCmd struct {
	Seed     uint64   `help:"Seed of the proxy's choices, to repeat a run; 0 draws one."`
	Duration duration `default:"25s" help:"How long the agent's output is paced over, 1s to 40s."`
	Cuts     int      `default:"20" help:"How many cuts there must be, 1 to 100, with --kill to 50; where they need longer than --duration, about 0.3 s each, so does the demo."`
	Kill     bool     `help:"Kill the broker's process as well, at least five times, and start it again on the same folder."`
	UI       bool     `name:"ui" help:"Show it in a browser instead: a session with an agent on two devices, whose networks and broker can be broken by hand."`
	Listen   string   `placeholder:"ADDRESS" env:"RESTANTE_DEMO_LISTEN" help:"With --ui: the loopback address of the page, by default 127.0.0.1:7490, or another port where that is taken."`
	Dir      string   `default:"." help:"With --ui: the folder that the agent works in: it reads there, and runs its tests if it is allowed to."`
	Command  []string `arg:"" optional:"" help:"The agent, after --: any command that prints lines. By default go list and go vet, or ls where there is no Go."`
}

// Help is shown below the flags.
func (demoCmd) Help() string {
	return "A broker is started as a process of its own, and a real program as the agent, whose lines are published to a client. The client reads through " +
		"a proxy that cuts, stalls and half-closes its connection; with --kill the broker's process is killed again and again as well, with whatever it is doing. " +
		"Its outboxes are in a temporary folder. The exit status is 0 if each line arrived once, in order and unchanged; " +
		"it ends within 45 s of the start. " +
		"With --ui there is a page instead, whose URL is the first line on standard output. It is for this machine alone, and the URL holds the key to it; it runs until a signal ends it."
}

// Run plays the demo to its end, or to the first signal.
func (c *demoCmd) Run(p *process) error {
	if c.UI {
		return c.show(p)
	}
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

// show runs the page until the first signal, which is its orderly end.
func (c *demoCmd) show(p *process) error {
	if len(c.Command) > 0 || c.Kill {
		return usageError{errors.New("--ui has an agent of its own and kills the broker at the press of a button: leave out --kill and the command")}
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	err := ui.Run(ctx, ui.Options{Listen: c.Listen, Dir: c.Dir, Out: p.out, Log: p.err})
	var usage ui.UsageError
	if errors.As(err, &usage) {
		return usageError{usage}
	}
	return err
}
