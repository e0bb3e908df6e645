package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// Every route, for what holds of them all. A stream of events is none of them: it tells most refusals in a stream.
var everyRoute = []httpCall{
	{method: "GET", path: "/v1/clients"},
	{method: "GET", path: "/v1/clients/a"},
	{method: "DELETE", path: "/v1/clients/a"},
	{method: "GET", path: "/v1/clients/a/frames"},
	{method: "POST", path: "/v1/clients/a/frames", body: `{"type":"x"}`, header: asJSON},
	{method: "POST", path: "/v1/clients/a/ack", body: `{"cursor":"e1:1"}`, header: asJSON},
	{method: "POST", path: "/v1/clients/a/messages", body: `{"type":"ack","seq":1}`, header: asJSON},
	{method: "PUT", path: "/v1/clients/a/snapshot", body: `{"as_of":"e1:1","data":1}`, header: asJSON},
	{method: "GET", path: "/v1/clients/a/snapshot"},
	{method: "DELETE", path: "/v1/clients/a/snapshot"},
	{method: "GET", path: "/v1/topics"},
	{method: "GET", path: "/v1/topics/a"},
	{method: "DELETE", path: "/v1/topics/a"},
	{method: "GET", path: "/v1/topics/a/frames"},
	{method: "POST", path: "/v1/topics/a/frames", body: `{"type":"x"}`, header: asJSON},
	{method: "POST", path: "/v1/topics/a/close"},
	{method: "PUT", path: "/v1/topics/a/snapshot", body: `{"as_of":"e1:1","data":1}`, header: asJSON},
	{method: "GET", path: "/v1/topics/a/snapshot"},
	{method: "DELETE", path: "/v1/topics/a/snapshot"},
	{method: "POST", path: "/v1/broadcast", body: `{"type":"x"}`, header: asJSON},
	{method: "POST", path: "/v1/janitor/sweep"},
	{method: "GET", path: "/healthz"},
	{method: "GET", path: "/readyz"},
	{method: "GET", path: "/metrics"},
	{method: "GET", path: "/nowhere"},
	{method: "PATCH", path: "/v1/clients/a"},
}

func TestP31_EveryRouteIsGuarded(t *testing.T) {
	for _, c := range append(slices.Clone(everyRoute), httpCall{method: "GET", path: "/v1/clients/a/events"}) {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			c.header = withHeader(c.header, "Origin", "https://evil.example")
			requireProblem(t, c.do(h), 403, protocol.CodeForbidden)
			require.Empty(t, f.calls())
		})
	}
}

func TestP31_Origin(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		want         int
	}{
		{"", "localhost:7480", 200},
		{"http://localhost:7480", "localhost:7480", 200},
		{"https://localhost:7480", "localhost:7480", 200},
		{"HTTP://LocalHost:7480", "localhost:7480", 200},
		{"http://broker.example", "broker.example", 200},
		{"http://broker.example", "broker.example:80", 200},
		{"https://broker.example", "Broker.example:443", 200},
		{"http://[::1]:7480", "[::1]:7480", 200},
		{"https://app.example", "localhost:7480", 200},
		{"https://APP.example:443", "localhost:7480", 200},
		{"capacitor://localhost", "localhost:7480", 200},

		{"https://broker.example", "broker.example:80", 403},
		{"http://localhost:3000", "localhost:7480", 403},
		{"http://localhost", "localhost:7480", 403},
		{"http://127.0.0.1:7480", "localhost:7480", 403},
		{"http://app.example", "localhost:7480", 403},
		{"https://app.example:8443", "localhost:7480", 403},
		{"https://app.example.evil.example", "localhost:7480", 403},
		{"https://evil.example/https://app.example", "localhost:7480", 403},
		{"null", "localhost:7480", 403},
		{"file://", "localhost:7480", 403},
		{"http://", "localhost:7480", 403},
		{"ftp://localhost:7480", "localhost:7480", 403},
		{"localhost:7480", "localhost:7480", 403},
		{"*", "localhost:7480", 403},
		{"://", "", 403},
	} {
		t.Run(c.origin+" at "+c.host, func(t *testing.T) {
			h, _ := newHTTP(t, Config{Insecure: true, AllowOrigins: []string{"https://app.example", "capacitor://localhost"}})
			header := map[string]string{"Host": c.host}
			if c.origin != "" {
				header["Origin"] = c.origin
			}
			w := httpCall{method: "GET", path: "/healthz", header: header}.do(h)
			require.Equal(t, c.want, w.Code, w.Body.String())
		})
	}
	t.Run("two of them", func(t *testing.T) {
		h, _ := newHTTP(t, Config{})
		r := httpCall{method: "GET", path: "/healthz"}.request()
		r.Header["Origin"] = []string{"http://localhost:7480", "https://evil.example"}
		require.Equal(t, protocol.CodeForbidden, h.guard(r).Code)
	})
}

