package transport

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// listen asks for a client's events; the caller closes the answer's body.
func listen(t *testing.T, s *httptest.Server, path string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+path, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// reads holds what comes next in the stream to want.
func reads(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err, "%s", got)
	require.Equal(t, want, string(got))
}

var hello = protocol.Piece{Body: protocol.EncodeHello(protocol.Hello{ClientID: "c", Epoch: "e1"})}

const helloEvent = "event: hello\ndata: "

// attached asks for events and lets the attach succeed.
func attached(t *testing.T, f *wsFake, s *httptest.Server, path string, header ...string) (*fakeLink, *http.Response) {
	t.Helper()
	type answer struct{ res *http.Response }
	got := make(chan answer, 1)
	go func() { got <- answer{listen(t, s, path, header...)} }()
	l := f.link(t)
	l.peer.Write([]protocol.Piece{hello})
	a := <-got
	l.next(t, "written")
	return l, a.res
}

func TestSSE_EventsAndTheirIds(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	l, res := attached(t, f, s, "/v1/clients/c/events?since=e1:1&ping=60&attach=takeover", "Last-Event-ID", "e1:2")
	require.Equal(t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(t, "sse", l.attach.Transport)
	require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: 2}, *l.attach.Since, "Last-Event-ID wins over since")
	require.True(t, l.attach.Takeover)
	require.Equal(t, time.Minute, l.attach.PingInterval)
	reads(t, res.Body, helloEvent+string(hello.Body)+"\n\n")
	l.peer.Write([]protocol.Piece{
		{Body: protocol.EncodeSnapshot(2, []byte(`{"a":1}`))},
		{Seq: 3, Body: protocol.Body(`{"type":"x"}`)},
		{Body: protocol.EncodeReplayEnd(3)},
		{Body: protocol.EncodeTopicSnapshot("t", 9, []byte(`1`))},
	})
	reads(t, res.Body, "id: e1:2\nevent: snapshot\ndata: {\"type\":\"snapshot\",\"as_of\":2,\"data\":{\"a\":1}}\n\n"+
		"id: e1:3\ndata: {\"seq\":3,\"type\":\"x\"}\n\n"+
		"id: e1:3\nevent: replay_end\ndata: {\"type\":\"replay_end\",\"seq\":3}\n\n"+
		"event: snapshot\ndata: {\"type\":\"snapshot\",\"topic\":\"t\",\"as_of\":9,\"data\":1}\n\n")
	l.next(t, "written")
	l.peer.Close(protocol.CloseReplaced)
	reads(t, res.Body, "retry: 86400000\nevent: close\ndata: {\"code\":4500,\"name\":\"replaced\"}\n\n")
	_, err := res.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, GoneLost, l.next(t, "gone").how)
}

func TestSSE_WhatComesBackIsToldInAStream(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	f.onAttach = func(l *fakeLink) {
		l.peer.Refused(protocol.Piece{Body: protocol.EncodeGoaway(1234)}, protocol.CloseDraining)
	}
	res := listen(t, s, "/v1/clients/c/events")
	require.Equal(t, 200, res.StatusCode)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "event: goaway\ndata: {\"type\":\"goaway\",\"retry_after_ms\":1234}\n\nretry: 1234\nevent: close\ndata: {\"code\":4002,\"name\":\"draining\"}\n\n", string(text))

	f.onAttach = func(l *fakeLink) {
		l.peer.Refused(protocol.Piece{Body: protocol.EncodeError(protocol.Errorf(protocol.CodeBadRequest, "no"))}, protocol.CloseBadRequest)
	}
	res = listen(t, s, "/v1/clients/c/events")
	require.Equal(t, 400, res.StatusCode, "for good: an EventSource gives up")
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
}

func TestSSE_RightsAndExpiry(t *testing.T) {
	var grant Grant
	var refusal error
	_, f, s := wsServer(t, Config{Authorize: func(*http.Request) (Grant, error) { return grant, refusal }})
	grant.Allow = func(v Verb, name string) bool {
		return v == VerbAttach && name == "mine" || v == VerbSubscribe && name == "t"
	}
	require.Equal(t, 403, listen(t, s, "/v1/clients/other/events").StatusCode)
	refusal = errors.New("who are you")
	require.Equal(t, 401, listen(t, s, "/v1/clients/mine/events").StatusCode)
	refusal = protocol.Errorf(protocol.CodeTokenExpired, "yesterday's")
	res := listen(t, s, "/v1/clients/mine/events")
	require.Equal(t, 200, res.StatusCode, "it comes back with a new token")
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"code":4401`)
	require.Empty(t, f.links, "nothing was created (P-25)")

	refusal, grant.Expires = nil, time.Now().Add(300*time.Millisecond)
	l, res := attached(t, f, s, "/v1/clients/mine/events")
	require.True(t, l.attach.MaySubscribe("t"))
	require.False(t, l.attach.MaySubscribe("u"))
	text, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"code":4401`)
	l.next(t, "gone")
}

