package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/restante/restante/bench"
)

const (
	// startTime is what a server has to become ready, stopTime what it has to end in before it is killed.
	startTime = 30 * time.Second
	stopTime  = 10 * time.Second
)

// server is a contestant's process.
type server struct {
	cmd   *exec.Cmd
	url   string
	ended chan struct{}
}

// launch starts a fresh process of c and returns when its clients may connect. Programs and data are directories.
func launch(ctx context.Context, c contestant, programs, data string) (*server, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(programs, data, addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", c.name, err)
	}
	s := &server{cmd: cmd, url: "http://" + addr, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended does not matter: whoever needs it finds it gone
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return s, nil
}

// start starts a server that dies with this process. It has nothing to say on stdout. It runs with Go's own settings, whatever this process was started with.
func start(cmd *exec.Cmd) error {
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS"}, name) || strings.HasPrefix(name, "RESTANTE_")
	})
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Start()
}

// ready waits until the server says that it is.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it is not ready after %s", startTime))
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/bench/ready", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // whether it is ready is in the status
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			return errors.New("it has ended before it was ready: " + s.cmd.ProcessState.String())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// account adds to a run's result what became of the server. One that was ended from outside has not failed: that is an error, and the run is to be done again.
func (s *server) account(r bench.Result, err error) (bench.Result, error) {
	select {
	case <-s.ended:
	default:
		return r, err
	}
	state := s.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); err == nil && ok && (state.Success() || status.Signaled() && status.Signal() == syscall.SIGTERM) {
		err = errors.New("somebody has ended the server while it was under load")
	}
	r.Failed = strings.TrimPrefix(r.Failed+"; the server has ended: "+state.String(), "; ")
	return r, err
}

// stop ends the process and returns when it is gone.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
