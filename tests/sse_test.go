package tests

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestSSE_FreshThenReplayThenLive(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 5, 5, 0)
	for _, compressed := range []bool{false, true} {
		c := newEventSource(t, s.url, "a", "")
		c.gzip = compressed
		frames, end := c.until("replay_end")
		require.Equal(t, protocol.ResumeFresh, c.hello.Resume)
		require.Equal(t, c.hello.Head, end.At)
		require.Len(t, frames, int(c.hello.Head))
		c.liveOnce(s.endpoint)
		c.cut()
		s.publishN("a", 3, 3, 0)
		frames, _ = c.until("replay_end")
		require.Equal(t, protocol.ResumeReplay, c.hello.Resume, "by Last-Event-ID")
		require.Len(t, frames, 3)
		c.liveOnce(s.endpoint)
		require.Zero(t, c.repeats)
		c.cut()
	}
	s.eventually("a", "left", func(st protocol.State) bool { return st.Connections == 0 })
}

func TestSSE_TooOldWithAStoredSnapshot(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "20")
	ep := s.publishN("a", 40, 2, 0).Epoch
	s.putSnapshot("a", ep, 30, `{"sum":30}`)
	c := newEventSource(t, s.url, "a", "since="+ep+":3")
	m := c.next()
	require.Equal(t, protocol.ResumeTooOld, m.Resume)
	require.True(t, m.Snapshot)
	require.Equal(t, `{"type":"snapshot","as_of":30,"data":{"sum":30}}`, c.next().Raw)
	frames, _ := c.until("replay_end")
	require.Len(t, frames, 10)
	c.liveOnce(s.endpoint)
	c.cut() // what came after the snapshot counts
	c.liveOnce(s.endpoint)
	require.Equal(t, protocol.ResumeReplay, c.hello.Resume)
}

func TestSSE_Takeover(t *testing.T) {
	t.Parallel()
	s := serve(t)
	first, socket := s.source("a", ""), s.attach("a")
	second := s.source("a", "attach=takeover")
	first.closes(protocol.CloseReplaced)
	socket.closed(protocol.CloseReplaced)
	second.liveOnce(s.endpoint)
	third := s.attach("a", "attach", "takeover")
	second.closes(protocol.CloseReplaced)
	third.liveOnce("a")
}

func TestSSE_DeletingTheClientEndsTheStream(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.source("a", "")
	c.liveOnce(s.endpoint)
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	c.closes(protocol.CloseClientDeleted)
	require.EqualValues(t, 1, s.metric("restante_closed_total", `"client_deleted"`))
}

func TestSSE_DrainSaysWhenToComeBackAndTheReaderGoesOn(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.start()
	s.publishN("a", 10, 10, 0)
	c := s.source("a", "")
	c.upTo(10)
	s.signal(syscall.SIGTERM)
	_, away := c.until("goaway")
	require.NotNil(t, away.RetryAfterMS)
	c.closes(protocol.CloseDraining)
	require.Equal(t, *away.RetryAfterMS, c.retry.Milliseconds())
	require.Zero(t, s.waitExit(patience))
	s = h.start()
	s.publish("a", `{"type":"x"}`)
	require.Len(t, c.upTo(11), 1)
	require.Equal(t, protocol.ResumeReplay, c.hello.Resume)
	c.liveOnce(s.endpoint)
	h.now.kill()
	s = h.start()
	c.liveOnce(s.endpoint)
	require.Zero(t, c.repeats)
}

