package demo

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wrapped returns a program that runs line, a shell command line, where the demo runs restante; $SELF is the program that it would run.
func wrapped(t *testing.T, line string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "restante")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\nSELF=%q\n%s\n", self, line), 0o700))
	return path
}

// emptyTemp makes a folder for everything temporary of this test.
func emptyTemp(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func TestLives_OneAfterTheOtherOnOneFolder(t *testing.T) {
	said, moves := newOutput(), []string{}
	dir := t.TempDir()
	path := wrapped(t, `for dir; do [ "$before" = --data-dir ] && break; before=$dir; done; echo "in $dir" >&2; exec "$SELF" "$@"`)
	l := &lives{path: path, dir: dir, log: said, moved: func(addr string) { moves = append(moves, addr) }}
	require.Empty(t, l.url())
	require.NoError(t, l.start(t.Context()))
	defer l.stop()
	urls := []string{l.url()}
	for range 2 {
		first := l.now
		require.NoError(t, l.kill(t.Context()))
		require.False(t, first.State().Exited(), "by a signal, not by itself")
		urls = append(urls, l.url())
		res, err := http.Get(l.url() + "/healthz")
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
	}
	require.Equal(t, 2, l.killed())
	want := []string{}
	for i, u := range urls {
		if i > 0 {
			want = append(want, "")
		}
		want = append(want, strings.TrimPrefix(u, "http://"))
	}
	require.Equal(t, want, moves, "nobody is sent to a dead one's port")
	require.Equal(t, strings.Repeat("in "+dir+"\n", 3), said.String())
	l.stop()
	require.Empty(t, l.url())
	l.stop()
	http.DefaultClient.CloseIdleConnections()
}

func TestRun_TheBrokerIsKilledToo(t *testing.T) {
	temp, out := emptyTemp(t), newOutput()
	code := Run(t.Context(), Options{Seed: 3, Duration: 3 * time.Second, Cuts: 4, Kills: 3, Command: []string{"seq", "-f", "line %g", "3000"}, Out: out})
	require.Zero(t, code, out)
	require.Contains(t, out.String(), "sent 3000, received 3000, missing 0, doubled 0, altered 0; order ok")
	require.Regexp(t, `kills of the broker ([3-9]|\d\d)`, out.String())
	require.Contains(t, out.String(), "resets 0,")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "its folder is gone")
}

// TestRun_ABrokerThatForgetsFails holds the demo to noticing what it is there to show: a broker that keeps nothing on disk is killed.
func TestRun_ABrokerThatForgetsFails(t *testing.T) {
	out := newOutput()
	o := Options{Seed: 3, Duration: time.Second, Cuts: 1, Kills: 1, Command: []string{"seq", "500"}, Out: out, Executable: wrapped(t, `exec "$SELF" serve`)}
	require.Equal(t, 1, Run(t.Context(), o), out)
	require.Contains(t, out.String(), "the client had to start over at")
	require.Contains(t, out.String(), "FAILED in")
}

func TestRun_ABrokerThatDoesNotComeBackFails(t *testing.T) {
	temp, out := emptyTemp(t), newOutput()
	o := Options{Seed: 3, Duration: time.Second, Cuts: 1, Kills: 1, Command: []string{"seq", "500"}, Out: out, Executable: wrapped(t, `[ -e "$0.ran" ] && exit 1; touch "$0.ran"; exec "$SELF" "$@"`)}
	require.Equal(t, 1, Run(t.Context(), o), out)
	require.Contains(t, out.String(), "after the broker was killed: the broker: the server did not say its URL")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
