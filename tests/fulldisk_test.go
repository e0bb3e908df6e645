//go:build disk && linux

package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// tmpfs mounts a disk of so many MiB, and returns where and how to make it larger.
func tmpfs(t *testing.T, mib int) (dir string, grow func(mib int)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		fmt.Fprintf(os.Stderr, "the full disk test must mount a small tmpfs, and may not (%v): run make test-disk as root, or where unshare -rm is allowed\n", err)
		os.Exit(1)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir, func(mib int) {
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", mib)))
	}
}

// filler publishes to one client until it is refused.
type filler struct {
	id        string
	confirmed uint64
	refused   reply
	err       error
}

func (f *filler) run(ctx context.Context, e *endpoint) {
	for n := 1; ctx.Err() == nil; n++ {
		r, err := e.try(ctx, "POST", framesPath(f.id), []byte(noise(f.id, n)))
		if err != nil || r.status != 200 {
			f.refused, f.err = r, err
			return
		}
		f.confirmed = uint64(n)
	}
}

// TestP26_AFullDiskEndsTheBrokerAndLosesNothing fills the disk under sixteen publishers and their readers. The broker stops: whoever waits
// is told the cause and the remedy, the sockets are sent away to come back, the process exits 1, and a larger disk has all that was confirmed.
func TestP26_AFullDiskEndsTheBrokerAndLosesNothing(t *testing.T) {
	for _, mib := range []int{3, 48} { // full while the first log is written, and while tables are
		t.Run(fmt.Sprintf("%d MiB", mib), func(t *testing.T) { fillDisk(t, mib) })
	}
}

func fillDisk(t *testing.T, mib int) {
	disk, grow := tmpfs(t, mib)
	h := newHome(t, "--max-outbox-bytes", "1GiB", "--drain-time", "5s")
	h.dir = filepath.Join(disk, "data")
	s := h.start()
	idle := s.attach("idle")
	s.publish("idle", numbered(1, 20))
	idle.upTo(1)
	ready := make(chan []int, 1)
	go func() { ready <- s.readiness() }()

	var writing sync.WaitGroup
	fillers := make([]*filler, 16)
	for n := range fillers {
		fillers[n] = &filler{id: fmt.Sprintf("f%d", n)}
		writing.Go(func() { fillers[n].run(t.Context(), s.endpoint) })
	}
	writing.Wait()
	// The socket of a client that had nothing to do with it.
	before := idle.closed(protocol.CloseCode(4002))
	require.NotEmpty(t, before)
	away := before[len(before)-1]
	require.Equal(t, "goaway", away.Type, away.Raw)
	require.NotNil(t, away.RetryAfterMS)
	require.Equal(t, 1, s.waitExit(patience), "%s", s.stderr)
	statuses := <-ready
	require.Equal(t, 200, statuses[0])
	require.Contains(t, statuses, 503, "not ready while it ends")
	t.Logf("readiness over the time: %v", statuses)
	require.Contains(t, s.stderr.String(), "no space left on device")

	told := map[string]int{}
	for _, f := range fillers {
		require.NotZero(t, f.confirmed)
		if f.err != nil {
			require.True(t, broke(f.err), "%v", f.err) // it came when the broker had ended
			continue
		}
		if p := f.refused.problem(t); p.Code == protocol.CodeInternal {
			told[p.Detail]++
			require.Equal(t, 500, p.Status)
			require.Contains(t, p.Detail, "free space on the data directory's disk")
		} else {
			require.Equal(t, protocol.CodeDraining, p.Code, "%+v", p)
		}
	}
	require.NotEmpty(t, told, "nobody was told why")
	t.Log(told)

	grow(256)
	h.check()
	s = h.start()
	for _, f := range fillers {
		c := s.attach(f.id)
		require.GreaterOrEqual(t, c.hello.Head, f.confirmed, "what was confirmed is there")
		require.LessOrEqual(t, c.hello.Head, f.confirmed+1, "and one call more may be")
		for n, m := range c.upTo(f.confirmed) {
			require.Equal(t, fmt.Sprintf(`{"seq":%d,`, n+1)+noise(f.id, n+1)[1:], m.Raw)
		}
		c.liveOnce(f.id)
	}
	back := s.attach("idle", "since", idle.cursor())
	require.Equal(t, protocol.ResumeUpToDate, back.hello.Resume, back.hello.Raw)
	back.liveOnce("idle")
}

// noise is the n-th frame of a client, of 20 KB that no store makes smaller; it follows from the two.
func noise(id string, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rnd, pad := rand.New(rand.NewPCG(uint64(n), uint64(len(id)*256)+uint64(id[len(id)-1]))), make([]byte, 20_000)
	for i := range pad {
		pad[i] = letters[rnd.IntN(len(letters))]
	}
	return fmt.Sprintf(`{"type":"n","n":%d,"pad":"%s"}`, n, pad)
}

// readiness asks until nobody answers, and returns the statuses as they changed.
func (s *server) readiness() (changes []int) {
	for {
		r, err := s.try(context.Background(), "GET", "/readyz", nil)
		if err != nil {
			return changes
		}
		if len(changes) == 0 || changes[len(changes)-1] != r.status {
			changes = append(changes, r.status)
		}
	}
}
