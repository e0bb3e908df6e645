package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// startTime is how long the broker gets to say its URL.
	startTime = 10 * time.Second
	// stopTime is how long it gets to end by itself before it is killed.
	stopTime = 2 * time.Second
)

// child is the broker's process.
type child struct {
	cmd *exec.Cmd
	// held is its standard input, on which nothing is written: the system closes it when this process ends, however it does,
	// and the broker ends with it.
	held io.Closer
	url  string
	// exited is closed when the process is reaped and its output read.
	exited chan struct{}
}

// startBroker starts the program at path as a broker that keeps its outboxes in the folder dir, with a port of its own, and returns when it serves.
// Its log goes to log.
func startBroker(ctx context.Context, path, dir string, log io.Writer) (*child, error) {
	cmd := exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--until-stdin-closes")
	cmd.Env = append(withoutOwn(os.Environ()), "RESTANTE_LOG_LEVEL=warn")
	cmd.Stderr = log
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	held, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the broker cannot be started: %w", err)
	}
	c := &child{cmd: cmd, held: held, exited: make(chan struct{})}
	first := make(chan string, 1)
	go func() {
		defer close(c.exited)
		r := bufio.NewReader(out)
		line, err := r.ReadString('\n')
		if err == nil {
			first <- strings.TrimSpace(line)
		}
		close(first)
		_, _ = io.Copy(io.Discard, r)
		_ = cmd.Wait() // how it ended is in its state
	}()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case url, ok := <-first:
		if ok && strings.HasPrefix(url, "http://") {
			c.url = url
			return c, nil
		}
		err = fmt.Errorf("the broker did not say its URL but %q", url)
	case <-timer.C:
		err = errors.New("the broker did not start in time")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.stop()
	return nil, err
}

// stop asks the broker to end, kills it if it does not, and returns when it has been reaped.
func (c *child) stop() {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = c.held.Close() // no SIGTERM on this system
	}
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-c.exited:
		return
	case <-timer.C:
	}
	c.kill()
}

// kill ends the broker's process at once, and returns when it has been reaped.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // an error here means that it has just ended
	<-c.exited
}

// withoutOwn drops the settings of this program from env: they are meant for a broker of the user's.
func withoutOwn(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, e := range env {
		if !strings.HasPrefix(e, "RESTANTE_") {
			kept = append(kept, e)
		}
	}
	return kept
}
