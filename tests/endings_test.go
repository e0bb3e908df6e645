package tests

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP23_WhatWasConfirmedUnderADrainIsOffered(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-time", "10s")
	const clients = 15
	var confirmed [clients]atomic.Uint64
	var readers [clients]*socket
	var told atomic.Bool
	var work sync.WaitGroup
	failures := make(chan error, 3*clients)
	for n := range clients {
		id := fmt.Sprintf("c%d", n)
		c := s.attach(id)
		work.Go(func() { // the reader reads until it is told to go
			for {
				ev, err := c.read()
				if err != nil {
					failures <- fmt.Errorf("%s: %w", id, err)
					return
				}
				if ev.op == ws.OpClose {
					_ = c.conn.Close()
					if ev.code != ws.StatusCode(protocol.CloseDraining) {
						failures <- fmt.Errorf("%s: closed with %d", id, ev.code)
					}
					return
				}
			}
		})
		readers[n] = c
		work.Go(func() { // its publisher goes on until it is refused
			for {
				p, err := s.tryPublish(context.Background(), id, numbered(1, 500), numbered(2, 500))
				if err != nil {
					var cut *url.Error
					// Refused in words, or cut off by the end of a process that was told to end: then it was not confirmed.
					if !strings.Contains(err.Error(), `"draining"`) && !(told.Load() && errors.As(err, &cut) && !cut.Timeout()) {
						failures <- fmt.Errorf("%s: %w", id, err)
					}
					return
				}
				confirmed[n].Store(p.Seq)
			}
		})
	}
	for n := range clients {
		s.eventually(fmt.Sprintf("c%d", n), "busy", func(st protocol.State) bool { return st.Head > 20 })
	}
	told.Store(true)
	s.signal(syscall.SIGTERM)
	work.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	for n, c := range readers {
		require.GreaterOrEqual(t, c.last, confirmed[n].Load(), "client %d: less offered than confirmed", n)
	}
	require.Zero(t, s.waitExit(patience))
}

func TestP29_ALongPollEndsWithItsClientAndItsCaller(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.publish("a", `{"type":"x"}`)
	path := fmt.Sprintf("%s?wait=60s&since=%s:%d", framesPath("a"), p.Epoch, p.Seq)
	answered := make(chan reply, 1)
	waiting, give := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() { _, _ = s.try(waiting, "GET", path, nil) })
	}
	callers.Go(func() {
		r, err := s.try(t.Context(), "GET", path, nil)
		if err != nil {
			r.status = -1
		}
		answered <- r
	})
	require.Eventually(t, func() bool { return s.metric("go_goroutines ") > 100 }, patience, pollEvery, "a hundred wait")
	give()
	require.Eventually(t, func() bool { return s.metric("go_goroutines ") < 60 }, patience, 5*pollEvery, "and have gone")
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	require.Equal(t, 200, (<-answered).status, "answered as it stands")
	callers.Wait()
}

func TestP20_TheLastByteThatIsAllowed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	limit := protocol.DefaultMaxFrameBytes + protocol.MessageSlack
	head := `{"type":"ping","pad":"`
	for range 3 {
		c.send("%s", head+strings.Repeat("x", limit-len(head)-2)+`"}`)
	}
	for pongs := 0; pongs < 3; {
		if m := c.next(); m.Type == "pong" {
			pongs++
		}
	}
	c.liveOnce("a")
	c.send("%s", head+strings.Repeat("x", limit-len(head)-1)+`"}`)
	c.closed(protocol.CloseTooLarge)
}

func TestP13_LimitsThatAreOff(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "off", "--max-outbox-bytes", "off", "--max-age", "off", "--resume-window", "off", "--max-connections", "off",
		"--client-ttl", "off", "--janitor-interval", "off", "--write-timeout", "off", "--message-timeout", "off", "--max-clients", "off", "--max-total-bytes", "off")
	s.publishN("a", 12_000, 1000, 0)
	require.EqualValues(t, 12_000, s.state("a").Frames)
	for range 20 {
		s.attach("a").cut()
	}
	st := s.eventually("a", "rid of them", func(st protocol.State) bool { return st.Connections == 0 })
	require.Zero(t, st.Places)
	c := s.attach("a")
	require.Len(t, c.upTo(12_000), 12_000)
	c.liveOnce("a")
	require.Equal(t, 200, s.do("POST", "/v1/janitor/sweep", nil).status)
	require.EqualValues(t, 12_002, s.state("a").Head)
}

func TestP9_ASnapshotOfAlmostTheLimitToASlowReader(t *testing.T) {
	t.Parallel()
	data := `"` + strings.Repeat("s", protocol.DefaultMaxMessageBytes-200) + `"`
	e := withSnapshot(t, fixed(5, data, nil))
	e.publishN("a", 10, 10, 0)
	c := e.stuck("a")
	e.publishN("a", 10, 10, 0)
	timer := time.NewTimer(300 * time.Millisecond)
	<-timer.C
	m := c.nextOf("snapshot")
	require.Len(t, m.Raw, len(`{"type":"snapshot","as_of":5,"data":}`)+len(data))
	require.Len(t, c.upTo(20), 15)
	c.liveOnce("a")
}
