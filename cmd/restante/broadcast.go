package main

// broadcastCmd publishes to every client (P-32).
type broadcastCmd struct {
	API    apiFlags `embed:""`
	Frames []string `arg:"" optional:"" name:"frame" help:"Frames to publish instead of standard input's lines."`

	Publish publishFlags `embed:""`
}

// Help is shown below the flags.
func (broadcastCmd) Help() string {
	return "Each argument, or without one each line of standard input, is one frame" + publishHelp +
		" Clients that are away get it when they come back."
}

// Run publishes until the input ends.
func (c *broadcastCmd) Run(p *process) error {
	a, err := c.API.open()
	if err != nil {
		return err
	}
	return c.Publish.run(p, a, target{name: "every client", path: "/v1/broadcast"}, newWindow(0, 0), c.Frames)
}
