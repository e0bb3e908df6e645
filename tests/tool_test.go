package tests

import (
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tool is one run of the program besides serve.
type tool struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *logBuffer
	exited         chan struct{}
}

// runTool starts the race binary with args, against e where that is not nil.
func runTool(t *testing.T, e *endpoint, args ...string) *tool {
	t.Helper()
	return runBinary(t, raceBinary(), e, args...)
}

// runBinary is runTool for any of the binaries.
func runBinary(t *testing.T, binary string, e *endpoint, args ...string) *tool {
	t.Helper()
	if e == nil {
		return runWith(t, binary, nil, args...)
	}
	return runWith(t, binary, []string{"RESTANTE_URL=" + e.url}, args...)
}

// runWith is runBinary with further environment.
func runWith(t *testing.T, binary string, env []string, args ...string) *tool {
	t.Helper()
	c := &tool{t: t, stdout: &logBuffer{}, stderr: &logBuffer{}, exited: make(chan struct{})}
	c.cmd = exec.Command(binary, args...)
	c.cmd.Env = append(cleanEnv(), env...)
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = c.stdout, c.stderr, dieWithUs()
	var err error
	c.stdin, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait() // what it came to is in ProcessState
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
		require.NotContains(t, c.stderr.String(), "DATA RACE")
		require.NotContains(t, c.stderr.String(), "panic")
	})
	return c
}

// feed writes to its standard input.
func (c *tool) feed(s string) {
	c.t.Helper()
	_, err := io.WriteString(c.stdin, s)
	require.NoError(c.t, err)
}

// done closes its standard input and returns its exit status.
func (c *tool) done() int {
	c.t.Helper()
	_ = c.stdin.Close()
	return c.wait()
}

func (c *tool) wait() int {
	c.t.Helper()
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.FailNow(c.t, "it does not end", "%v\n%s\n%s", c.cmd.Args, c.stdout, c.stderr)
		return -1
	}
}

// says waits until its output holds s.
func (c *tool) says(out *logBuffer, s string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return strings.Contains(out.String(), s) }, patience, pollEvery, "it never says %q", s)
}

func (c *tool) signal(sig syscall.Signal) {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(sig))
}
