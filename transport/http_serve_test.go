package transport

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestUnknownPaths(t *testing.T) {
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/nothing", "/v2/clients", "/v1/clients/", "/v1/clients/a/", "/v1/clients/a/frames/", "/v1/clients/a/b",
		"/v1/clients//frames", "//v1/clients", "/v1/clients/../clients", "/v1/clients/./a", "/healthz/", "/v1/topics/", "/v1/topics/a/b", "/v1/clients/a/snapshots",
	} {
		t.Run(path, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			requireProblem(t, httpCall{method: "GET", path: path}.do(h), 404, protocol.CodeNotFound)
			require.Empty(t, f.calls())
		})
	}
}

func TestWrongMethods(t *testing.T) {
	for path, allow := range map[string]string{
		"/v1/clients":            "GET, HEAD",
		"/v1/clients/a":          "DELETE, GET, HEAD",
		"/v1/clients/a/frames":   "GET, HEAD, POST",
		"/v1/clients/a/ack":      "POST",
		"/v1/clients/a/messages": "POST",
		"/v1/clients/a/events":   "GET, HEAD",
		"/v1/clients/a/snapshot": "DELETE, GET, HEAD, PUT",
		"/v1/janitor/sweep":      "POST",
		"/v1/ws":                 "GET",
		"/healthz":               "GET, HEAD",
		"/readyz":                "GET, HEAD",
		"/metrics":               "GET, HEAD",
	} {
		for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "get"} {
			if strings.Contains(allow, method) {
				continue
			}
			t.Run(method+" "+path, func(t *testing.T) {
				h, f := newHTTP(t, Config{})
				w := httpCall{method: method, path: path}.do(h)
				requireProblem(t, w, 405, protocol.CodeBadRequest)
				require.Equal(t, allow, w.Header().Get("Allow"))
				require.Empty(t, f.calls())
			})
		}
	}
}

func TestP4_ClientIDInThePath(t *testing.T) {
	long := strings.Repeat("x", 128)
	for escaped, id := range map[string]string{
		"tab-1": "tab-1", "a%3Ab": "a:b", "a:b": "a:b", "user%40host": "user@host", "%7Etilde": "~tilde", "a.b_c~d:e@f-9": "a.b_c~d:e@f-9", long: long, "frames": "frames",
	} {
		t.Run(escaped, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients/" + escaped}.do(h).Code)
			require.Equal(t, []string{"state " + id}, f.calls())
		})
	}
	for _, bad := range []string{"a%2Fb", "a%20b", "%2e", "%2E%2e", "%C3%A9", "%FF", "a%00b", "a+b", long + "x", "a%25", "a*b"} {
		for _, c := range []httpCall{
			{method: "GET", path: "/v1/clients/" + bad},
			{method: "DELETE", path: "/v1/clients/" + bad},
			{method: "GET", path: "/v1/clients/" + bad + "/frames"},
			{method: "POST", path: "/v1/clients/" + bad + "/frames", body: `{"type":"x"}`, header: asJSON},
			{method: "POST", path: "/v1/clients/" + bad + "/ack", body: `{"cursor":"e:1"}`, header: asJSON},
			{method: "PUT", path: "/v1/clients/" + bad + "/snapshot", body: `{"as_of":"e:1","data":1}`, header: asJSON},
			{method: "GET", path: "/v1/clients/" + bad + "/snapshot"},
			{method: "DELETE", path: "/v1/clients/" + bad + "/snapshot"},
			{method: "POST", path: "/v1/clients/" + bad + "/messages", body: `{"type":"ack","seq":1}`, header: asJSON},
		} {
			t.Run(c.method+" "+c.path, func(t *testing.T) {
				h, f := newHTTP(t, Config{})
				requireProblem(t, c.do(h), 400, protocol.CodeBadRequest)
				require.Empty(t, f.calls())
			})
		}
	}
}

