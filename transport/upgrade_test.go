package transport

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

func TestUpgradeIsRFC6455(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	// The key and the answer are the example of RFC 6455, 1.3.
	c, r := dialRaw(t, s, "?client_id=tab-1", http.Header{"Sec-Websocket-Protocol": {"other, restante.v1"}}, nil)
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", r.Header.Get("Sec-WebSocket-Accept"))
	require.Equal(t, []string{"restante.v1"}, r.Header["Sec-Websocket-Protocol"])
	require.Equal(t, "tab-1", f.link(t).id)
	c.leave(1000)
}

func TestUpgradeRefusesWhatIsNoHandshake(t *testing.T) {
	h, f := newWS(t, Config{})
	good := map[string]string{"Connection": "keep-alive, upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	for _, c := range []struct {
		header, value string
		status        int
		answer        string // a header that the answer has to have
	}{
		{"Connection", "keep-alive", http.StatusUpgradeRequired, "Upgrade"},
		{"Upgrade", "h2c", http.StatusUpgradeRequired, "Upgrade"},
		{"Sec-WebSocket-Version", "8", http.StatusUpgradeRequired, "Sec-Websocket-Version"},
		{"Sec-WebSocket-Key", "", http.StatusBadRequest, ""},
		{"Sec-WebSocket-Key", "AAAA", http.StatusBadRequest, ""},
		{"Sec-WebSocket-Key", "not base64!", http.StatusBadRequest, ""},
	} {
		w := httpCall{method: "GET", path: "/v1/ws?client_id=a", header: withHeader(good, c.header, c.value)}.do(h)
		requireProblem(t, w, c.status, protocol.CodeBadRequest)
		if c.answer != "" {
			require.NotEmpty(t, w.Header().Get(c.answer), c.header)
		}
	}
	requireProblem(t, httpCall{method: "POST", path: "/v1/ws", header: good}.do(h), http.StatusMethodNotAllowed, protocol.CodeBadRequest)
	require.Empty(t, f.links)
}

func TestP31_AForeignOriginIsRefusedBeforeTheUpgrade(t *testing.T) {
	_, f, s := wsServer(t, Config{AllowOrigins: []string{"https://app.example"}})
	_, r := dialRaw(t, s, "?client_id=a", http.Header{"Origin": {"https://evil.example"}}, nil)
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	require.Empty(t, f.links)
	for _, origin := range []string{"https://app.example", s.URL} {
		c, r := dialRaw(t, s, "?client_id=a", http.Header{"Origin": {origin}}, nil)
		require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
		f.link(t)
		c.leave(1000)
	}
}

func TestP4_P5_P21_ABadAttachIsToldOnTheConnection(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	for _, c := range []struct {
		query string
		code  protocol.Code
	}{
		{"?client_id=", protocol.CodeBadRequest},
		{"?client_id=..", protocol.CodeBadRequest},
		{"?client_id=a%20b", protocol.CodeBadRequest},
		{"?client_id=" + strings.Repeat("a", 129), protocol.CodeBadRequest},
		{"?client_id=a&client_id=b", protocol.CodeBadRequest},
		{"?since=3", protocol.CodeBadRequest},
		{"?client_id=a&since=", protocol.CodeBadCursor},
		{"?client_id=a&since=-1", protocol.CodeBadCursor},
		{"?client_id=a&since=e1:01", protocol.CodeBadCursor},
		{"?client_id=a&since=e1:9007199254740992", protocol.CodeBadCursor},
		{"?client_id=a&since=1&since=2", protocol.CodeBadRequest},
		{"?client_id=a&attach=", protocol.CodeBadRequest},
		{"?client_id=a&attach=shared", protocol.CodeBadRequest},
		{"?client_id=a&ping=", protocol.CodeBadRequest},
		{"?client_id=a&ping=30s", protocol.CodeBadRequest},
		{"?client_id=a&ping=-30", protocol.CodeBadRequest},
	} {
		ws := dial(t, s, c.query)
		requireRefusal(t, ws, c.code)
	}
	require.Empty(t, f.links, "nothing was attached")
	refused := h.sys.Counters().Refused.Snapshot()
	require.EqualValues(t, 12, refused["bad_request"])
	require.EqualValues(t, 4, refused["bad_cursor"])
	require.EqualValues(t, 16, closedBy(h, protocol.CloseBadRequest))
}

// requireRefusal reads an error with code, the close that belongs to it, and the end.
func requireRefusal(t testing.TB, c *wsClient, code protocol.Code) {
	t.Helper()
	op, payload := c.frame()
	require.Equal(t, ws.OpText, op)
	in, err := protocol.ParseIncoming(payload)
	require.NoError(t, err)
	require.Equal(t, "error", in.Type)
	require.Contains(t, string(payload), `"code":"`+string(code)+`"`)
	c.expectClose(code.Info().Close)
	c.answer(code.Info().Close)
}

func TestP4_TheServerMintsAnID(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	c := dial(t, s, "")
	l := f.link(t)
	require.NoError(t, uuid.Validate(l.id))
	require.NoError(t, uuid.Validate(l.attach.ConnectionID))
	require.NotEqual(t, l.id, l.attach.ConnectionID)
	require.Equal(t, "websocket", l.attach.Transport)
	require.Nil(t, l.attach.Since)
	require.False(t, l.attach.Takeover)
	c.leave(1000)
}