func TestP31_StrangersPageWithoutOrigin(t *testing.T) {
	for site, want := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200} {
		t.Run(site, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			w := httpCall{method: "GET", path: "/v1/clients/a/frames", header: map[string]string{"Sec-Fetch-Site": site}}.do(h)
			require.Equal(t, want, w.Code)
			require.Equal(t, want == 200, len(f.calls()) == 1)
		})
	}
	t.Run("with an allowed Origin", func(t *testing.T) {
		h, _ := newHTTP(t, Config{AllowOrigins: []string{"https://app.example"}})
		w := httpCall{method: "GET", path: "/healthz", header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}}.do(h)
		require.Equal(t, 200, w.Code)
	})
}

func TestP31_UnauthenticatedHostMustBeLoopback(t *testing.T) {
	for host, want := range map[string]int{
		"localhost": 200, "localhost:7480": 200, "LOCALHOST.:1": 200, "tab.localhost": 200, "127.0.0.1:7480": 200, "127.9.9.9": 200,
		"[::1]:7480": 200, "[::1]": 200, "[::ffff:127.0.0.1]:80": 200,
		"evil.example": 403, "evil.example:7480": 403, "localhost.evil.example": 403, "notlocalhost": 403, "127.0.0.1.evil.example": 403,
		"127.0.0.1@evil.example": 403, "192.168.1.5:7480": 403, "0.0.0.0:7480": 403, "[::]:7480": 403, "[fe80::1]": 403, "": 403, ":7480": 403, "127.1": 403,
	} {
		t.Run(host, func(t *testing.T) {
			h, _ := newHTTP(t, Config{})
			w := httpCall{method: "GET", path: "/healthz", header: map[string]string{"Host": host}}.do(h)
			require.Equal(t, want, w.Code, w.Body.String())
		})
	}
	t.Run("rebinding makes a stranger's page the own origin", func(t *testing.T) {
		h, _ := newHTTP(t, Config{})
		w := httpCall{method: "GET", path: "/healthz", header: map[string]string{"Host": "evil.example:7480", "Origin": "http://evil.example:7480"}}.do(h)
		requireProblem(t, w, 403, protocol.CodeForbidden)
	})
}

func TestP25_WithoutAuthorizeOnlyLoopbackPeers(t *testing.T) {
	for peer, want := range map[string]int{
		"127.0.0.1:1": 200, "127.8.8.8:1": 200, "[::1]:1": 200, "[::ffff:127.0.0.1]:1": 200,
		"192.0.2.1:1": 403, "[2001:db8::1]:1": 403, "@": 403, "pipe": 403, "0.0.0.0:1": 403,
	} {
		t.Run(peer, func(t *testing.T) {
			h, _ := newHTTP(t, Config{})
			require.Equal(t, want, httpCall{method: "GET", path: "/healthz", peer: peer}.do(h).Code)
		})
	}
	far := httpCall{method: "GET", path: "/v1/clients/a", peer: "192.0.2.1:1", header: map[string]string{"Host": "broker.example"}}
	t.Run("insecure", func(t *testing.T) {
		h, _ := newHTTP(t, Config{Insecure: true})
		require.Equal(t, 200, far.do(h).Code)
	})
	t.Run("authenticated", func(t *testing.T) {
		h, _ := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{}, nil }})
		require.Equal(t, 200, far.do(h).Code)
	})
}