func TestQueryThatCannotBeRead(t *testing.T) {
	for _, q := range []string{"?since=%zz", "?a;b", "?%"} {
		h, f := newHTTP(t, Config{})
		r := httpCall{method: "GET", path: "/v1/clients/a"}.request()
		r.URL.RawQuery = q[1:]
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		requireProblem(t, w, 400, protocol.CodeBadRequest)
		require.Empty(t, f.calls())
	}
}

func TestMountsBelowAPrefixBesideOthers(t *testing.T) {
	h, f := newHTTP(t, Config{})
	mux := http.NewServeMux()
	mux.Handle("/broker/", http.StripPrefix("/broker", h))
	mux.HandleFunc("GET /{page}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("page")) })
	srv := httptest.NewServer(mux)
	defer srv.Close()

	get := func(path string) (int, string) {
		res, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	code, body := get("/home")
	require.Equal(t, 200, code)
	require.Equal(t, "home", body)
	code, body = get("/broker/healthz")
	require.Equal(t, 200, code)
	require.Equal(t, "ok", body)
	code, _ = get("/broker/v1/clients/a%3Ab")
	require.Equal(t, 200, code)
	require.Equal(t, []string{"state a:b"}, f.calls())
	code, body = get("/broker/")
	require.Equal(t, 404, code)
	require.Contains(t, body, `"code":"not_found"`)
	code, _ = get("/healthz2/x")
	require.Equal(t, 404, code)

	t.Run("as the only handler", func(t *testing.T) {
		srv := httptest.NewServer(h)
		defer srv.Close()
		res, err := srv.Client().Get(srv.URL + "/readyz")
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
	})
}

func TestPanicEndsOnlyItsCall(t *testing.T) {
	var log strings.Builder
	h, f := newHTTP(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	f.onRead = func(context.Context) (protocol.Page, error) { panic("a bug") }
	w := httpCall{method: "GET", path: "/v1/clients/a/frames?token=secret"}.do(h)
	p := requireProblem(t, w, 500, protocol.CodeInternal)
	require.NotContains(t, p.Detail, "a bug")
	require.EqualValues(t, 1, h.sys.Counters().Panics.Load())
	require.Contains(t, log.String(), "a bug")
	require.Contains(t, log.String(), "http_fake_test.go", "with the stack")
	require.NotContains(t, log.String(), "secret")
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients/a"}.do(h).Code)

	t.Run("net/http's own abort goes on", func(t *testing.T) {
		f.onRead = func(context.Context) (protocol.Page, error) { panic(http.ErrAbortHandler) }
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { httpCall{method: "GET", path: "/v1/clients/a/frames"}.do(h) })
	})
	t.Run("in Authorize", func(t *testing.T) {
		h, _ := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { panic("theirs") }})
		requireProblem(t, httpCall{method: "GET", path: "/v1/clients"}.do(h), 500, protocol.CodeInternal)
	})
}

func TestAnswersAreNotKeptBySomeoneElse(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	for _, path := range []string{"/v1/clients/a", "/nowhere", "/healthz"} {
		w := httpCall{method: "GET", path: path}.do(h)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}

func TestHead(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	srv := httptest.NewServer(h)
	defer srv.Close()
	res, err := srv.Client().Head(srv.URL + "/v1/clients/a")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	require.Positive(t, res.ContentLength)
}

func TestP21_WebSocketRoute(t *testing.T) {
	h, f := newHTTP(t, Config{})
	srv := httptest.NewServer(h)
	defer srv.Close()
	status := func(path string, header ...string) int {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		sendText(t, conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, strings.Join(header, ""))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		return res.StatusCode
	}
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	require.Equal(t, 426, status("/v1/ws"))
	require.Equal(t, 403, status("/v1/ws", upgrade, "Origin: https://evil.example\r\n"), "P-31: before the upgrade")
	require.Equal(t, 101, status("/v1/ws?client_id=a%zz", upgrade), "anything else is told on the connection")
	require.Empty(t, f.calls())

	h.CloseAll()
	require.NoError(t, h.WaitConns(t.Context()))
}
