package tests

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// sseEvent is one event of a stream, as an EventSource dispatches it.
type sseEvent struct{ id, name, data string }

// eventSource reads a client's events by the rules of the browsers': it comes back by itself after retry, with the last id that it has seen, until a
// status other than 200 ends it for good.
type eventSource struct {
	t    *testing.T
	url  string
	base http.RoundTripper

	last   string // Last-Event-ID
	retry  time.Duration
	opens  int
	body   io.ReadCloser
	lines  *bufio.Reader
	status int // that ended it
}

func (e *endpoint) eventSource(id, q string) *eventSource {
	s := &eventSource{t: e.t, url: e.url + "/v1/clients/" + url.PathEscape(id) + "/events" + q, retry: 20 * time.Millisecond, base: &http.Transport{}}
	e.t.Cleanup(s.close)
	return s
}

func (s *eventSource) close() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// open connects once.
func (s *eventSource) open() error {
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url, nil)
	require.NoError(s.t, err)
	req.Header.Set("Accept", "text/event-stream")
	if s.last != "" {
		req.Header.Set("Last-Event-ID", s.last)
	}
	res, err := s.base.RoundTrip(req)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 {
		s.status = res.StatusCode
		_ = res.Body.Close()
		return fmt.Errorf("status %d", res.StatusCode)
	}
	require.Equal(s.t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(s.t, "no", res.Header.Get("X-Accel-Buffering"))
	require.Contains(s.t, res.Header.Get("Cache-Control"), "no-transform")
	s.opens++
	s.body, s.lines = res.Body, bufio.NewReader(res.Body)
	return nil
}

// next is the next event of the connection as it is.
func (s *eventSource) next() (ev sseEvent, err error) {
	id := s.last
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return ev, err // an event without its blank line is none
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "event":
			ev.name = value
		case "data":
			ev.data += value
		case "retry":
			ms, err := strconv.Atoi(value)
			require.NoError(s.t, err)
			s.retry = time.Duration(ms) * time.Millisecond
		case "":
			if line != "" {
				continue // a comment
			}
			s.last, ev.id = id, id
			if ev.data != "" {
				return ev, nil
			}
			ev = sseEvent{}
		}
	}
}

// event is the next event, over as many connections as it takes.
func (s *eventSource) event() (ev sseEvent, err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if s.body == nil {
			if err := s.open(); err != nil {
				if s.status != 0 {
					return ev, err
				}
				time.Sleep(min(s.retry, 100*time.Millisecond))
				continue
			}
		}
		if ev, err = s.next(); err == nil {
			return ev, nil
		}
		s.close()
		time.Sleep(min(s.retry, 100*time.Millisecond))
	}
	return ev, errors.New("no event came")
}

// frame is the next sequenced frame; it is given the names of the broker's events before it.
func (s *eventSource) frame() (f topicFrame, seq uint64, before []string) {
	s.t.Helper()
	for {
		ev, err := s.event()
		require.NoError(s.t, err)
		if ev.name != "" {
			before = append(before, ev.name)
			continue
		}
		in, err := protocol.ParseIncoming([]byte(ev.data))
		require.NoError(s.t, err)
		require.True(s.t, strings.HasSuffix(ev.id, fmt.Sprintf(":%d", in.Seq)), "the id is the cursor: %+v", ev)
		return readTopicFrame(s.t, []byte(ev.data)), in.Seq, before
	}
}

// cutter is a proxy that cuts every connection after a while, wherever it is.
type cutter struct {
	ln     net.Listener
	target string
	every  time.Duration
	cuts   int
	mu     sync.Mutex
	all    sync.WaitGroup
}

func newCutter(t *testing.T, target string, every time.Duration) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{ln: ln, target: target, every: every}
	c.all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.pass(conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		c.all.Wait()
	})
	return c
}

func (c *cutter) pass(in *net.TCPConn) {
	defer in.Close()
	up, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	out := up.(*net.TCPConn)
	defer out.Close()
	cut := time.AfterFunc(c.every/2+rand.N(c.every), func() {
		c.mu.Lock()
		c.cuts++
		c.mu.Unlock()
		_ = in.SetLinger(0)
		_ = in.Close()
		_ = out.Close()
	})
	defer cut.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.CopyBuffer(struct{ io.Writer }{in}, out, make([]byte, 300)) // so that a cut falls anywhere
	_ = in.Close()
	<-done
}

