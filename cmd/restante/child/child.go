// Package child starts this program once more as a server of its own: the demo's broker, the server under load of a measurement.
package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// startTime is how long a server gets to say its URL.
	startTime = 30 * time.Second
	// StopTime is how long Stop lets it end by itself before it is killed.
	StopTime = 2 * time.Second
)

// Server is a server's process. Whoever started it stops it; it ends with this process too, however that ends.
type Server struct {
	// URL is where it serves, as the first line of its standard output says.
	URL string

	cmd *exec.Cmd
	// held is its standard input, on which nothing is written: the system closes it when this process ends, however it does,
	// and the server ends with it.
	held io.Closer
	// exited is closed when the process is reaped and its output read.
	exited chan struct{}
}

// Start starts the program at path with args, which have it serve until its standard input closes, and returns when it serves. Its log goes to log. Variables with the
// settings of this program are kept from it: they are meant for a broker of the user's. env are others, as in NAME=value.
func Start(ctx context.Context, path string, log io.Writer, env []string, args ...string) (*Server, error) {
	cmd := exec.Command(path, append(args, "--until-stdin-closes")...)
	cmd.Env = append(withoutOwn(os.Environ()), env...)
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
		return nil, fmt.Errorf("the server cannot be started: %w", err)
	}
	s := &Server{cmd: cmd, held: held, exited: make(chan struct{})}
	first := make(chan string, 1)
	go func() {
		defer close(s.exited)
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
			s.URL = url
			return s, nil
		}
		err = fmt.Errorf("the server did not say its URL but %q", url)
	case <-timer.C:
		err = errors.New("the server did not start in time")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.Stop()
	return nil, err
}

// PID is the process's number.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// State is how the process has ended. It is there once Stop or Kill has returned; nil before that.
func (s *Server) State() *os.ProcessState {
	select {
	case <-s.exited:
		return s.cmd.ProcessState
	default:
		return nil
	}
}

// Exited is closed when the process has ended, whoever ended it, and has been reaped.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop asks the server to end, kills it if it does not within StopTime, and returns when it has been reaped. It may be called more than once.
func (s *Server) Stop() {
	// No signal: where the user's Ctrl-C has reached it too, that would be the second one, which ends a server at once.
	_ = s.held.Close()
	timer := time.NewTimer(StopTime)
	defer timer.Stop()
	select {
	case <-s.exited:
		return
	case <-timer.C:
	}
	s.Kill()
}

// Kill ends the process at once, and returns when it has been reaped.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // an error here means that it has just ended
	<-s.exited
}

// withoutOwn drops the settings of this program from env.
func withoutOwn(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, e := range env {
		if !strings.HasPrefix(e, "RESTANTE_") {
			kept = append(kept, e)
		}
	}
	return kept
}
