package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// defaultListen is where the page is where nothing else is said and nobody else is there.
const defaultListen = "127.0.0.1:7490"

// Options say how the demo runs. Zero means the documented default.
type Options struct {
	// Listen is the loopback address of the page; "" is 127.0.0.1:7490, or another port where that is taken.
	Listen string
	// Dir (".") is the folder that the agent works in.
	Dir string
	// Executable is the restante binary that runs the broker ("": this one).
	Executable string
	// Out (standard output) takes the URL and a line about it; Log (standard error) what the broker and the demo have to complain about.
	Out, Log io.Writer

	// tunnel (30 s) is how long a tunnel is, pace how long the agent takes for a word. Tests are shorter.
	tunnel, pace time.Duration
}

func (o Options) filled() (Options, error) {
	if o.Dir == "" {
		o.Dir = "."
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	if o.tunnel == 0 {
		o.tunnel = tunnelTime
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

// UsageError is a mistake in the Options, in a sentence with what to do.
type UsageError struct{ err error }

func (e UsageError) Error() string { return e.err.Error() }

// listen opens the page's listener.
func (o Options) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	if o.Listen == "" {
		ln, err := lc.Listen(ctx, "tcp", defaultListen)
		if err == nil {
			return ln, nil
		}
		return lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, UsageError{fmt.Errorf("--listen: %q is no address; give one like %s", o.Listen, defaultListen)}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, UsageError{fmt.Errorf("--listen: %q is no port; give one like 7490, or 0 for any that is free", port)}
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, UsageError{errors.New("--listen: the demo runs commands on this machine, so its page is for this machine alone: give a loopback address such as " + defaultListen)}
	}
	return lc.Listen(ctx, "tcp", o.Listen)
}
