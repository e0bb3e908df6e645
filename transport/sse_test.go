package transport

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func piece(seq uint64, body string) protocol.Piece {
	return protocol.Piece{Seq: seq, Body: protocol.Body(body)}
}

func TestSSE_FramesHaveIDsAndTheBrokersOwnHaveNames(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c, l := opened(t, f, s, "tab-1/events")
	require.Equal(t, "tab-1", l.id)
	require.Equal(t, "sse", l.attach.Transport)
	require.NotEmpty(t, l.attach.ConnectionID)
	require.Nil(t, l.attach.Since)
	require.False(t, l.attach.Takeover)
	require.Equal(t, "text/event-stream; charset=utf-8", c.res.Header.Get("Content-Type"))
	require.Equal(t, "no-store, no-transform", c.res.Header.Get("Cache-Control"))
	require.Equal(t, "no", c.res.Header.Get("X-Accel-Buffering"))
	require.Empty(t, c.res.Header.Get("Content-Encoding"))
	require.EqualValues(t, 1, h.sys.Counters().Connections.Load())

	l.peer.Write([]protocol.Piece{
		piece(0, `{"type":"snapshot","as_of":4,"data":{"a":"\n"}}`), piece(5, `{"type":"x"}`), piece(0, `{"type":"replay_end","seq":5}`),
		piece(0, `{"type":"snapshot","topic":"t","as_of":9,"data":1}`), piece(0, `{"type":"subscribed","topic":"t"}`), piece(0, `{"type":"error","code":"conflict"}`),
	})
	for _, want := range []sseEvent{
		{name: "snapshot", id: "e1:4", data: `{"type":"snapshot","as_of":4,"data":{"a":"\n"}}`},
		{id: "e1:5", data: `{"seq":5,"type":"x"}`},
		{name: "replay_end", id: "e1:5", data: `{"type":"replay_end","seq":5}`},
		{name: "snapshot", data: `{"type":"snapshot","topic":"t","as_of":9,"data":1}`},
		{name: "subscribed", data: `{"type":"subscribed","topic":"t"}`},
		{name: "error", data: `{"type":"error","code":"conflict"}`},
	} {
		require.Equal(t, want, c.next())
	}
	l.next(t, "written")
	l.none(t)
	l.peer.Write(pieces(6, 300, 1000))
	for seq := uint64(6); seq < 306; seq++ {
		require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: seq}.String(), c.next().id)
	}
	l.next(t, "written")
	n := h.sys.Counters()
	require.EqualValues(t, 301, n.Delivered.Load())
	require.EqualValues(t, 3, n.Batches.Load())
	require.Greater(t, n.DeliveredBytes.Load(), int64(300_000))

	require.NoError(t, c.nc.Close())
	require.Equal(t, GoneLost, l.next(t, "gone").how, "it cannot say goodbye")
	eventually(t, "counted out", func() bool { return n.Connections.Load() == 0 })
}

func TestSSE_WhatTheStreamBeginsWith(t *testing.T) {
	_, f, s := wsServer(t, Config{PingInterval: time.Minute})
	_, l := opened(t, f, s, "a/events?since=e1:7&attach=takeover&ping=45")
	require.Equal(t, &protocol.Cursor{Epoch: "e1", Seq: 7}, l.attach.Since)
	require.True(t, l.attach.Takeover)
	require.Equal(t, 45*time.Second, l.attach.PingInterval)
	_, l = opened(t, f, s, "a/events?since=e1:7", "Last-Event-ID", "e2:9")
	require.Equal(t, &protocol.Cursor{Epoch: "e2", Seq: 9}, l.attach.Since, "Last-Event-ID wins")
	_, l = opened(t, f, s, "a/events?since=bad", "Last-Event-ID", "e2:9")
	require.Equal(t, &protocol.Cursor{Epoch: "e2", Seq: 9}, l.attach.Since)
	_, l = opened(t, f, s, "a/events?since=e1:7", "Last-Event-ID", "")
	require.Equal(t, &protocol.Cursor{Epoch: "e1", Seq: 7}, l.attach.Since)
}

func TestSSE_WhatIsRefusedForGoodIsAStatus(t *testing.T) {
	may := func(verb Verb, name string) bool { return verb == VerbAttach && name == "mine" }
	for name, c := range map[string]struct {
		call   httpCall
		status int
		code   protocol.Code
	}{
		"a cursor of the query":  {httpCall{path: "/v1/clients/mine/events?since=x"}, 400, protocol.CodeBadCursor},
		"a cursor of the header": {httpCall{path: "/v1/clients/mine/events?since=e:1", header: map[string]string{"Last-Event-ID": "x y"}}, 400, protocol.CodeBadCursor},
		"attach":                 {httpCall{path: "/v1/clients/mine/events?attach=x"}, 400, protocol.CodeBadRequest},
		"ping":                   {httpCall{path: "/v1/clients/mine/events?ping=x"}, 400, protocol.CodeBadRequest},
		"an id":                  {httpCall{path: "/v1/clients/a%20b/events"}, 400, protocol.CodeBadRequest},
		"another's":              {httpCall{path: "/v1/clients/yours/events"}, 403, protocol.CodeForbidden},
		"a body":                 {httpCall{path: "/v1/clients/mine/events", body: "{}", header: asJSON}, 400, protocol.CodeBadRequest},
		"POST":                   {httpCall{method: "POST", path: "/v1/clients/mine/events"}, 405, protocol.CodeBadRequest},
		"HEAD of another's":      {httpCall{method: "HEAD", path: "/v1/clients/yours/events"}, 403, protocol.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{Authorize: allowing(may)})
			if c.call.method == "" {
				c.call.method = "GET"
			}
			w := c.call.do(h)
			requireProblem(t, w, c.status, c.code)
			require.Empty(t, f.calls())
			require.EqualValues(t, 1, h.sys.Counters().Refused.Snapshot()[string(c.code)])
		})
	}
}

func TestSSE_HeadSaysWhatGetWouldBeginWith(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := httpCall{method: "HEAD", path: "/v1/clients/a/events"}.do(h)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "text/event-stream; charset=utf-8", w.Header().Get("Content-Type"))
	require.Empty(t, f.calls(), "nobody attaches")
	require.Empty(t, w.Body.String())
}

func TestSSE_PagesOfAllowedOriginsMayRead(t *testing.T) {
	_, f, s := wsServer(t, Config{AllowOrigins: []string{"https://a.example"}})
	c, _ := opened(t, f, s, "a/events", "Origin", "https://a.example")
	require.Equal(t, "https://a.example", c.res.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, []string{"Origin", "Accept-Encoding"}, c.res.Header.Values("Vary"))
	require.Equal(t, http.StatusForbidden, openStream(t, s, "a/events", "Origin", "https://b.example").res.StatusCode)
}
