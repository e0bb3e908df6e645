package tests

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire is a TCP proxy between a library and a broker: what is wrong with networks can be done to it.
type wire struct {
	ln     net.Listener
	target string

	mu    sync.Mutex
	pairs map[net.Conn]net.Conn // the library's side to the broker's
	ended bool

	stalled atomic.Bool
	moves   *sync.Cond // of mu: stalled was cleared, or the wire ended
	all     sync.WaitGroup
	dials   atomic.Int64
}

// newWire proxies to a broker. It ends with the test.
func newWire(t *testing.T, target string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{ln: ln, target: target, pairs: map[net.Conn]net.Conn{}}
	w.moves = sync.NewCond(&w.mu)
	w.all.Go(w.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
		w.cut()
		w.all.Wait()
	})
	return w
}

func (w *wire) url() string { return "http://" + w.ln.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.ln.Accept()
		if err != nil {
			return
		}
		w.dials.Add(1)
		far, err := net.Dial("tcp", w.target)
		if err != nil {
			reset(near)
			continue
		}
		w.mu.Lock()
		w.pairs[near] = far
		w.mu.Unlock()
		w.all.Go(func() { w.pump(near, far, near) })
		w.all.Go(func() { w.pump(far, near, near) })
	}
}

// pump copies one direction, and ends both when it ends.
func (w *wire) pump(from, to, near net.Conn) {
	buf := make([]byte, 8<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		for w.stalled.Load() && !w.ended && w.pairs[near] != nil {
			w.moves.Wait()
		}
		w.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if far := w.pairs[near]; far != nil {
		_, _ = near.Close(), far.Close()
		delete(w.pairs, near)
	}
}

// cut resets every connection, and lets go of what was stalled.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for near, far := range w.pairs {
		reset(near)
		reset(far)
		delete(w.pairs, near)
	}
	w.moves.Broadcast()
}

// stall holds back every byte of the connections that there are: nobody is told.
func (w *wire) stall() { w.stalled.Store(true) }

// heal lets bytes go again; those held back come late.
func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled.Store(false)
	w.moves.Broadcast()
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
