package demo

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

// brokerProcess is the broker as a child process: this same binary, told to serve.
type brokerProcess struct {
	cmd  *exec.Cmd
	url  string
	addr string
	log  strings.Builder
}

// startBroker starts it on a free port and waits for its first line, the URL.
func startBroker(ctx context.Context, path string) (*brokerProcess, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("cannot find the broker's own binary: %w", err)
		}
		path = self
	}
	b := &brokerProcess{cmd: exec.CommandContext(ctx, path, "serve", "--listen", "127.0.0.1:0", "--memory", "--log-level", "warn")}
	b.cmd.Env = withoutOwn(os.Environ())
	b.cmd.Stderr = &b.log
	b.cmd.Cancel = func() error { return b.cmd.Process.Signal(os.Interrupt) }
	b.cmd.WaitDelay = 2 * time.Second
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("the broker cannot be started: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the broker cannot be started: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the broker did not say where it listens: %w\n%s", err, b.log.String())
	}
	b.url = strings.TrimSpace(line)
	u, err := url.Parse(b.url)
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the broker's first line is no URL: %q", b.url)
	}
	b.addr = u.Host
	return b, nil
}

// stop ends the process and waits for it.
func (b *brokerProcess) stop() {
	_ = b.cmd.Process.Kill() // it fails only if the process has ended
	_ = b.cmd.Wait()
}

// withoutOwn drops the settings that are meant for the command that runs the demo.
func withoutOwn(env []string) []string {
	kept := env[:0]
	for _, e := range env {
		if !strings.HasPrefix(e, "RESTANTE_") {
			kept = append(kept, e)
		}
	}
	return kept
}
