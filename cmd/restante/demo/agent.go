package demo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// maxLines is how much of a program's output is taken.
	maxLines = 20000
	// maxLineBytes is where a longer line is split.
	maxLineBytes = 8 << 10
	// enough is how many lines the default programs are to give: below it, the next of them is run too.
	enough = 500
)

// step is one program that the agent runs, and how many of its lines are taken.
type step struct {
	args  []string
	lines int
	// spare is for a program that is only run if there is not enough from the others.
	spare bool
}

// plan says what the agent runs: command, or what can be expected to be there.
func plan(ctx context.Context, command []string) []step {
	if len(command) > 0 {
		return []step{{args: command, lines: maxLines}}
	}
	walk := step{args: []string{"ls", "-lR", "/usr/share"}, lines: maxLines, spare: true}
	if _, err := exec.LookPath("go"); err != nil {
		return []step{walk}
	}
	std := step{args: []string{"go", "list", "-deps", "-json", "std"}, lines: maxLines, spare: true}
	mod := exec.CommandContext(ctx, "go", "env", "GOMOD")
	mod.Env = agentEnv()
	out, err := mod.Output()
	if name := strings.TrimSpace(string(out)); err != nil || name == "" || name == os.DevNull {
		return []step{std, walk}
	}
	return []step{
		{args: []string{"go", "list", "-deps", "-json", "./..."}, lines: maxLines * 9 / 10},
		{args: []string{"go", "vet", "-json", "./..."}, lines: maxLines},
		std, walk,
	}
}

// agentEnv keeps the go command from the network: the demo is about this machine.
func agentEnv() []string {
	return append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local")
}

// agent runs programs one after the other and keeps their output lines until they are taken.
type agent struct {
	mu    sync.Mutex
	lines []string
	taken int
	// credit is the part of a line that calls of take have left over.
	credit float64
	// ran names the programs that were run.
	ran  []string
	over bool
}

// run runs the steps until ctx ends. Output of both kinds counts, and how a program ends does not: it is an agent, and may fail.
func (a *agent) run(ctx context.Context, steps []step) error {
	defer func() {
		a.mu.Lock()
		a.over = true
		a.mu.Unlock()
	}()
	var failed error
	for _, s := range steps {
		have := a.count()
		if ctx.Err() != nil || have >= maxLines || s.spare && have >= enough {
			break
		}
		a.mu.Lock()
		a.ran = append(a.ran, strings.Join(s.args, " "))
		a.mu.Unlock()
		if err := a.one(ctx, s); err != nil && failed == nil {
			failed = err
		}
	}
	if a.count() > 0 {
		return nil
	}
	return failed
}

func (a *agent) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.lines)
}

// one runs one program and takes up to as many lines as the step allows; what comes after is not waited for.
func (a *agent) one(ctx context.Context, s step) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Env = agentEnv()
	cmd.WaitDelay = time.Second
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return err
	}
	var reaped sync.WaitGroup
	reaped.Go(func() { w.CloseWithError(errors.Join(io.EOF, cmd.Wait())) })
	in := bufio.NewReaderSize(r, maxLineBytes)
	for range s.lines {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && !a.add(line) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	stop()
	r.Close()
	reaped.Wait()
	return nil
}

// add keeps a line; false: there are enough.
func (a *agent) add(line []byte) bool {
	text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\uFFFD")
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lines) >= maxLines {
		return false
	}
	a.lines = append(a.lines, text)
	return true
}

// take returns the lines that are due when ticks more calls will come, but no more than most, and the number of the first, from 1.
// over says that there will be no more.
func (a *agent) take(ticks, most int) (first int, lines []string, over bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := len(a.lines) - a.taken
	a.credit += float64(left) / float64(max(ticks, 1))
	n := int(a.credit)
	a.credit -= float64(n)
	if ticks <= 1 {
		n = left
	}
	n = max(0, min(n, left, most))
	first = a.taken + 1
	lines = a.lines[a.taken : a.taken+n : a.taken+n]
	a.taken += n
	return first, lines, a.over && a.taken == len(a.lines)
}