func TestP5_P15_TheAttachIsPassedOn(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a&since=e1:7&attach=takeover&unknown=x")
	l := f.link(t)
	require.Equal(t, &protocol.Cursor{Epoch: "e1", Seq: 7}, l.attach.Since)
	require.True(t, l.attach.Takeover)
	c.leave(1000)
	c = dial(t, s, "?client_id=a&since=0")
	require.Equal(t, &protocol.Cursor{Seq: 0}, f.link(t).attach.Since)
	c.leave(1000)
}

func TestP16_PingIsMovedIntoItsBounds(t *testing.T) {
	for _, c := range []struct {
		own   time.Duration
		query string
		want  time.Duration
	}{
		{25 * time.Second, "", 25 * time.Second},
		{25 * time.Second, "?ping=60", 60 * time.Second},
		{25 * time.Second, "?ping=1", 25 * time.Second},
		{25 * time.Second, "?ping=0", 25 * time.Second},
		{25 * time.Second, "?ping=301", 300 * time.Second},
		{25 * time.Second, "?ping=99999999999999999999999", 300 * time.Second},
		{time.Second, "", time.Second},
		{time.Second, "?ping=60", 60 * time.Second},
		{-1, "", 0},
		{-1, "?ping=60", 60 * time.Second},
	} {
		_, f, s := wsServer(t, Config{PingInterval: c.own})
		ws := dial(t, s, c.query)
		l := f.link(t)
		require.Equal(t, c.want, l.attach.PingInterval, "%+v", c)
		require.Equal(t, 35*time.Second, l.attach.PongTimeout)
		ws.leave(1000)
	}
}

func TestP25_AnAttachNeedsItsRight(t *testing.T) {
	var asked []Verb
	authorize := func(r *http.Request) (Grant, error) {
		switch Token(r) {
		case "good":
			return Grant{Allow: func(v Verb, name string) bool { asked = append(asked, v); return name == "mine" }}, nil
		case "expired":
			return Grant{Expires: time.Now().Add(-time.Second)}, nil
		case "busy":
			return Grant{}, protocol.Errorf(protocol.CodeOverloaded, "later")
		case "odd":
			return Grant{}, protocol.Errorf(protocol.CodeNotFound, "a code that no attach is refused with")
		}
		return Grant{}, errors.New("who are you")
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, f := newWS(t, Config{Authorize: authorize, Logger: logger})
	s := serveWSOver(t, h, false)

	requireRefusal(t, dial(t, s, "?client_id=mine"), protocol.CodeUnauthorized)
	requireRefusal(t, dial(t, s, "?client_id=mine&token=expired"), protocol.CodeTokenExpired)
	requireRefusal(t, dial(t, s, "?client_id=mine&token=busy"), protocol.CodeOverloaded)
	requireRefusal(t, dial(t, s, "?client_id=other&token=good"), protocol.CodeForbidden)
	require.Equal(t, []Verb{VerbAttach}, asked)
	odd := dial(t, s, "?client_id=mine&token=odd")
	odd.frame()
	odd.expectClose(protocol.CloseBadRequest)
	odd.answer(1000)
	require.Empty(t, f.links, "nothing was attached, so nothing created or woken")

	for _, by := range []func() (*wsClient, *http.Response){
		func() (*wsClient, *http.Response) { return dialRaw(t, s, "?client_id=mine&token=good", nil, nil) },
		func() (*wsClient, *http.Response) {
			return dialRaw(t, s, "?client_id=mine", http.Header{"Authorization": {"Bearer good"}}, nil)
		},
		func() (*wsClient, *http.Response) {
			return dialRaw(t, s, "?client_id=mine", http.Header{"Sec-Websocket-Protocol": {"restante.v1, good"}}, nil)
		},
	} {
		c, r := by()
		require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
		for name, values := range r.Header {
			require.NotContains(t, strings.Join(values, " "), "good", "a token is never echoed: %s", name)
		}
		f.link(t)
		c.leave(1000)
	}
	endWS(t, h)
	require.NotContains(t, log.String(), "good", "a token is never logged")
	require.Contains(t, log.String(), "attaches")
}

func TestWhatComesWithTheHandshakeIsRead(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	c, r := dialRaw(t, s, "?client_id=a", nil, join(masked(true, ws.OpText, []byte(`{"type":"pong"}`)), masked(false, ws.OpText, []byte(`{"type":`))))
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	l := f.link(t)
	require.Equal(t, "pong", l.next(t, "message").m.Type)
	c.raw(masked(true, ws.OpContinuation, []byte(`"ping"}`)))
	require.Equal(t, "ping", l.next(t, "message").m.Type)
	c.leave(1000)
}

func TestAHandlerThatCannotHijack(t *testing.T) {
	h, f := newWS(t, Config{})
	r := httpCall{method: "GET", path: "/v1/ws", header: map[string]string{"Connection": "upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}}.request()
	requireProblem(t, recordHTTP(h, r), http.StatusInternalServerError, protocol.CodeInternal)
	require.Empty(t, f.links)
}

func TestAfterCloseAllThereIsNoUpgrade(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	h.CloseAll()
	_, r := dialRaw(t, s, "?client_id=a", nil, nil)
	require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	require.Empty(t, f.links)
}
