package tests

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// home is a directory and an address that one `restante serve` after the other lives in. It belongs to the test's goroutine.
type home struct {
	t      *testing.T
	binary string
	dir    string
	addr   string
	flags  []string
	now    *server // the last one started; nil before the first
}

// newHome makes a home for the program as it ships, in a directory that is not there yet.
func newHome(t *testing.T, flags ...string) *home {
	t.Helper()
	binary, err := plainBinary()
	require.NoError(t, err)
	h := &home{t: t, binary: binary, dir: filepath.Join(t.TempDir(), "data"), addr: quietAddress(t), flags: flags}
	t.Cleanup(func() {
		if h.now != nil {
			h.now.end(t)
		}
	})
	return h
}

// quietAddress is a free loopback address whose port no outgoing connection is given: while the server is dead, nobody else takes it.
func quietAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, ln.Close())
			return addr
		}
	}
	require.FailNow(t, "there is no free port between 12000 and 30000")
	return ""
}

// launch starts the next server without waiting for it. What the one before it wrote is looked at first.
func (h *home) launch() *server {
	h.t.Helper()
	if h.now != nil {
		h.now.end(h.t)
	}
	h.now = launch(h.t, h.binary, nil, append([]string{"--listen", h.addr, "--data-dir", h.dir}, h.flags...)...)
	return h.now
}

// start starts the next server and waits until it serves.
func (h *home) start() *server {
	h.t.Helper()
	s := h.launch()
	s.ready()
	return s
}

// stop ends the server in order, as a deployment does.
func (h *home) stop() {
	h.t.Helper()
	h.now.signal(syscall.SIGTERM)
	require.Zero(h.t, h.now.waitExit(patience), "%s", h.now.stderr)
}

// refused starts a server that must not come up, and returns the one sentence that it says on standard error.
func (h *home) refused() string {
	h.t.Helper()
	s := launch(h.t, h.binary, nil, append([]string{"--listen", "127.0.0.1:0", "--data-dir", h.dir}, h.flags...)...)
	defer s.end(h.t)
	require.Equal(h.t, 1, s.waitExit(patience), "%s", s.stderr)
	require.Empty(h.t, <-s.first, "it says on standard output that it serves")
	var said []string
	for line := range strings.Lines(s.stderr.String()) {
		if rest, ok := strings.CutPrefix(line, "restante: "); ok {
			said = append(said, strings.TrimSpace(rest))
		}
	}
	require.Len(h.t, said, 1, "it says what is wrong once, in a sentence:\n%s", s.stderr)
	return said[0]
}

// check runs `restante store check` on the directory, which nobody may be using, and holds it to its being sound.
func (h *home) check() {
	h.t.Helper()
	c := runBinary(h.t, h.binary, nil, "store", "check", h.dir)
	require.Zero(h.t, c.done(), "%s\n%s", c.stdout, c.stderr)
}

// within waits for a moment of the next ms milliseconds, or for stop; false for the latter.
func within(ms int, rnd *rand.Rand, stop <-chan struct{}) bool {
	t := time.NewTimer(time.Duration(rnd.IntN(ms*1000)) * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
