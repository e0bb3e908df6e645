package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/restante/restante/protocol"
)

// sweepTimeout bounds a sweep: it takes seconds for a million clients.
const sweepTimeout = 5 * time.Minute

// sweepCmd asks for a sweep of the janitor and waits for its report.
type sweepCmd struct {
	API apiFlags `embed:""`
}

// Run prints the report as one line of JSON.
func (c *sweepCmd) Run(p *process) error {
	a, err := c.API.open()
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	var report protocol.Sweep
	if err := a.call(ctx, call{method: http.MethodPost, path: "/v1/janitor/sweep", timeout: sweepTimeout}, &report); err != nil {
		return interrupted(ctx, err)
	}
	return json.NewEncoder(p.out).Encode(report)
}
