package tests

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestP15_FiveThousandClientsWithSocketsAtOnce attaches five thousand clients to the program as it ships, measures what a
// socket costs in resident memory after the garbage collector has been made to run, and then serves every one of them.
func TestP15_FiveThousandClientsWithSocketsAtOnce(t *testing.T) {
	t.Parallel()
	const clients, warm, most = 5000, 100, 8 << 10
	binary, err := plainBinary()
	require.NoError(t, err)
	// A small GOGC makes the collector run at every few allocations; asking for metrics makes them.
	s := start(t, binary, []string{"GOGC=10"}, "--ping-interval", "5m")
	s.crowd(t, "warm", warm)
	before := s.settled(t)
	all := s.crowd(t, "c", clients)
	require.EqualValues(t, clients+warm, s.metric("restante_connections "))
	after := s.settled(t)
	per := (after - before) / clients
	t.Logf("resident memory: %d KiB with %d sockets, %d KiB with %d: %d bytes a socket (goroutines %v, heap in use %v)",
		before>>10, warm, after>>10, clients+warm, per, s.metric("go_goroutines "), s.metric("go_memstats_heap_inuse_bytes "))
	require.LessOrEqual(t, per, int64(most), "growth of resident memory a socket")

	// All of them are served, each by its own live frame.
	failures := make(chan error, 8)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := w; n < clients; n += 4 {
				p, err := s.tryPublish(t.Context(), fmt.Sprintf("c%d", n), numbered(n, 20))
				if err == nil {
					err = all[n].expect(p.Seq, n)
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	all[7].liveOnce("c7")
}

// expect reads the next sequenced frame.
func (s *socket) expect(seq uint64, n int) error {
	for {
		ev, err := s.read()
		if err != nil {
			return err
		}
		if ev.msg == nil || ev.msg.Seq == 0 {
			continue
		}
		if ev.msg.Seq != seq || ev.msg.N != n {
			return fmt.Errorf("instead of frame %d came %s", n, ev.msg.Raw)
		}
		return nil
	}
}

// crowd attaches n clients, a few at a time.
func (s *server) crowd(t *testing.T, prefix string, n int) []*socket {
	t.Helper()
	all := make([]*socket, n)
	failures := make(chan error, 8)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				c, err := s.upgrade(dialing{query: query(fmt.Sprintf("%s%d", prefix, i))})
				if err == nil {
					_, err = c.read() // hello
					all[i] = c
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range all {
			if c != nil {
				_ = c.conn.Close()
			}
		}
	})
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	return all
}

// settled makes the collector run and returns the resident memory, in bytes, once it has stopped falling.
func (s *server) settled(t *testing.T) int64 {
	t.Helper()
	cycles := s.metric("go_gc_duration_seconds_count ")
	lowest, falls := s.resident(t), time.Now()
	for time.Since(falls) < time.Second || s.metric("go_gc_duration_seconds_count ") < cycles+5 {
		for range 10 {
			_, err := s.try(context.Background(), "GET", "/metrics", nil)
			require.NoError(t, err)
		}
		if now := s.resident(t); now < lowest-lowest/200 {
			lowest, falls = now, time.Now()
		}
	}
	return lowest
}

func (s *server) resident(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(b), "VmRSS:")
	require.True(t, ok)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}
