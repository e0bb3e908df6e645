package main

import (
	"fmt"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store/pebble"
)

// storeCmd looks into a data directory that no broker has open, and changes nothing in it.
type storeCmd struct {
	Check storeCheckCmd `cmd:"" help:"Read the whole store and say what is not as it has to be."`
	Dump  storeDumpCmd  `cmd:"" help:"Print a client's retained frames, one a line, as they would travel."`
}

// storeCheckCmd checks a store.
type storeCheckCmd struct {
	Dir string `arg:"" help:"The data directory."`
}

// Run says what is there, on standard output, and each problem on standard error.
func (c *storeCheckCmd) Run(p *process) error {
	r, err := pebble.Check(c.Dir)
	if err != nil {
		return err
	}
	end := "was not closed in good order, which is no fault"
	if r.Clean {
		end = "was closed in good order"
	}
	fmt.Fprintf(p.out, "%d clients, %d topics, %d frames, %d records, %d snapshots, %d subscriptions, %d shared bodies; %d bytes counted; generation %d, %s\n",
		r.Totals.Clients, r.Totals.Topics, r.Totals.Frames, r.Records, r.Snapshots, r.Follows, r.Shared, r.Totals.Bytes, r.Generation, end)
	if r.Found == 0 {
		return nil
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(p.err, "restante: %s\n", problem)
	}
	fmt.Fprintf(p.err, "restante: %d problems in %s: restore the directory from a backup, or start with a new one; keep this one if you want the fault to be found\n", r.Found, c.Dir)
	return status(exitFailed)
}

// storeDumpCmd prints one client's frames.
type storeDumpCmd struct {
	Dir    string `arg:"" help:"The data directory."`
	Client string `arg:"" help:"The client_id."`
}

// Run prints the frames on standard output.
func (c *storeDumpCmd) Run(p *process) error {
	if err := protocol.CheckClientID(c.Client); err != nil {
		return usageError{err}
	}
	return pebble.Dump(c.Dir, c.Client, p.out)
}