func TestSSE_ReadersAndASocketOfOneClientAndTheirAcks(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a, b, socket := s.source("a", ""), s.source("a", ""), s.attach("a")
	ep := s.publishN("a", 10, 10, 0).Epoch
	a.upTo(10)
	b.upTo(10)
	socket.upTo(10)
	st := s.state("a")
	require.Equal(t, 3, st.Connections)
	kinds := map[string]int{}
	for _, at := range st.Attachments {
		kinds[at.Transport]++
	}
	require.Equal(t, map[string]int{"sse": 2, "websocket": 1}, kinds)
	ack := func(c *eventSource, seq int) {
		r := s.do("POST", "/v1/clients/a/ack", fmt.Appendf(nil, `{"cursor":"%s:%d","connection_id":%q}`, ep, seq, c.hello.ConnectionID))
		require.Equal(t, 200, r.status, "%s", r)
	}
	ack(a, 10)
	require.Zero(t, s.state("a").Floor, "the others hold it")
	ack(b, 7)
	socket.ack(9)
	s.eventually("a", "pruned up to the least", func(st protocol.State) bool { return st.Floor == 7 })
	ack(b, 10)
	socket.ack(10)
	s.eventually("a", "pruned", func(st protocol.State) bool { return st.Floor == 10 })
	for _, c := range []*eventSource{a, b} {
		c.liveOnce(s.endpoint)
	}
	require.Len(t, socket.upTo(b.cursor), 2+2, "what both saw")
	// A message says it as well, for the client and no connection of it.
	one := s.source("b", "")
	last := s.publishN("b", 4, 4, 0)
	one.upTo(4)
	r := s.do("POST", "/v1/clients/b/messages", fmt.Appendf(nil, `{"type":"ack","seq":%d}`, last.Seq))
	require.Less(t, r.status, 300, "%s", r)
	require.EqualValues(t, 4, s.state("b").Acked)
	require.Zero(t, s.state("b").Floor, "the stream's own mark has not moved")
	r = s.do("POST", "/v1/clients/b/messages", fmt.Appendf(nil, `{"type":"ack","seq":%d,"connection_id":%q}`, last.Seq, one.hello.ConnectionID))
	require.Equal(t, 204, r.status, "%s", r)
	require.EqualValues(t, 4, s.state("b").Floor, "it names the stream")
}

// TestSSE_AReaderThatReadsNothingIsBounded: what it does not take waits in the outbox, not in the stream, and it is gone after the write timeout.
func TestSSE_AReaderThatReadsNothingIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "1s", "--max-frames", "100")
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	nc, err := dialer.DialContext(t.Context(), "tcp", s.host())
	require.NoError(t, err)
	defer nc.Close()
	_, err = fmt.Fprintf(nc, "GET /v1/clients/a/events HTTP/1.1\r\nHost: %s\r\n\r\n", s.host())
	require.NoError(t, err)
	s.eventually("a", "attached", func(st protocol.State) bool { return st.Connections == 1 })
	healthy := s.source("a", "")
	for begin := time.Now(); s.metric("restante_closed_total", `"slow_consumer"`) < 1; {
		require.Less(t, time.Since(begin), patience)
		healthy.upTo(s.publishN("a", 50, 10, 30_000).Seq)
	}
	s.eventually("a", "gone", func(st protocol.State) bool { return st.Connections == 1 })
	healthy.liveOnce(s.endpoint)
	require.LessOrEqual(t, s.state("a").Frames, uint64(100))
}

func TestSSE_Refusals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, status := range map[string]int{"a/events?since=x": 400, "a/events?attach=x": 400, "a%20b/events": 400} {
		require.Equal(t, status, s.do("GET", "/v1/clients/"+path, nil).status, path)
	}
	require.Equal(t, protocol.CodeBadCursor, s.do("GET", "/v1/clients/a/events", nil, "Last-Event-ID", "x").problem(t).Code)
	require.Equal(t, 403, s.do("GET", "/v1/clients/a/events", nil, "Origin", "https://a.example").status)
	require.Equal(t, 405, s.do("POST", "/v1/clients/a/events", nil).status)
	require.Equal(t, 200, s.do("HEAD", "/v1/clients/a/events", nil).status)
	require.Equal(t, 404, s.do("GET", "/v1/clients/a", nil).status, "nobody was made")
}

