package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/restante/restante/bench"
)

// benchCmd loads a broker that runs elsewhere.
type benchCmd struct {
	Run       benchRunCmd       `cmd:"" help:"Run a profile against a server that is started for it, and print what it costs."`
	Stand     benchStandCmd     `cmd:"" help:"Be the server under load of restante bench run, or of the comparison in tests/peers."`
	Followers benchFollowersCmd `cmd:"" help:"Many clients follow one topic; some lose their connection all the time."`
}

// benchFollowersCmd is bench.Followers.
type benchFollowersCmd struct {
	URL          string   `name:"url" default:"http://127.0.0.1:7480" help:"The broker's base URL, http:// only."`
	Topic        string   `default:"bench" help:"The topic that is published to. It has to be new."`
	Clients      count    `default:"10000" help:"How many clients follow it; each takes a file descriptor here and in the broker."`
	Rate         count    `default:"10" help:"Frames a second."`
	Duration     duration `default:"60s" help:"How long frames are published."`
	FrameBytes   size     `default:"256" help:"Length of a frame."`
	Reconnecting count    `default:"10" help:"One in so many clients loses its connection again and again; off: none does."`
	Every        duration `default:"2s" help:"How long such a connection lasts, on average."`
	Settle       duration `default:"60s" help:"How long the clients get at the end for what is left."`
}

// Run prints the report as JSON. It fails where a frame was lost or came twice.
func (c *benchFollowersCmd) Run(p *process, log *slog.Logger) error {
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	r, err := bench.Followers{
		URL: c.URL, Topic: c.Topic, Clients: int(c.Clients), Rate: int(c.Rate), Duration: time.Duration(c.Duration), FrameBytes: int(c.FrameBytes),
		Reconnecting: max(int(c.Reconnecting), 0), Every: time.Duration(c.Every), Settle: time.Duration(c.Settle),
		Say: func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) },
	}.Run(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return err
	}
	if r.Lost+r.Doubled+r.Holes > 0 || len(r.Errors) > 0 {
		return status(exitFailed)
	}
	return nil
}
