package ui

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
)

func verbOf(s string) broker.Verb { return broker.Verb(s) }

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// kept starts a broker that is kept alive until the test ends, and returns where it moves.
func kept(t *testing.T, path string, log *output) (l *lives, moves chan string) {
	moves = make(chan string, 100)
	k := newKeys()
	l = newLives(path, []string{Command, "--folder", t.TempDir()}, []string{PageKey + "=" + k.Page, AgentKey + "=" + k.Agent}, log, func(addr string) { moves <- addr })
	first, err := l.start(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go l.keep(ctx, first)
	t.Cleanup(func() {
		cancel()
		<-l.ended
		require.ErrorIs(t, l.kill(context.Background()), errEnding)
		up, _ := l.look()
		require.False(t, up)
	})
	return l, moves
}

func TestLives_AreKilledAndComeBack(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	log := &output{}
	l, moves := kept(t, self, log)
	before := <-moves
	for n := 1; n <= 3; n++ {
		require.NoError(t, l.kill(t.Context()))
		require.Empty(t, <-moves, "nobody is sent to a dead one's port")
		after := <-moves
		require.NotEmpty(t, after)
		up, kills := l.look()
		require.True(t, up)
		require.Equal(t, n, kills)
		c, err := l.dial(t.Context(), "tcp", "nowhere:1")
		require.NoError(t, err)
		require.Equal(t, after, c.RemoteAddr().String())
		require.NoError(t, c.Close())
	}
	require.NotEmpty(t, before)
	ended, end := context.WithCancel(t.Context())
	end()
	require.Error(t, l.kill(ended))
	require.Empty(t, log.String())
}

// TestLives_OneThatEndsByItselfIsStartedAgain: it is told by a file that it is to end, and ends once.
func TestLives_OneThatEndsByItselfIsStartedAgain(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir, log := t.TempDir(), &output{}
	path := filepath.Join(dir, "restante")
	// The first one ends when it is told to, the second cannot be started, the third is one.
	script := "#!/bin/sh\nn=$(cat " + dir + "/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >" + dir + "/n\n" +
		"[ $n = 1 ] && { echo http://127.0.0.1:1; read x <" + dir + "/end; exit 3; }\n[ $n = 2 ] && exit 1\nexec " + self + " \"$@\"\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	require.NoError(t, mkfifo(filepath.Join(dir, "end")))
	l, moves := kept(t, path, log)
	first := <-moves
	require.NoError(t, os.WriteFile(filepath.Join(dir, "end"), []byte("x\n"), 0o600))
	require.Empty(t, <-moves)
	_, err = l.dial(t.Context(), "tcp", "")
	if err != nil { // it may be back already
		require.ErrorIs(t, err, errNoBroker)
	}
	second := <-moves
	require.NotEmpty(t, second)
	require.NotEqual(t, first, second)
	up, kills := l.look()
	require.True(t, up)
	require.Zero(t, kills)
	require.Contains(t, log.String(), "the broker has ended by itself (exit status 3), and is started again")
	require.Contains(t, log.String(), "the server did not say its URL")
}

func TestNetwork_EndsInEveryState(t *testing.T) {
	for _, what := range []string{doStall, doTunnel, doCut, doResume} {
		n, err := newNetwork(time.Hour)
		require.NoError(t, err)
		require.NoError(t, n.do(what))
		require.NoError(t, n.close())
		require.Equal(t, netUp, n.look().State)
	}
	n, err := newNetwork(time.Millisecond)
	require.NoError(t, err)
	defer n.close()
	for range 50 { // a tunnel may end by itself while it is resumed
		require.NoError(t, n.do(doTunnel))
		require.NoError(t, n.do(doResume))
	}
	require.Error(t, n.do("burn"))
	require.True(t, strings.HasPrefix(n.url(), "http://127.0.0.1:"))
}
