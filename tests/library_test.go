package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// app is an application on the Go library: it notes what it is told, in order.
type app struct {
	t      *testing.T
	c      *client.Client
	ended  chan error
	frames chan client.Frame
	mu     sync.Mutex
	told   []string // resets and reports
}

// run starts the library; the test ends it.
func runApp(t *testing.T, cfg client.Config) *app {
	t.Helper()
	a := &app{t: t, ended: make(chan error, 1), frames: make(chan client.Frame, 100_000)}
	if cfg.Handler == nil {
		cfg.Handler = func(_ context.Context, f client.Frame) error { a.frames <- f; return nil }
	}
	if cfg.Backoff == (client.Backoff{}) {
		cfg.Backoff = client.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}
	}
	cfg.OnReset = func(r client.Reset) { a.note("reset " + string(r.Reason)) }
	cfg.OnResume = func(r client.ResumeReport) { a.note("resumed " + string(r.Mode) + ": " + r.String()) }
	var err error
	a.c, err = client.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.ended <- a.c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return a
}

func (a *app) note(s string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, s)
}

func (a *app) notes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.told...)
}

// next is the next frame that the application is handed.
func (a *app) next() client.Frame {
	a.t.Helper()
	select {
	case f := <-a.frames:
		return f
	case err := <-a.ended:
		require.FailNow(a.t, "the library ended", "%v; told %q", err, a.notes())
	case <-time.After(patience):
		require.FailNow(a.t, "no frame", "state %s, told %q", a.c.State(), a.notes())
	}
	return client.Frame{}
}

// nextNumbered is next, held to the number n.
func (a *app) nextNumbered(n int) {
	a.t.Helper()
	var body struct{ N int }
	f := a.next()
	require.NoError(a.t, json.Unmarshal(f.Raw, &body))
	require.Equal(a.t, n, body.N, "frame %d: %s", f.Seq, f.Raw)
}

// live holds the library to a later live frame, once.
func (a *app) live(e *endpoint, id string) {
	a.t.Helper()
	first := e.publish(id, `{"type":"live"}`)
	second := e.publish(id, `{"type":"live"}`)
	require.Equal(a.t, first.Seq, a.next().Seq)
	require.Equal(a.t, second.Seq, a.next().Seq)
}

func TestP24_EachFrameOnceOverManyCuts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	w := newWire(t, s.host())
	a := runApp(t, client.Config{URL: w.url(), ClientID: "a"})
	const total = 3000
	done := make(chan error, 1)
	pace := make(chan struct{}, total) // the publisher is some 150 frames ahead at most, so that cuts meet frames on their way
	for range 15 {
		pace <- struct{}{}
	}
	go func() {
		for n := 0; n < total; n += 10 {
			<-pace
			batch := make([]string, 10)
			for i := range batch {
				batch[i] = numbered(n+i+1, 300)
			}
			if _, err := s.tryPublish(t.Context(), "a", batch...); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	rnd := rand.New(rand.NewPCG(1, 2))
	next := 50
	for n := range total {
		a.nextNumbered(n + 1)
		if n%10 == 9 {
			pace <- struct{}{}
		}
		if n == next {
			w.cut()
			next += 40 + rnd.IntN(150)
		}
	}
	require.NoError(t, <-done)
	a.live(s.endpoint, "a")
	require.Greater(t, w.dials.Load(), int64(10))
	require.Empty(t, a.frames)
	for _, told := range a.notes() {
		require.NotContains(t, told, "reset", "nothing was lost")
	}
}

func TestP24_TheVerdictOfTheCode(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		id   string
		end  func()
		code protocol.CloseCode
	}{
		{"replaced", func() { s.attach("replaced", "attach", "takeover") }, protocol.CloseReplaced},
		{"deleted", func() { require.Equal(t, 204, s.do("DELETE", "/v1/clients/deleted", nil).status) }, protocol.CloseClientDeleted},
	} {
		a := runApp(t, client.Config{URL: s.url, ClientID: c.id})
		a.live(s.endpoint, c.id)
		c.end()
		var stopped *client.StoppedError
		select {
		case err := <-a.ended:
			require.ErrorAs(t, err, &stopped, c.id)
			require.Equal(t, c.code, stopped.Code)
		case <-time.After(patience):
			require.FailNow(t, "it does not stop", c.id)
		}
	}
}

func TestP24_ComesBackAfterADrainAndARestart(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a := runApp(t, client.Config{URL: s.url, ClientID: "a"})
	a.live(s.endpoint, "a")
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.waitExit(patience))
	again := serve(t, "--listen", s.host())
	again.eventually("a", "attached again", func(st protocol.State) bool { return st.Connections == 1 })
	a.live(again.endpoint, "a")
	require.Contains(t, a.notes(), "reset epoch", "P-30: told to discard, once it is another epoch")
}

