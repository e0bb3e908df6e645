package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP31_OriginAndHostBeforeTheUpgrade(t *testing.T) {
	t.Parallel()
	s := serve(t, "--allow-origin", "https://app.example", "--allow-origin", "http://localhost:3000")
	port := s.url[strings.LastIndexByte(s.url, ':'):]
	other := s.attach("b")
	other.until("replay_end")
	for _, c := range []struct {
		origin, host string
		ok           bool
	}{
		{"", "", true},
		{s.url, "", true},
		{"https://app.example", "", true},
		{"http://localhost:3000", "", true},
		{"http://localhost" + port, "localhost" + port, true},
		{"", "[::1]" + port, true},
		{"https://evil.example", "", false},
		{"http://app.example", "", false},
		{"https://app.example:444", "", false},
		{"https://app.example.evil.example", "", false},
		{"https://evil.example/https://app.example", "", false},
		{"null", "", false},
		{"http://localhost:3001", "", false},
		{"http://evil.example" + port, "evil.example" + port, false},
		{"", "evil.example" + port, false},
		{"", "127.0.0.1.evil.example", false},
		{"", "192.168.1.1", false},
	} {
		d := dialing{query: query("a")}
		var headers []string
		if c.origin != "" {
			headers = append(headers, "Origin", c.origin)
		}
		if c.host != "" {
			headers = append(headers, "Host", c.host)
		}
		d.headers = headers
		k, err := s.upgrade(d)
		require.NoError(t, err)
		post := s.do("POST", framesPath("p"), []byte(`{"type":"x"}`), headers...)
		if c.ok {
			require.Equal(t, 101, k.res.StatusCode, c)
			require.Equal(t, 200, post.status, c)
		} else {
			require.Equal(t, 403, k.res.StatusCode, c)
			require.Equal(t, protocol.CodeForbidden, post.problem(t).Code, c)
			require.Equal(t, 403, post.status)
			require.Equal(t, 403, s.do("GET", framesPath("p"), nil, headers...).status, c)
		}
		require.NoError(t, k.conn.Close())
	}
	require.EqualValues(t, 6, s.state("p").Head, "the refused ones stored nothing")
	other.liveOnce("b")
}

func TestP31_ContentType(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for kind, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true, "application/x-ndjson": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "multipart/form-data": false, "application/jsonx": false, "json": false,
	} {
		for _, path := range []string{framesPath("a"), "/v1/clients/a/messages"} {
			body := `{"type":"x"}`
			if strings.HasSuffix(path, "messages") {
				if kind == "application/x-ndjson" {
					continue
				}
				body = `{"type":"send","id":"` + kind + `","to":"z","frame":{"type":"x"}}`
			}
			r := s.do("POST", path, []byte(body), "Content-Type", kind)
			if strings.HasSuffix(path, "messages") && kind == "" {
				require.Equal(t, 415, r.status, "%q: %s", kind, r)
				continue
			}
			require.Equal(t, ok, r.status == 200, "%q %s: %s", kind, path, r)
			require.Equal(t, !ok, r.status == 415, "%q: %s", kind, r)
		}
		r := s.do("POST", "/v1/clients/a/ack", []byte(`{"cursor":"0"}`), "Content-Type", kind)
		require.Equal(t, !ok || kind == "application/x-ndjson", r.status != 200, "%q: %s", kind, r)
	}
	require.EqualValues(t, 4, s.state("a").Head)
	s.attach("a").liveOnce("a")
}

func TestP31_AllowedOriginsGetCORS(t *testing.T) {
	t.Parallel()
	s := serve(t, "--allow-origin", "https://app.example")
	r := s.do("OPTIONS", framesPath("a"), nil, "Origin", "https://app.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	require.Contains(t, []int{200, 204}, r.status)
	require.Equal(t, "https://app.example", r.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, r.header.Get("Access-Control-Allow-Methods"), "POST")
	require.Contains(t, strings.ToLower(r.header.Get("Access-Control-Allow-Headers")), "idempotency-key")
	r = s.do("GET", framesPath("a"), nil, "Origin", "https://app.example")
	require.Equal(t, "https://app.example", r.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, strings.Join(r.header.Values("Vary"), ","), "Origin")
	r = s.do("OPTIONS", framesPath("a"), nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	require.Equal(t, 403, r.status)
	require.Empty(t, r.header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, s.do("GET", framesPath("a"), nil).header.Get("Access-Control-Allow-Origin"))
}
