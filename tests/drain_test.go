package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// goneAway reads to the end of a drained connection: frames, one goaway, 4002.
func (s *socket) goneAway() (delay int64) {
	s.e.t.Helper()
	goaways := 0
	for _, m := range s.closed(protocol.CloseDraining) {
		if m.Seq == 0 && m.Type == "goaway" {
			goaways++
			require.NotNil(s.e.t, m.RetryAfterMS)
			require.GreaterOrEqual(s.e.t, *m.RetryAfterMS, int64(0))
			require.LessOrEqual(s.e.t, *m.RetryAfterMS, int64(30_000))
			delay = *m.RetryAfterMS
		}
	}
	require.Equal(s.e.t, 1, goaways)
	return delay
}

func TestP23_DrainTellsEverybodyAndExitsZero(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "5s")
	var all []*socket
	for n := range 12 {
		all = append(all, s.attach(fmt.Sprintf("a%d", n)))
		s.publishN(fmt.Sprintf("a%d", n), 20, 20, 0)
	}
	all = append(all, s.attach("a0"))
	for _, c := range all[:6] {
		c.upTo(20)
	}
	s.signal(syscall.SIGTERM)
	delays := map[int64]bool{}
	for _, c := range all {
		delays[c.goneAway()] = true
		require.EqualValues(t, 20, c.last, "what was confirmed has been offered")
	}
	require.Greater(t, len(delays), 1, "the herd is spread: %v", delays)
	require.Zero(t, s.waitExit(patience))
}

func TestP23_StuckPeersAreResetWhenTheDrainTimeEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "3s", "--write-timeout", "60s")
	stuck := s.stuck("a")
	s.publishN("a", 200, 10, 16<<10)
	healthy, poller := s.attach("b"), make(chan protocol.Page, 1)
	healthy.until("replay_end")
	ep := healthy.hello.Epoch
	go func() {
		var page protocol.Page
		r, err := s.try(context.Background(), "GET", framesPath("b")+"?since="+ep+":0&wait=25s", nil)
		if err == nil && r.status == 200 {
			_ = json.Unmarshal(r.body, &page)
		}
		poller <- page
	}()
	waiting := make(chan protocol.Published, 1)
	go func() {
		var p protocol.Published
		r, err := s.try(context.Background(), "POST", framesPath("c")+"?wait=acked&timeout=25s", []byte(`{"type":"x"}`))
		if err == nil && r.status == 200 {
			_ = json.Unmarshal(r.body, &p)
		}
		waiting <- p
	}()
	s.eventually("c", "stored", func(st protocol.State) bool { return st.Head == 1 })
	begin := time.Now()
	s.signal(syscall.SIGTERM)
	healthy.goneAway()
	// While the stuck one holds up the end: nothing new is taken in, in words.
	r := s.do("GET", "/readyz", nil)
	require.Equal(t, protocol.CodeDraining, r.problem(t).Code)
	require.Equal(t, 200, s.do("GET", "/healthz", nil).status)
	r = s.do("POST", framesPath("a"), []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeDraining, r.problem(t).Code)
	require.Equal(t, 503, r.status)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	late := s.dial(dialing{query: query("d")})
	late.goneAway()
	page := <-poller
	require.Equal(t, protocol.ResumeUpToDate, page.Resume, "a long-poll is answered as it stands")
	published := <-waiting
	require.Equal(t, "stored", published.Status, "a wait is answered with the level reached")
	require.Equal(t, protocol.ShortDraining, published.Reason)
	require.Zero(t, s.waitExit(patience))
	require.Less(t, time.Since(begin), 15*time.Second)
	for err := error(nil); err == nil; {
		_, err = stuck.read() // a hole, a repeat or a second close frame would be errors too
		require.False(t, errors.Is(err, errHole), "%v", err)
	}
}

func TestP23_ASlowReaderIsOfferedItsBacklog(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "15s")
	c := s.stuck("a")
	s.publishN("a", 150, 10, 16<<10)
	s.signal(syscall.SIGTERM)
	c.goneAway()
	require.EqualValues(t, 150, c.last)
	require.Zero(t, s.waitExit(patience))
}

func TestP23_SendsOfADrainingConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "4s", "--write-timeout", "60s")
	c := s.stuck("a")
	s.publishN("a", 150, 10, 16<<10)
	s.signal(syscall.SIGTERM)
	require.Eventually(t, func() bool { return s.do("GET", "/readyz", nil).status == 503 }, patience, pollEvery)
	c.send(`{"type":"send","id":"late","to":"b","frame":{"type":"x"}}`)
	for _, m := range c.closed(protocol.CloseDraining) {
		if m.ID == "late" {
			require.Equal(t, "error", m.Type, m.Raw)
			require.Equal(t, protocol.CodeDraining, m.Code)
		}
	}
	require.Zero(t, s.waitExit(patience))
}

func TestP23_ASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "60s", "--write-timeout", "60s")
	s.stuck("a")
	s.publishN("a", 200, 10, 16<<10)
	s.signal(syscall.SIGTERM)
	require.Eventually(t, func() bool {
		r, err := s.try(t.Context(), "GET", "/readyz", nil)
		return err == nil && r.status == http.StatusServiceUnavailable
	}, patience, pollEvery)
	s.running()
	s.signal(syscall.SIGTERM)
	require.NotZero(t, s.waitExit(10*time.Second))
}

func TestP23_PeersThatDoNotAnswerTheCloseDoNotHoldItUp(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "2s")
	for range 30 {
		s.attach("a") // they read nothing more, and never answer a close frame
	}
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.waitExit(12*time.Second))
}

func TestP23_DrainWithNobodyThere(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publish("a", `{"type":"x"}`)
	c := s.attach("b")
	c.leave(ws.StatusNormalClosure)
	s.signal(syscall.SIGINT)
	require.Zero(t, s.waitExit(8*time.Second), "there is nothing to wait ten seconds for")
}