func TestP30_AKilledBrokerIsAResetBeforeAnythingIsDelivered(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var mu sync.Mutex
	var order []string
	add := func(f string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, fmt.Sprintf(f, args...))
	}
	got := make(chan uint64, 100)
	cfg := client.Config{URL: s.url, ClientID: "a", Backoff: client.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
		Handler: func(_ context.Context, f client.Frame) error { add("frame %d", f.Seq); got <- f.Seq; return nil },
		OnReset: func(r client.Reset) { add("reset %s", r.Reason) },
	}
	c, err := client.New(cfg)
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- c.Run(t.Context()) }()
	s.publishN("a", 3, 3, 0)
	for range 3 {
		<-got
	}
	s.kill()
	again := serve(t, "--listen", s.host())
	first := again.publish("a", `{"type":"x"}`)
	require.EqualValues(t, 1, first.Seq)
	require.EqualValues(t, 1, <-got)
	mu.Lock()
	require.Equal(t, []string{"frame 1", "frame 2", "frame 3", "reset epoch", "frame 1"}, order)
	mu.Unlock()
	require.Equal(t, first.Epoch+":1", c.Cursor())
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, <-ran)
}

func TestP30_ACursorKeptWithTheState(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 10, 10, 0)
	a := runApp(t, client.Config{URL: s.url, ClientID: "a"})
	for n := range 10 {
		a.nextNumbered(n + 1)
	}
	require.NoError(t, a.c.Close(t.Context()))
	require.NoError(t, <-a.ended)
	require.Eventually(t, func() bool { return s.state("a").Places == 0 }, patience, pollEvery, "closed with 1000: no place is held")
	require.EqualValues(t, 10, s.state("a").Floor, "P-12: acked at the close")
	cursor := a.c.Cursor()
	s.publishN("a", 5, 5, 0)
	b := runApp(t, client.Config{URL: s.url, ClientID: "a", Cursor: cursor})
	for n := range 5 {
		b.nextNumbered(n + 1)
	}
	b.live(s.endpoint, "a")
	require.NotContains(t, fmt.Sprint(b.notes()), "reset")
	old := runApp(t, client.Config{URL: s.url, ClientID: "a", Cursor: "anotherlife:7"})
	old.next()
	require.Contains(t, fmt.Sprint(old.notes()), "reset epoch")
}

func TestP30_SendsAreRepeatedUntilTheirReceiptAndStoredOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	w := newWire(t, s.host())
	target := s.attach("target")
	target.until("replay_end")
	a := runApp(t, client.Config{URL: w.url(), ClientID: "a"})
	const total, every = 1200, 200 // six cuts, by progress and not by time: each doubles the wait for the next connection (P-24)
	var cuts sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range total {
		if n%every == every/2 {
			cuts.Go(w.cut) // in the middle of a send
		}
		r, err := a.c.Send(ctx, "target", []byte(numbered(n+1, 50)))
		require.NoError(t, err)
		require.EqualValues(t, n+1, r.Seq, "stored once each: %+v", r)
	}
	cuts.Wait()
	for n, f := range target.upTo(total) {
		require.Equal(t, n+1, f.N)
		require.Equal(t, "a", f.From)
	}
	require.EqualValues(t, total, s.state("target").Head)
	require.Greater(t, w.dials.Load(), int64(5))
	a.live(s.endpoint, "a")
	_, err := a.c.Send(ctx, "target", []byte(`{"type":"x","seq":1}`))
	require.Error(t, err, "any other error is final")
}

func TestP17_TheLibraryNoticesSilence(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "1s")
	w := newWire(t, s.host())
	a := runApp(t, client.Config{URL: w.url(), ClientID: "a"})
	a.live(s.endpoint, "a")
	dials := w.dials.Load()
	w.stall()
	s.publish("a", `{"type":"meanwhile"}`)
	require.Eventually(t, func() bool { return w.dials.Load() > dials }, patience, pollEvery, "it gives up a connection on which nothing comes")
	w.heal()
	require.Equal(t, "meanwhile", a.next().Type)
	a.live(s.endpoint, "a")
	require.Empty(t, a.frames)
}

func TestP12_WhenTheLibraryAcks(t *testing.T) {
	t.Parallel()
	s := serve(t)
	hold := make(chan struct{})
	var once sync.Once
	free := func() { once.Do(func() { close(hold) }) }
	t.Cleanup(free)
	seen := make(chan uint64, 2000)
	runApp(t, client.Config{URL: s.url, ClientID: "a", Handler: func(ctx context.Context, f client.Frame) error {
		seen <- f.Seq
		if f.Seq == 1 {
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		return nil
	}})
	s.publish("a", `{"type":"x"}`)
	<-seen
	// Not before its handler has returned, however long the interval of 5 s has been over.
	late := <-s.publishing("a", "wait=acked&timeout=7s")
	require.NotEqual(t, protocol.StatusAcked, late.Status)
	require.Zero(t, s.state("a").Acked)
	// At once when 500 have been applied.
	s.publishN("a", 498, 100, 0)
	free()
	s.eventually("a", "acked up to 500", func(st protocol.State) bool { return st.Acked == 500 && st.Floor == 500 })
	// A lone frame within the interval.
	require.Equal(t, protocol.StatusAcked, (<-s.publishing("a", "wait=acked&timeout=20s")).Status)
	// At once for 256 KiB, which are far fewer frames.
	begin := time.Now()
	s.publishN("a", 9, 9, 30_000)
	s.eventually("a", "acked the bytes", func(st protocol.State) bool { return st.Acked >= 509 })
	require.Less(t, time.Since(begin), 4*time.Second, "not only at the interval of 5 s")
}
