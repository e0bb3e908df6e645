package agent

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// topic is a broker's topic that keeps its promises, and breaks its connections where a test says so.
type topic struct {
	*httptest.Server
	mu        sync.Mutex
	frames    []string
	byKey     map[string]int // the head that a call's frames came to
	calls     int
	snapshots []string
	log       strings.Builder
	// before is asked about each call that publishes, from 1, and after about it once it is stored; true: the connection breaks instead of an answer.
	before, after func(call int) bool
	refuse        protocol.Code
	stored        chan struct{} // told of each snapshot
}

func newTopic(t *testing.T) *topic {
	s := &topic{byKey: map[string]int{}, stored: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *topic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write(protocol.EncodeProblem(protocol.Errorf(protocol.CodeUnauthorized, "who are you")))
	case s.refuse != "":
		w.WriteHeader(s.refuse.Info().Status)
		_, _ = w.Write(protocol.EncodeProblem(protocol.Errorf(s.refuse, "not so")))
	case r.Method == http.MethodPut:
		s.snapshots = append(s.snapshots, string(body))
		_, _ = w.Write([]byte("{}"))
		s.stored <- struct{}{}
	default:
		s.publish(w, r.Header.Get("Idempotency-Key"), string(body))
	}
}

func (s *topic) publish(w http.ResponseWriter, key, body string) {
	s.calls++
	if s.before != nil && s.before(s.calls) {
		panic(http.ErrAbortHandler)
	}
	head, repeat := s.byKey[key]
	if !repeat {
		s.frames = append(s.frames, strings.Split(strings.TrimSuffix(body, "\n"), "\n")...)
		head = len(s.frames)
		s.byKey[key] = head
	}
	if s.after != nil && s.after(s.calls) {
		panic(http.ErrAbortHandler)
	}
	data, _ := json.Marshal(protocol.Published{Epoch: "e1", Seq: uint64(head), Status: protocol.StatusStored, Duplicate: repeat})
	_, _ = w.Write(data)
}

// publisher returns one that publishes here.
func (s *topic) publisher() *publisher {
	return newPublisher(Config{
		Secret: "secret", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}, "keys")
}

// running runs p until the function that it returns is called, which returns what run did.
func running(t *testing.T, p *publisher) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestPublisher_EachFrameOnceAndInOrderOverBrokenCalls(t *testing.T) {
	s := newTopic(t)
	s.before = func(call int) bool { return call%5 == 1 }
	s.after = func(call int) bool { return call%3 == 2 }
	p := s.publisher()
	stop := running(t, p)
	want := []string{}
	for n := 1; n <= 3000; n++ {
		f := textFrame{"text", 1, strings.Repeat("x", n%50)}
		want = append(want, string(encode(f)))
		require.NoError(t, p.put(t.Context(), f))
		if n == 1500 { // as where the agent's Run has ended and begun again
			require.NoError(t, stop())
			stop = running(t, p)
		}
	}
	p.must(turnFrame{"turn", 1, turnDone, 1})
	want = append(want, string(encode(turnFrame{"turn", 1, turnDone, 1})))
	for {
		<-s.stored
		s.mu.Lock()
		n := len(s.frames)
		s.mu.Unlock()
		if n >= len(want) {
			break
		}
	}
	require.NoError(t, stop())
	require.Equal(t, want, s.frames)
	require.Greater(t, s.calls, len(s.byKey), "calls were repeated")
	require.Empty(t, p.room, "there is room again for as many")
	require.Equal(t, `{"as_of":"0","data":{"frames":[]}}`, s.snapshots[0], "a page that comes first has something to begin with")
	last := s.snapshots[len(s.snapshots)-1]
	require.True(t, strings.HasPrefix(last, `{"as_of":"e1:3001","data":{"frames":[{"type":"text"`), last[:60])
	require.Empty(t, s.log.String())
}

func TestPublisher_TooManyWaitForRoom(t *testing.T) {
	s := newTopic(t)
	p := s.publisher()
	for range waitingFrames {
		require.NoError(t, p.put(t.Context(), floodFrame{"flood", 1, 2}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(chan error, 1)
	go func() { refused <- p.put(ctx, floodFrame{"flood", 2, 2}) }()
	p.must(turnFrame{"turn", 1, turnStart, 1})
	cancel()
	require.ErrorIs(t, <-refused, context.Canceled)
	p.mu.Lock()
	require.Len(t, p.waiting, waitingFrames+1)
	p.mu.Unlock()
	stop := running(t, p)
	require.NoError(t, p.put(t.Context(), floodFrame{"flood", 2, 2}))
	require.NoError(t, stop())
}

func TestPublisher_ARefusalForGoodEndsIt(t *testing.T) {
	s := newTopic(t)
	s.refuse = protocol.CodeForbidden
	p := s.publisher()
	require.NoError(t, p.put(t.Context(), floodFrame{"flood", 1, 2}))
	err := p.run(t.Context())
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, protocol.CodeForbidden, e.Code)
	require.Contains(t, s.log.String(), "refuses the session's snapshot", "a snapshot is not worth an end, but a word")
}

func TestPublisher_WhatIsRefusedForNowIsRepeated(t *testing.T) {
	s := newTopic(t)
	s.refuse = protocol.CodeOverloaded
	p := s.publisher()
	require.NoError(t, p.put(t.Context(), floodFrame{"flood", 1, 1}))
	stop := running(t, p)
	time.AfterFunc(3*retryGap, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = ""
	})
	<-s.stored
	<-s.stored
	require.NoError(t, stop())
	require.Equal(t, []string{`{"type":"flood","n":1,"of":1}`}, s.frames)
}

func TestPublisher_ASnapshotAfterManyFramesToo(t *testing.T) {
	s := newTopic(t)
	p := s.publisher()
	for range snapshotEvery {
		require.NoError(t, p.put(t.Context(), textFrame{"text", 1, "x"}))
	}
	stop := running(t, p)
	<-s.stored
	<-s.stored
	require.NoError(t, stop())
	require.Contains(t, s.snapshots[1], strings.Repeat("x", snapshotEvery))
}

func TestFlood_ComesAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flood
		require.NoError(t, f.begin())
		require.ErrorIs(t, f.begin(), ErrFlooding)
		began, n := time.Now(), 0
		f.run(t.Context(), func(_ context.Context, frame any) error {
			n++
			require.Equal(t, floodFrame{"flood", n, floodFrames}, frame)
			early := time.Duration(n)*time.Second/floodRate - time.Since(began)
			require.LessOrEqual(t, early, time.Duration(0))
			require.GreaterOrEqual(t, early, -floodTick)
			return nil
		})
		require.Equal(t, floodFrames, n)
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, FloodState{false, floodFrames, floodFrames}, f.look())
		require.NoError(t, f.begin(), "another may begin")
		ctx, cancel := context.WithCancel(t.Context())
		n = 0
		f.run(ctx, func(ctx context.Context, _ any) error {
			if n++; n == 30 {
				cancel()
			}
			return ctx.Err()
		})
		require.Equal(t, FloodState{false, 29, floodFrames}, f.look())
	})
}
