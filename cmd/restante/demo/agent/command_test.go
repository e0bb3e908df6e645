package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newShop(t *testing.T, files map[string]string) *shop {
	return &shop{folder: tree(t, files), temp: t.TempDir(), path: exec.LookPath}
}

// canary is a named pipe. Whoever holds its other end says so by a line, and that he is dead by its end.
type canary struct {
	t    *testing.T
	path string
	r    *bufio.Reader
}

func newCanary(t *testing.T) *canary {
	path := filepath.Join(t.TempDir(), "canary")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return &canary{t: t, path: path}
}

// sings waits until somebody has the other end.
func (c *canary) sings() {
	c.t.Helper()
	f, err := os.Open(c.path) // waits for a writer
	require.NoError(c.t, err)
	c.t.Cleanup(func() { f.Close() })
	require.NoError(c.t, f.SetReadDeadline(time.Now().Add(patience)))
	c.r = bufio.NewReader(f)
	line, err := c.r.ReadString('\n')
	require.NoError(c.t, err)
	require.Equal(c.t, "alive\n", line)
}

// dies waits until nobody has it any more.
func (c *canary) dies() {
	c.t.Helper()
	_, err := c.r.ReadByte()
	require.ErrorIs(c.t, err, io.EOF)
}

func TestShop_RunsInTheFolderWithoutOurSettings(t *testing.T) {
	t.Setenv("RESTANTE_SECRET", "x")
	s := newShop(t, nil)
	var out, errOut bytes.Buffer
	exit, err := s.run(t.Context(), &out, &errOut, "sh", "-c", `pwd; echo "$RESTANTE_SECRET.$GOPROXY.$TMPDIR"; echo bad >&2; cat; exit 3`)
	require.NoError(t, err)
	require.Equal(t, 3, exit)
	require.Equal(t, s.folder.path+"\n.off."+s.temp+"\n", out.String())
	require.Equal(t, "bad\n", errOut.String())
}

func TestShop_SaysWhatIsNotThere(t *testing.T) {
	s := newShop(t, nil)
	s.path = func(string) (string, error) { return "", exec.ErrNotFound }
	exit, err := s.run(t.Context(), io.Discard, io.Discard, "go", "vet")
	require.ErrorIs(t, err, errNoGo)
	require.Equal(t, -1, exit)
	_, err = s.run(t.Context(), io.Discard, io.Discard, "something")
	require.ErrorContains(t, err, "something cannot be found")
	s.path = func(string) (string, error) { return s.folder.path, nil }
	_, err = s.run(t.Context(), io.Discard, io.Discard, "go", "vet")
	require.ErrorContains(t, err, "cannot be started")
}

func TestShop_TheEndOfItsTimeTakesTheWholeGroup(t *testing.T) {
	s, c := newShop(t, nil), newCanary(t)
	ctx, stop := context.WithCancel(t.Context())
	exited := make(chan int, 1)
	go func() {
		exit, _ := s.run(ctx, io.Discard, io.Discard, "sh", "-c", `(trap "" TERM INT HUP; echo alive; exec sleep 1000) >"$1" & wait`, "sh", c.path)
		exited <- exit
	}()
	c.sings()
	stop()
	c.dies()
	require.Equal(t, -1, <-exited)
}

func TestShop_WhatACommandLeavesBehindEndsWithIt(t *testing.T) {
	s, c := newShop(t, nil), newCanary(t)
	exited := make(chan int, 1)
	goOn := filepath.Join(t.TempDir(), "go-on")
	require.NoError(t, syscall.Mkfifo(goOn, 0o600))
	go func() {
		exit, _ := s.run(t.Context(), io.Discard, io.Discard, "sh", "-c", `(echo alive; exec sleep 1000) >"$1" 2>&1 & read x <"$2"; exit 0`, "sh", c.path, goOn)
		exited <- exit
	}()
	c.sings()
	require.NoError(t, os.WriteFile(goOn, []byte("x\n"), 0o600))
	require.Zero(t, <-exited)
	c.dies()
}

