package tests

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait for an event. It is long, since many processes share the machine; no test counts on it.
const patience = 30 * time.Second

// server is one `restante serve` process.
type server struct {
	*endpoint
	cmd    *exec.Cmd
	stderr *logBuffer
	first  chan string   // the first line of standard output, "" where it ended without
	exited chan struct{} // closed after Wait has returned
}

// serve starts the race binary with flags, and ends it with the test. The test fails where the process reports a data
// race or a panic, or ends by itself.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	return start(t, raceBinary(), nil, flags...)
}

// start is serve for any of the binaries, with further environment.
func start(t *testing.T, binary string, env []string, flags ...string) *server {
	t.Helper()
	s := launch(t, binary, env, append([]string{"--listen", "127.0.0.1:0", "--memory"}, flags...)...)
	t.Cleanup(func() { s.end(t) })
	s.ready()
	return s
}

// launch starts a `serve` process that its caller ends; ready waits until it serves.
func launch(t *testing.T, binary string, env []string, flags ...string) *server {
	t.Helper()
	s := &server{endpoint: &endpoint{t: t}, stderr: &logBuffer{}, first: make(chan string, 1), exited: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"serve"}, flags...)...)
	s.cmd.Env = append(cleanEnv(), env...)
	s.cmd.Stderr, s.cmd.SysProcAttr = s.stderr, dieWithUs()
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.exited)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		s.first <- line
		_, _ = io.Copy(io.Discard, r)
		_ = s.cmd.Wait() // what it came to is in ProcessState
	}()
	return s
}

// ready waits until the process says where it serves.
func (s *server) ready() {
	s.t.Helper()
	select {
	case line := <-s.first:
		s.url = strings.TrimSpace(line)
		require.True(s.t, strings.HasPrefix(s.url, "http://127.0.0.1:"), "the first line on standard output is the URL: %q\n%s", line, s.stderr)
	case <-time.After(patience):
		require.FailNow(s.t, "the server does not start", "%s", s.stderr)
	}
}

func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "RESTANTE_") {
			env = append(env, kv)
		}
	}
	return env
}

// end kills the process where it still runs, and looks at what it wrote.
func (s *server) end(t *testing.T) {
	select {
	case <-s.exited:
	default:
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	log := s.stderr.String()
	for _, bad := range []string{"DATA RACE", "panic"} {
		if strings.Contains(log, bad) {
			t.Errorf("the server's standard error holds %q", bad)
		}
	}
	if t.Failed() {
		if len(log) > 16<<10 {
			log = log[:8<<10] + "\n…\n" + log[len(log)-8<<10:]
		}
		t.Logf("standard error of %v:\n%s", s.cmd.Args, log)
	}
}

// kill ends the process without a word, as a power cut does.
func (s *server) kill() {
	require.NoError(s.t, s.cmd.Process.Kill())
	<-s.exited
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// waitExit waits until the process has ended, and returns its status.
func (s *server) waitExit(within time.Duration) int {
	s.t.Helper()
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		require.FailNow(s.t, "the server does not end", "within %s\n%s", within, s.stderr)
		return -1
	}
}

// running fails the test where the process has ended.
func (s *server) running() {
	s.t.Helper()
	select {
	case <-s.exited:
		require.FailNow(s.t, "the server ended by itself", "%s", s.cmd.ProcessState)
	default:
	}
}

// logBuffer keeps what a process writes. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
