package main

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/restante/restante/cmd/restante/demo/ui"
)

// demoDrain is short: those who read are on this machine, or are behind a network that is broken on purpose.
const demoDrain = time.Second

// demoBrokerCmd is the broker of the demo's page, which starts it as a process of its own, to be killed.
type demoBrokerCmd struct {
	Folder      string   `required:"" help:"The demo's folder. It is removed when the broker ends in order: nobody else may be left to do it."`
	AllowOrigin []string `help:"Origins of the page."`
	UntilEOF    bool     `name:"until-stdin-closes" help:"As of serve."`
}

// Run serves until a signal comes or the demo has ended, however it did.
func (c *demoBrokerCmd) Run(p *process, log *slog.Logger) error {
	keys := ui.Keys{Page: os.Getenv(ui.PageKey), Agent: os.Getenv(ui.AgentKey)}
	if keys.Page == "" || keys.Agent == "" {
		return usageError{errors.New("this is a part of restante demo --ui, which starts it")}
	}
	cfg := ui.BrokerConfig(ui.DataDir(c.Folder), keys, c.AllowOrigin)
	cfg.Logger = log
	serve := serveCmd{Listen: "127.0.0.1:0", DrainTime: duration(demoDrain), UntilEOF: c.UntilEOF}
	err := serve.run(p, cfg, log)
	return errors.Join(err, os.RemoveAll(c.Folder))
}
