package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// lingerTime is how long a command's output is waited for when it has ended and something that it started still holds it.
const lingerTime = 2 * time.Second

// errNoGo is where there is no go command.
var errNoGo = errors.New("there is no go command on this machine")

// shop is what commands are run with.
type shop struct {
	folder *folder
	// temp is a folder for what commands leave behind when they are killed.
	temp string
	// path finds a program; exec.LookPath, but in tests.
	path func(name string) (string, error)
}

// run runs the program name in the folder until it ends or ctx does, with all that it has started. exit is -1 where it did not end by itself. An error says that it could not be
// run at all; how it ended is in exit.
func (s *shop) run(ctx context.Context, out, errOut io.Writer, name string, args ...string) (exit int, err error) {
	path, err := s.path(name)
	if err != nil {
		if name == "go" {
			return -1, errNoGo
		}
		return -1, fmt.Errorf("%s cannot be found", name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = s.folder.path, s.env()
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.WaitDelay = lingerTime
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("%s cannot be started: %w", name, err)
	}
	err = cmd.Wait()
	_ = endGroup(cmd) // mostly there is nobody left in it
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) && !errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return -1, fmt.Errorf("the output of %s could not be read: %w", name, err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// env keeps this program's settings from commands, and the go command from the network: the demo is about this machine.
func (s *shop) env() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "RESTANTE_") {
			env = append(env, kv)
		}
	}
	return append(env, "GOPROXY=off", "GOTOOLCHAIN=local", "TMPDIR="+s.temp, "GOTMPDIR="+s.temp, "NO_COLOR=1")
}

// packages is how many packages pattern stands for; 0 where that cannot be told.
func (s *shop) packages(ctx context.Context, pattern string) int {
	var names lines
	if exit, err := s.run(ctx, &names, io.Discard, "go", "list", pattern); err != nil || exit != 0 {
		return 0
	}
	return int(names)
}

// lines counts the lines that are written to it.
type lines int

// Write never fails.
func (l *lines) Write(p []byte) (int, error) {
	*l += lines(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// verdicts counts the packages that "go test" has said a last word about, and passes its lines on.
type verdicts struct {
	to   io.Writer
	line []byte
	seen func(pkg string)
}

// Write passes p on, and looks at the lines that end in it.
func (v *verdicts) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != '\n' {
			if len(v.line) < 512 { // a verdict is at the beginning of a line
				v.line = append(v.line, b)
			}
			continue
		}
		if pkg, ok := verdict(string(v.line)); ok {
			v.seen(pkg)
		}
		v.line = v.line[:0]
	}
	return v.to.Write(p)
}

// verdict reads a line like "ok  \texample.com/a\t0.01s", "FAIL\texample.com/a [build failed]", or "?   \texample.com/a\t[no test files]".
func verdict(line string) (pkg string, ok bool) {
	word, rest, ok := strings.Cut(line, "\t")
	if !ok {
		return "", false
	}
	switch strings.TrimRight(word, " ") {
	case "ok", "FAIL", "?":
	default:
		return "", false
	}
	pkg, _, _ = strings.Cut(rest, "\t")
	pkg, _, _ = strings.Cut(pkg, " ")
	return pkg, pkg != ""
}
