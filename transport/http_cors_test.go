package transport

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP31_CORS(t *testing.T) {
	const app = "https://app.example"
	cfg := Config{AllowOrigins: []string{app, "http://localhost:3000"}}
	asked := map[string]string{"Origin": app, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,idempotency-key"}

	t.Run("preflight", func(t *testing.T) {
		cfg := cfg
		cfg.Authorize = refuseAll // a preflight carries no credential
		h, f := newHTTP(t, cfg)
		w := httpCall{method: "OPTIONS", path: "/v1/clients/a/frames", header: asked}.do(h)
		require.Equal(t, 204, w.Code)
		require.Equal(t, app, w.Header().Get("Access-Control-Allow-Origin"))
		for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
			require.Contains(t, w.Header().Get("Access-Control-Allow-Methods"), m)
		}
		require.Equal(t, "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID", w.Header().Get("Access-Control-Allow-Headers"))
		require.Equal(t, "7200", w.Header().Get("Access-Control-Max-Age"))
		require.Equal(t, "Origin", w.Header().Get("Vary"))
		require.Empty(t, w.Body.String())
		require.Empty(t, f.calls())
	})
	t.Run("call", func(t *testing.T) {
		h, _ := newHTTP(t, cfg)
		for _, origin := range []string{app, "http://localhost:3000"} {
			w := httpCall{method: "GET", path: "/v1/clients/a", header: map[string]string{"Origin": origin}}.do(h)
			require.Equal(t, 200, w.Code)
			require.Equal(t, origin, w.Header().Get("Access-Control-Allow-Origin"))
			require.Equal(t, "ETag, Retry-After, Restante-Closed, Restante-Cursor, Restante-Floor, Restante-Head, Restante-More, Restante-Reason, Restante-Resume", w.Header().Get("Access-Control-Expose-Headers"))
			require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
		}
	})
	t.Run("a refusal can be read too", func(t *testing.T) {
		h, f := newHTTP(t, cfg)
		f.err = protocol.Errorf(protocol.CodeOverloaded, "later")
		w := httpCall{method: "GET", path: "/v1/clients/a", header: map[string]string{"Origin": app}}.do(h)
		requireProblem(t, w, 503, protocol.CodeOverloaded)
		require.Equal(t, app, w.Header().Get("Access-Control-Allow-Origin"))
	})
	t.Run("another origin", func(t *testing.T) {
		h, _ := newHTTP(t, cfg)
		evil := map[string]string{}
		for k, v := range asked {
			evil[k] = v
		}
		evil["Origin"] = "https://evil.example"
		w := httpCall{method: "OPTIONS", path: "/v1/clients/a/frames", header: evil}.do(h)
		requireProblem(t, w, 403, protocol.CodeForbidden)
		requireNoCORS(t, w.Header())
		require.Equal(t, "Origin", w.Header().Get("Vary"))
	})
	t.Run("no Origin", func(t *testing.T) {
		h, _ := newHTTP(t, cfg)
		w := httpCall{method: "GET", path: "/v1/clients/a"}.do(h)
		require.Equal(t, 200, w.Code)
		requireNoCORS(t, w.Header())
		require.Equal(t, "Origin", w.Header().Get("Vary"), "a cache must not give this answer to a page")
	})
	t.Run("the own origin needs none", func(t *testing.T) {
		h, _ := newHTTP(t, Config{})
		w := httpCall{method: "GET", path: "/v1/clients/a", header: map[string]string{"Origin": "http://localhost:7480"}}.do(h)
		require.Equal(t, 200, w.Code)
		requireNoCORS(t, w.Header())
		require.Empty(t, w.Header().Get("Vary"))
	})
}

func requireNoCORS(t *testing.T, hdr map[string][]string) {
	t.Helper()
	for name := range hdr {
		require.False(t, strings.HasPrefix(name, "Access-Control-"), name)
	}
}
