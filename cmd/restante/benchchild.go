package main

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
	// standStart is how long a stand gets to say its URL, standEnd how long to end by itself before it is killed.
	standStart = 30 * time.Second
	standEnd   = 10 * time.Second
)

// standProcess is a restante bench stand of our own.
type standProcess struct {
	cmd    *exec.Cmd
	held   io.Closer // its standard input: it ends with us, however we end
	dir    string    // to be removed; "" for none
	url    string
	exited chan struct{}
}

// startStand starts this program once more, as the server under load, and returns when it serves. It keeps its outboxes in a new folder below dataDir; "": in memory.
// Its log goes to log.
func startStand(ctx context.Context, dataDir string, log io.Writer) (*standProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &standProcess{exited: make(chan struct{})}
	args := []string{"bench", "stand", "--log-level", "error", "--until-stdin-closes"}
	if dataDir != "" {
		if err := os.MkdirAll(dataDir, 0o755); err != nil {
			return nil, err
		}
		if s.dir, err = os.MkdirTemp(dataDir, "bench-"); err != nil {
			return nil, err
		}
		args = append(args, "--data-dir", s.dir)
	}
	s.cmd = exec.Command(self, args...)
	s.cmd.Stderr, s.cmd.WaitDelay = log, time.Second
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "RESTANTE_") { // those are for the program that we are
			s.cmd.Env = append(s.cmd.Env, e)
		}
	}
	first, err := s.start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server under load cannot be started: %w", err), s.remove())
	}
	timer := time.NewTimer(standStart)
	defer timer.Stop()
	select {
	case s.url = <-first:
		if s.url == "" {
			err = errors.New("the server under load ended before it served")
		}
	case <-timer.C:
		err = errors.New("the server under load did not start in time")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

// start starts the process; the first line that it writes is sent on the channel, "" if it ends without one.
func (s *standProcess) start() (<-chan string, error) {
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.held, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	first := make(chan string, 1)
	go func() {
		defer close(s.exited)
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n') // an end without a line is a server that has not started
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, r)
		_ = s.cmd.Wait() // how it ended is in its state
	}()
	return first, nil
}

// end ends the process and returns when it has been reaped and its folder is gone.
func (s *standProcess) end() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = s.held.Close()
	timer := time.NewTimer(standEnd)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	return s.remove()
}

// remove removes the folder.
func (s *standProcess) remove() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
