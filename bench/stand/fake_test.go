package stand

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// published is one frame that a recorder was given.
type published struct {
	index int // -1 for a topic's
	to    string
	body  string
	k     uint64
	t     int64
}

// recorder is a target that keeps what it is given. It tells each frame's arrival on came, which has to be read if it is not nil.
type recorder struct {
	mu   sync.Mutex
	all  []published
	fail int // at which frame it fails, counted from 1; 0 for none
	came chan published
}

var errBroken = errors.New("broken")

func (r *recorder) Unicast(index int, client string, frame []byte) error {
	return r.take(published{index: index, to: client, body: string(frame)})
}

func (r *recorder) Fanout(topic string, frame []byte) error {
	return r.take(published{index: -1, to: topic, body: string(frame)})
}

func (r *recorder) take(p published) error {
	p.k, _ = strconv.ParseUint(p.body[kAt:kAt+kLen], 10, 64)
	p.t, _ = strconv.ParseInt(p.body[tAt:tAt+tLen], 10, 64)
	r.mu.Lock()
	failed := len(r.all)+1 == r.fail
	if !failed {
		r.all = append(r.all, p)
	}
	r.mu.Unlock()
	if failed {
		return errBroken
	}
	if r.came != nil {
		r.came <- p
	}
	return nil
}

// taken is what has come so far, and forgets it.
func (r *recorder) taken() []published {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// manual is a clock that a test turns: whoever waits says until when, and sleeps until he is told what time it is.
type manual struct {
	mu     sync.Mutex
	time   int64
	waits  chan int64
	waking chan int64
}

func newManual(t int64) *manual {
	return &manual{time: t, waits: make(chan int64), waking: make(chan int64)}
}

func (m *manual) now() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.time
}

func (m *manual) wait(t int64) {
	m.waits <- t
	t = <-m.waking
	m.mu.Lock()
	defer m.mu.Unlock()
	m.time = t
}

// caller calls a stand's handler.
type caller struct {
	t *testing.T
	h http.Handler
}

// call returns the status and the body of the answer.
func (c caller) call(method, target, body string) (int, string) {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, httptest.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body)))
	text, err := io.ReadAll(w.Result().Body)
	require.NoError(c.t, err)
	return w.Code, strings.TrimSpace(string(text))
}

// ok calls what must succeed with that answer.
func (c caller) ok(want, method, target, body string) {
	c.t.Helper()
	status, text := c.call(method, target, body)
	require.Contains(c.t, []int{http.StatusOK, http.StatusNoContent}, status, text)
	require.Equal(c.t, want, text)
}