func TestCheckOrigin(t *testing.T) {
	for _, good := range []string{"https://app.example", "http://localhost:3000", "http://[::1]:3000", "capacitor://localhost", "HTTPS://App.example:443"} {
		require.NoError(t, CheckOrigin(good), good)
	}
	for _, bad := range []string{"", "*", "null", "app.example", "https://", "https://app.example/", "https://*.example", "https://u@app.example", "https://app.example?x", "https://app.example#x", "https://a b"} {
		require.Error(t, CheckOrigin(bad), bad)
	}
	t.Run("a bad one allows nothing and is logged", func(t *testing.T) {
		var log strings.Builder
		h, _ := newHTTP(t, Config{AllowOrigins: []string{"*", "null", ""}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.Empty(t, h.origins)
		require.Equal(t, 3, strings.Count(log.String(), "an allowed origin is ignored"))
		require.Equal(t, 403, httpCall{method: "GET", path: "/healthz", header: map[string]string{"Origin": "null"}}.do(h).Code)
	})
}

func TestP25_AuthorizeErrors(t *testing.T) {
	for name, c := range map[string]struct {
		grant  Grant
		err    error
		status int
		code   protocol.Code
	}{
		"plain":        {err: errors.New("the secret database said no"), status: 401, code: protocol.CodeUnauthorized},
		"with a code":  {err: protocol.Errorf(protocol.CodeTokenExpired, "too old"), status: 401, code: protocol.CodeTokenExpired},
		"wrapped":      {err: fmt.Errorf("in the house: %w", protocol.Errorf(protocol.CodeRateLimited, "slowly")), status: 429, code: protocol.CodeRateLimited},
		"expired":      {grant: Grant{Expires: time.Now().Add(-time.Second)}, status: 401, code: protocol.CodeTokenExpired},
		"not this one": {grant: Grant{Allow: func(Verb, string) bool { return false }}, status: 403, code: protocol.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			for _, call := range everyRoute {
				if strings.HasSuffix(call.path, "z") || call.path == "/nowhere" || call.method == "PATCH" {
					continue // asked for no credential
				}
				h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return c.grant, c.err }})
				w := call.do(h)
				requireProblem(t, w, c.status, c.code)
				require.NotContains(t, w.Body.String(), "database")
				require.Equal(t, c.status == 401, strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer "))
				require.Empty(t, f.calls(), "nothing is asked of the registry, so nothing created or woken")
			}
		})
	}
}

func TestP25_VerbsAndNames(t *testing.T) {
	want := []string{"list ", "read a", "delete a", "read a", "publish a", "ack a", "message a", "ack a", "snapshot a", "snapshot a", "snapshot a",
		"list_topics ", "read_topic a", "delete_topic a", "read_topic a", "publish_topic a", "publish_topic a", "topic_snapshot a", "read_topic a", "topic_snapshot a", "broadcast ",
		"sweep ", "metrics "}
	var asked []string
	h, _ := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) {
		return Grant{Credential: "key-7", Allow: func(v Verb, name string) bool {
			asked = append(asked, string(v)+" "+name)
			return true
		}}, nil
	}})
	for _, call := range everyRoute {
		call.do(h)
	}
	require.Equal(t, want, asked)
}

func TestP25_RefusedBeforeTheBodyIsRead(t *testing.T) {
	h, _ := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{}, errors.New("no") }})
	for path, method := range map[string]string{
		"/v1/clients/a/frames": "POST", "/v1/clients/a/ack": "POST", "/v1/clients/a/messages": "POST", "/v1/clients/a/snapshot": "PUT",
		"/v1/topics/a/frames": "POST", "/v1/topics/a/close": "POST", "/v1/topics/a/snapshot": "PUT", "/v1/broadcast": "POST",
	} {
		r := httpCall{method: method, path: path, body: `{"type":"x"}`, header: asJSON}.request()
		body := strings.NewReader(`{"type":"x"}`)
		r.Body = readerOf(body)
		h.ServeHTTP(discardWriter{http.Header{}}, r)
		require.Equal(t, 12, body.Len())
	}
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		path   string
		want   string
	}{
		"none":             {path: "/"},
		"bearer":           {header: map[string]string{"Authorization": "Bearer abc"}, path: "/", want: "abc"},
		"case of scheme":   {header: map[string]string{"Authorization": "bearer abc"}, path: "/", want: "abc"},
		"other scheme":     {header: map[string]string{"Authorization": "Basic abc"}, path: "/"},
		"query":            {path: "/?token=abc", want: "abc"},
		"bearer wins":      {header: map[string]string{"Authorization": "Bearer abc"}, path: "/?token=def", want: "abc"},
		"subprotocol":      {header: map[string]string{"Sec-WebSocket-Protocol": "restante.v1, abc"}, path: "/", want: "abc"},
		"no subprotocol":   {header: map[string]string{"Sec-WebSocket-Protocol": "abc"}, path: "/"},
		"not a token":      {header: map[string]string{"Sec-WebSocket-Protocol": "graphql, restante.v1"}, path: "/"},
		"query wins (sub)": {header: map[string]string{"Sec-WebSocket-Protocol": "restante.v1, abc"}, path: "/?token=def", want: "def"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, Token(httpCall{method: "GET", path: c.path, header: c.header}.request()))
		})
	}
}
