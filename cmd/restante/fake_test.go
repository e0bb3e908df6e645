package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// fakeBroker keeps the HTTP side's promises for one client, or for one topic in its place, and breaks them where a test says so.
type fakeBroker struct {
	*httptest.Server
	mu    sync.Mutex
	calls []fakeCall
	// frames are what has been stored, in order; byKey the answers to give to repeats.
	frames []string
	byKey  map[string]protocol.Published
	state  protocol.State
	// before is asked about each call, with its number from 0; true: it has answered the call itself.
	before func(n int, w http.ResponseWriter, r *http.Request, lines []string) bool
	// acked is asked for the answer to a call that waits for an ack.
	acked func(p protocol.Published) protocol.Published
}

type fakeCall struct {
	method, uri, key string
	lines            []string
}

func newFakeBroker(t *testing.T) *fakeBroker {
	b := &fakeBroker{byKey: map[string]protocol.Published{}, state: protocol.State{ClientID: "tab-1", Epoch: "e1"}}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	t.Cleanup(b.CloseClientConnections)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return b
}

func (b *fakeBroker) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.calls)
	b.calls = append(b.calls, fakeCall{r.Method, r.RequestURI, r.Header.Get("Idempotency-Key"), lines})
	if b.before != nil && b.before(n, w, r, lines) {
		return
	}
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/v1/clients/tab-1":
		answer(w, b.state)
	case r.Method == http.MethodPost && fakePaths[r.URL.Path]:
		p, repeat := b.byKey[r.Header.Get("Idempotency-Key")]
		if !repeat {
			p = b.store(lines)
			b.byKey[r.Header.Get("Idempotency-Key")] = p
		}
		p.Duplicate = repeat
		if r.URL.Query().Get("wait") == protocol.StatusAcked {
			p = b.acked(p)
		}
		answer(w, p)
	default:
		problem(w, protocol.Problem{Status: 404, Code: protocol.CodeNotFound})
	}
}

// fakePaths are what the fake takes frames at.
var fakePaths = map[string]bool{"/v1/clients/tab-1/frames": true, "/v1/topics/jobs.7/frames": true, "/v1/broadcast": true}

func (b *fakeBroker) store(lines []string) protocol.Published {
	first := b.state.Head + 1
	b.frames = append(b.frames, lines...)
	b.state.Head += uint64(len(lines))
	return protocol.Published{ClientID: "tab-1", Epoch: b.state.Epoch, FirstSeq: first, Seq: b.state.Head, Status: protocol.StatusStored}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, p protocol.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// reset breaks the connection that the call came on.
func reset(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// posts are the publish calls that did not wait for an ack.
func (b *fakeBroker) posts() []fakeCall {
	b.mu.Lock()
	defer b.mu.Unlock()
	var posts []fakeCall
	for _, c := range b.calls {
		if c.method == http.MethodPost && !strings.Contains(c.uri, "wait=acked") {
			posts = append(posts, c)
		}
	}
	return posts
}

func (b *fakeBroker) stored() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.frames...)
}

// publish runs the publisher over the input, and returns the exit status and what was said.
func (b *fakeBroker) publish(t *testing.T, input string, args ...string) (int, string) {
	t.Helper()
	c := newCommand()
	code := c.run(input, append([]string{"publish", "tab-1", "--url", b.URL}, args...)...)
	require.Empty(t, c.out.String())
	return code, c.err.String()
}