func TestSSE_CompressedForWhoAsks(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	l, res := attached(t, f, s, "/v1/clients/c/events", "Accept-Encoding", "br, gzip;q=0.5")
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	z, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	reads(t, z, helloEvent)
	reads(t, z, string(hello.Body)+"\n\n")
	l.peer.Write([]protocol.Piece{{Seq: 1, Body: protocol.Body(`{"type":"x"}`)}})
	reads(t, z, "id: e1:1\ndata: {\"seq\":1,\"type\":\"x\"}\n\n") // at once: it is flushed
	l.peer.Close(protocol.CloseClientDeleted)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Contains(t, string(text), `"code":4504`)
	for _, no := range []string{"gzip;q=0", "br", ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", no)
		require.False(t, acceptsGzip(r), no)
	}
}

func TestSSE_OverHTTP2(t *testing.T) {
	h, f := newWS(t, Config{})
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	l, res := attached(t, f, s, "/v1/clients/c/events")
	require.Equal(t, 2, res.ProtoMajor)
	reads(t, res.Body, helloEvent)
	require.NoError(t, res.Body.Close())
	require.Equal(t, GoneLost, l.next(t, "gone").how)
}

func TestSSE_HeartbeatAndEnd(t *testing.T) {
	h, f, s := wsServer(t, Config{PingInterval: 20 * time.Millisecond})
	l, res := attached(t, f, s, "/v1/clients/c/events")
	reads(t, res.Body, helloEvent+string(hello.Body)+"\n\n: \n\n: \n\n")
	require.EqualValues(t, 1, h.sys.Counters().Connections.Load())
	h.CloseAll()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "event: close\ndata: {\"code\":1001,")
	l.next(t, "gone")
	require.NoError(t, h.WaitConns(t.Context()))
	require.Equal(t, 503, listen(t, s, "/v1/clients/c/events").StatusCode, "the broker has ended")
}

func TestSSE_AnAttachThatComesTooLate(t *testing.T) {
	_, f, s := wsServer(t, Config{HandshakeTimeout: 50 * time.Millisecond})
	f.onAttach = func(*fakeLink) {} // it hangs
	res := listen(t, s, "/v1/clients/c/events")
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"code":"overloaded"`)
	require.Contains(t, string(text), `"code":4004`)
	l := f.link(t)
	l.peer.Attached(l)
	require.Equal(t, GoneLost, l.next(t, "gone").how, "the client is told of the end all the same")
}

// TestSSE_ASlowReader: it takes nothing any more, and its connection ends; what was under way is counted, and is still in its outbox.
func TestSSE_ASlowReader(t *testing.T) {
	h, f, s := wsServer(t, Config{WriteTimeout: 100 * time.Millisecond})
	l, _ := attached(t, f, s, "/v1/clients/c/events", "Accept-Encoding", "identity")
	big := protocol.Body(`{"type":"x","fill":"` + strings.Repeat("x", 60<<10) + `"}`)
	for seq := uint64(1); ; seq++ {
		l.peer.Write([]protocol.Piece{{Seq: seq, Body: big}})
		if e := l.any(t); e.call == "gone" {
			require.Equal(t, GoneLost, e.how)
			break
		}
		require.Less(t, seq, uint64(10_000), "the kernel takes only so much")
	}
	require.NoError(t, h.WaitConns(t.Context()))
	require.EqualValues(t, 1, h.sys.Counters().Dropped[actors.DropUnsent].Load())
	require.EqualValues(t, 1, h.sys.Counters().Closed.Snapshot()[protocol.CloseSlowConsumer.Name()])
}

func TestSSE_OnlyByGet(t *testing.T) {
	_, _, s := wsServer(t, Config{})
	for _, method := range []string{"HEAD", "PUT", "DELETE"} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/v1/clients/c/events", nil)
		require.NoError(t, err)
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 405, res.StatusCode, method)
	}
}