func TestShop_CountsPackages(t *testing.T) {
	s := newShop(t, map[string]string{"go.mod": "module example.com/d\n\ngo 1.26\n", "a/a.go": "package a", "a/b/b.go": "package b"})
	require.Equal(t, 2, s.packages(t.Context(), "./..."))
	require.Equal(t, 1, s.packages(t.Context(), "./a"))
	require.Zero(t, s.packages(t.Context(), "./nothing"))
}

func TestVerdicts(t *testing.T) {
	var out bytes.Buffer
	var seen []string
	v := &verdicts{to: &out, seen: func(pkg string) { seen = append(seen, pkg) }}
	text := "--- FAIL: TestX (0.00s)\nok  \texample.com/a\t0.01s\nFAIL\texample.com/b [build failed]\n?   \texample.com/c\t[no test files]\nok\nFAIL\nFAIL\texample.com/d\t0.1s\nokay \tno\nok  \texample.com/half"
	for i := 0; i < len(text); i += 7 {
		_, err := v.Write([]byte(text[i:min(i+7, len(text))]))
		require.NoError(t, err)
	}
	require.Equal(t, text, out.String())
	require.Equal(t, []string{"example.com/a", "example.com/b", "example.com/c", "example.com/d"}, seen)
	full := errors.New("full")
	v.to = writerFunc(func([]byte) (int, error) { return 0, full })
	_, err := v.Write([]byte("x"))
	require.ErrorIs(t, err, full)
}

func FuzzVerdict(f *testing.F) {
	f.Add("ok  \texample.com/a\t0.01s")
	f.Add("FAIL\t\t")
	f.Fuzz(func(t *testing.T, line string) {
		if pkg, ok := verdict(line); ok && pkg == "" {
			t.Errorf("%q is a verdict about nothing", line)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// alone is an agent without a broker: what it publishes stays where it waits.
func alone(t *testing.T, dir string) *Agent {
	a, err := New(Config{Dir: dir, Temp: t.TempDir(), Pace: -1, Dial: nowhere})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// published takes what a has put so far.
func (a *Agent) published() []any {
	a.pub.mu.Lock()
	defer a.pub.mu.Unlock()
	var frames []any
	for _, o := range a.pub.waiting {
		frames = append(frames, o.frame)
		if o.room {
			<-a.pub.room
		}
	}
	a.pub.waiting = nil
	return frames
}

func TestUse_ATimeLimitIsKept(t *testing.T) {
	a, c := alone(t, t.TempDir()), newCanary(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	tn := &turn{a: a, number: 7, ctx: ctx, cancel: cancel}
	limited := make(chan ended, 1)
	go func() {
		e, _ := tn.use("sleep", []string{"1000"}, 300*time.Millisecond, func(c2 *call) (int, error) {
			return a.shop.run(c2.ctx, c2.out, c2.err, "sh", "-c", `(echo alive; exec sleep 1000) >"$1" & echo begun; wait`, "sh", c.path)
		})
		limited <- e
	}()
	c.sings()
	c.dies()
	require.Equal(t, ended{-1, errTimeout}, <-limited)
	frames := a.published()
	require.Equal(t, toolFrame{"tool", 7, 1, "sleep", []string{"1000"}, 300}, frames[0])
	require.Equal(t, outputFrame{"output", 1, "begun\n", stdout}, frames[1])
	done := frames[2].(doneFrame)
	require.Equal(t, []any{-1, errTimeout}, []any{done.Exit, done.Error})
	require.GreaterOrEqual(t, done.MS, int64(300))
	require.Len(t, frames, 3)
}

func TestUse_AnErrorIsTheCallsNotTheTurns(t *testing.T) {
	a := alone(t, t.TempDir())
	tn := &turn{a: a, number: 1, ctx: t.Context()}
	e, err := tn.use("x", nil, time.Second, func(c *call) (int, error) { return 0, errors.New("it is not there") })
	require.NoError(t, err)
	require.Equal(t, ended{-1, "it is not there"}, e)
	require.False(t, e.ok())
	require.Equal(t, []string{}, a.published()[0].(toolFrame).Args)
}