// TestSSE_ALongPollIsTheSameReading is the phone's scenario in short, without a stream.
func TestSSE_ALongPollIsTheSameReading(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.start()
	p := newProxy(t, s.host(), 4000)
	near := &endpoint{t: t, url: p.url()}
	s.say("a", `{"type":"subscribe","topic":"news"}`)
	first := s.page("a", "")
	done := make(chan error, 1)
	go func() { done <- s.speak("a", "news", 40) }()
	cursor, seen, seq := first.Epoch+":0", newSeen(), uint64(0)
	for begin := time.Now(); !seen.all(40); {
		require.Less(t, time.Since(begin), patience)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err := near.try(ctx, "GET", framesPath("a")+"?wait=2s&limit=7&since="+cursor, nil)
		cancel()
		if err != nil || r.status == 502 { // cut, and asked again
			continue
		}
		require.Equal(t, 200, r.status, "%s", r)
		page := decodePage(t, r.body)
		require.Contains(t, []string{string(protocol.ResumeReplay), string(protocol.ResumeUpToDate)}, string(page.Resume))
		for _, f := range page.Frames {
			seq++
			require.True(t, bytes.HasPrefix(f, fmt.Appendf(nil, `{"seq":%d,`, seq)), "%s", f)
			seen.add(t, string(f))
		}
		cursor = page.Cursor
	}
	require.NoError(t, <-done)
	require.Positive(t, p.cuts.Load())
	mark := unique()
	go func() { _, _ = s.tryPublish(context.Background(), "a", fmt.Sprintf(`{"type":"live","mark":%q}`, mark)) }()
	page := s.page("a", "wait=30s&since="+cursor)
	require.Len(t, page.Frames, 1)
	require.Contains(t, string(page.Frames[0]), mark)
	require.Equal(t, protocol.ResumeUpToDate, s.page("a", "wait=50ms&since="+page.Cursor).Resume)
}

// TestSSE_APhoneBehindAProxyThatCuts: it follows topics, and speaks by POST; the proxy cuts its stream every few hundred bytes, at any of them, and answers 502
// for a while. Every frame comes once and in order.
func TestSSE_APhoneBehindAProxyThatCuts(t *testing.T) {
	t.Parallel()
	for _, compressed := range []bool{false, true} {
		t.Run(fmt.Sprintf("gzip=%v", compressed), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			most := 3000
			if compressed {
				most = 1000
			}
			p := newProxy(t, s.host(), most)
			near := &endpoint{t: t, url: p.url()}
			for _, topic := range []string{"news", "score.*"} {
				near.sayUntil("phone", fmt.Sprintf(`{"type":"subscribe","topic":%q}`, topic))
			}
			peer := s.attach("peer")
			c := newEventSource(t, p.url(), "phone", "")
			c.since = s.state("phone").Epoch + ":0"
			c.gzip = compressed
			const n = 60
			done := make(chan error, 2)
			go func() { done <- s.speak("phone", "news", n) }()
			go func() { done <- s.speak("", "score.7", n) }()
			seen := newSeen()
			for i := 0; !seen.all(n) || !seen.topic("score.7", n); i++ {
				switch i {
				case 20:
					p.bad.Store(true)
					p.cut()
					time.AfterFunc(300*time.Millisecond, func() { p.bad.Store(false) })
				case 40: // what it says goes through
					near.sayUntil("phone", `{"type":"send","to":"peer","id":"one","frame":{"type":"hi","mark":"from the phone"}}`)
				}
				if m := c.next(); m.Seq > 0 {
					seen.add(t, m.Raw)
				}
			}
			require.NoError(t, <-done)
			require.NoError(t, <-done)
			require.Positive(t, c.gaveUp, "it has met the 502")
			require.Greater(t, c.opens, 5)
			t.Logf("%d streams, %d cuts, %d repeats, %d times given up", c.opens, p.cuts.Load(), c.repeats, c.gaveUp)
			require.Equal(t, "from the phone", peer.upTo(1)[0].Mark)
			c.liveOnce(s.endpoint)
			peer.liveOnce("peer")
			require.EqualValues(t, 3, s.state("peer").Head, "it was sent once, however often it was said")
		})
	}
}
