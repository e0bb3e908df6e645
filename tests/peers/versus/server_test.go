package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/bench"
)

// ended is a server whose process has run a line of shell.
func ended(t *testing.T, line string) *server {
	t.Helper()
	s := &server{cmd: exec.Command("sh", "-c", line), ended: make(chan struct{})}
	_ = s.cmd.Run()
	close(s.ended)
	return s
}

// TestHowAServerEnds tells one that has crashed, which is a result, from one that was ended by somebody else.
func TestHowAServerEnds(t *testing.T) {
	for _, line := range []string{"exit 2", "kill -SEGV $$"} {
		r, err := ended(t, line).account(bench.Result{Failed: "EOF"}, nil)
		if err != nil || !strings.HasPrefix(r.Failed, "EOF; the server has ended: ") {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	for _, line := range []string{"exit 0", "kill -TERM $$"} {
		if _, err := ended(t, line).account(bench.Result{Failed: "EOF"}, nil); err == nil {
			t.Errorf("%s is a result", line)
		}
	}
	alive := &server{ended: make(chan struct{})}
	if r, err := alive.account(bench.Result{Failed: "EOF"}, nil); err != nil || r.Failed != "EOF" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestServersAreStartedAndStopped has one that never becomes ready because it has ended, and one that does not end before it is told to.
func TestServersAreStartedAndStopped(t *testing.T) {
	c := contestant{name: "gone", program: "false"}
	if _, err := launch(t.Context(), c, "/bin", t.TempDir()); err == nil || !strings.Contains(err.Error(), "has ended before it was ready: exit status 1") {
		t.Errorf("%v", err)
	}
	cmd := exec.Command("sleep", "1000")
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	s.stop()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("it has ended by %v", cmd.ProcessState)
	}
}