// TestP11_APhoneOnServerSentEvents plays the phone behind a proxy that allows no WebSocket and cuts every connection after a moment: what it follows, what is
// published to it, and what it says by POST; across a restart, too.
func TestP11_APhoneOnServerSentEvents(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	e := h.start()
	proxy := newCutter(t, h.addr, 150*time.Millisecond)
	through := &endpoint{t: t, url: "http://" + proxy.ln.Addr().String()}
	say := func(message string) []byte { // as a page's fetch, which is repeated where the proxy cuts it
		t.Helper()
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if r, err := through.try(t.Context(), "POST", "/v1/clients/phone/messages", []byte(message)); err == nil {
				require.Contains(t, []int{200, 204}, r.status, "%s", r)
				return r.body
			}
		}
		require.FailNow(t, "it cannot be said")
		return nil
	}
	phone := through.eventSource("phone", "")
	ev, err := phone.event()
	require.NoError(t, err)
	require.Equal(t, "hello", ev.name)
	require.Empty(t, ev.id, "hello has no id")
	var s protocol.Subscribed
	require.NoError(t, json.Unmarshal(say(`{"type":"subscribe","topic":"news"}`), &s))
	require.Equal(t, "news", s.Topic)

	const each = 250
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for n := range 2 {
		all.Go(func() {
			for i := 1; i <= each; i++ {
				for {
					var err error
					if n == 0 {
						_, err = e.tryPublish(ctx, "phone", numbered(i, 200))
					} else {
						_, err = e.tryTell(ctx, "news", numbered(i, 200))
					}
					if err == nil || ctx.Err() != nil {
						break
					}
					time.Sleep(pollEvery)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	direct, news, last := 0, uint64(0), uint64(0)
	read := func() {
		f, seq, _ := phone.frame()
		if seq <= last { // as libraries do (P-3)
			return
		}
		require.Equal(t, last+1, seq)
		last = seq
		if f.Topic == "news" {
			require.Equal(t, news+1, f.TopicSeq)
			news++
		} else {
			require.Equal(t, direct+1, f.N)
			direct++
		}
	}
	for direct < each || news < each {
		read()
		if last%50 == 0 {
			say(fmt.Sprintf(`{"type":"ack","seq":%d}`, last))
		}
	}
	all.Wait()
	require.Greater(t, phone.opens, 3, "the proxy cut")
	say(`{"type":"send","id":"1","to":"agent","frame":{"type":"typed"}}`)
	require.EqualValues(t, 1, e.state("agent").Head)

	h.stop() // the stream is told to come back
	h.start()
	e.tell("news", numbered(each+1, 10))
	read()
	require.EqualValues(t, each+1, news, "a later live frame arrives exactly once")
	h.stop()
}

func TestP23_AStreamIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	e := serve(t)
	s := e.eventSource("c", "")
	ev, err := s.event()
	require.NoError(t, err)
	require.Equal(t, "hello", ev.name)
	require.EqualValues(t, 1, e.metric("restante_connections "))
	e.signal(syscall.SIGTERM)
	var names []string
	for ev.name != "close" {
		ev, err = s.next()
		require.NoError(t, err)
		names = append(names, ev.name)
	}
	require.Contains(t, names, "goaway")
	require.Contains(t, ev.data, `"code":4002`)
	require.LessOrEqual(t, s.retry, 30*time.Second)
	_, err = s.next()
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, e.waitExit(patience))
}

func TestP15_AStreamIsAConnectionLikeAnyOther(t *testing.T) {
	t.Parallel()
	e := serve(t)
	e.publish("c", numbered(1, 10))
	s, ws := e.eventSource("c", ""), e.reader("c")
	_, seq, before := s.frame()
	require.EqualValues(t, 1, seq)
	require.Equal(t, []string{"hello"}, before)
	e.publish("c", numbered(2, 10))
	_, seq, before = s.frame()
	require.EqualValues(t, 2, seq)
	require.Equal(t, []string{"replay_end"}, before)
	require.EqualValues(t, 2, ws.next().Seq)
	st := e.state("c")
	require.Len(t, st.Attachments, 2)
	var id string
	for _, a := range st.Attachments {
		if a.Transport == "sse" {
			id = a.ConnectionID
		}
	}
	require.NotEmpty(t, id)
	r := e.do("POST", "/v1/clients/c/ack", []byte(fmt.Sprintf(`{"cursor":"%s:2","connection_id":"%s"}`, st.Epoch, id)))
	require.Equal(t, 200, r.status, "%s", r)
	require.EqualValues(t, 0, e.state("c").Floor, "the socket has acked nothing (P-11)")
	ws.ack(2)
	require.EqualValues(t, 2, e.state("c").Floor)

	e.attach("c", "since", ws.cursor(), "attach", "takeover")
	var ev sseEvent
	var err error
	for ev.name != "close" {
		ev, err = s.next()
		require.NoError(t, err)
	}
	require.Contains(t, ev.data, `"code":4500`)
	require.Greater(t, s.retry, time.Hour, "an EventSource cannot be told to stop, but to stay away")
	require.Equal(t, 204, e.do("DELETE", "/v1/clients/c", nil).status)
}

func TestP20_AStreamThatIsRefusedForGoodIsAStatus(t *testing.T) {
	t.Parallel()
	e := serve(t)
	for _, c := range []struct {
		path, last string
		status     int
		code       protocol.Code
	}{
		{"/v1/clients/c/events?since=x", "", 400, protocol.CodeBadCursor},
		{"/v1/clients/c/events?since=0", "x:y:z", 400, protocol.CodeBadCursor},
		{"/v1/clients/c/events?attach=now", "", 400, protocol.CodeBadRequest},
		{"/v1/clients/c%20c/events", "", 400, protocol.CodeBadRequest},
	} {
		r := e.do("GET", c.path, nil, "Last-Event-ID", c.last)
		require.Equal(t, c.status, r.status, "%s", c.path)
		require.Equal(t, c.code, r.problem(t).Code, "%s", c.path)
	}
	require.Equal(t, 405, e.do("POST", "/v1/clients/c/events", []byte(`{}`)).status)
}
