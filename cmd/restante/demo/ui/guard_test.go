package ui

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/protocol"
)

func TestServer_ThePage(t *testing.T) {
	d := show(t, Options{})
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/demo/index.html": "text/html; charset=utf-8", "/client.js": "text/javascript; charset=utf-8",
		"/client/index.js": "text/javascript; charset=utf-8", "/client/core.js": "text/javascript; charset=utf-8",
	} {
		r := d.do("GET", path, "", "Authorization", "")
		require.Equal(t, 200, r.StatusCode, path)
		require.Equal(t, contentType, r.Header.Get("Content-Type"))
		require.NotEmpty(t, r.body)
		h := d.do("HEAD", path, "", "Authorization", "")
		require.Equal(t, 200, h.StatusCode, path)
		require.Empty(t, h.body)
	}
	r := d.do("GET", "/", "")
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-referrer", r.Header.Get("Referrer-Policy"))
	policy := strings.Split(r.Header.Get("Content-Security-Policy"), "; ")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		require.Contains(t, policy, rule)
	}
	laptop, phone := strings.TrimPrefix(d.pane("laptop"), "http://"), strings.TrimPrefix(d.pane("phone"), "http://")
	require.Contains(t, policy, "connect-src 'self' http://"+laptop+" ws://"+laptop+" http://"+phone+" ws://"+phone)
	for _, path := range []string{"/demo/", "/demo", "/client", "/client/", "/client/package.json", "/client/../embed.go", "/client/%2e%2e/embed.go", "/demo/none.js", "/favicon.ico", "/v1/clients"} {
		r := d.do("GET", path, "", "Authorization", "")
		require.Equal(t, 404, r.StatusCode, path)
		require.Equal(t, protocol.CodeNotFound, r.code(t))
	}
	r = d.do("POST", "/", "{}")
	require.Equal(t, 405, r.StatusCode)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
}

func TestServer_EveryCallNeedsTheKey(t *testing.T) {
	d := show(t, Options{})
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/api/session", ""}, {"GET", "/api/state", ""}, {"POST", "/api/network", `{"pane":"laptop","do":"cut"}`}, {"POST", "/api/broker", `{"do":"kill"}`},
		{"POST", "/api/flood", "{}"}, {"GET", "/api/nothing", ""}, {"DELETE", "/api/flood", ""},
	} {
		for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer x", "Basic " + d.key, d.key, "Bearer " + d.key + "x", "Bearer " + d.key[:31]} {
			r := d.do(c.method, c.path, c.body, "Authorization", authorization)
			require.Equal(t, 401, r.StatusCode, "%s %s %q", c.method, c.path, authorization)
			require.Equal(t, protocol.CodeUnauthorized, r.code(t))
			require.NotContains(t, string(r.body), d.key)
		}
		r := d.do(c.method, c.path+"?key="+d.key+"&token="+d.key, c.body, "Authorization", "")
		require.Equal(t, 401, r.StatusCode, "a key in a URL would stay in logs")
	}
	s := d.state(d.do("GET", "/api/state", ""))
	require.Zero(t, s.Broker.Kills)
	require.Zero(t, s.Flood.Of)
}

func TestP31_TheDemosPageIsForThisMachine(t *testing.T) {
	d := show(t, Options{})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.url, "http://"))
	require.NoError(t, err)
	for _, host := range []string{"example.com", "example.com:" + port, "127.0.0.1.example.com", "localhost.example.com:" + port, "192.0.2.1:" + port} {
		for _, path := range []string{"/", "/api/state", "/client.js"} {
			r := d.do("GET", path, "", "Host", host)
			require.Equal(t, 403, r.StatusCode, "%s of %s", path, host)
			require.Equal(t, protocol.CodeForbidden, r.code(t))
		}
	}
	for _, host := range []string{"localhost:" + port, "127.0.0.1", "[::1]:" + port, "LOCALHOST"} {
		require.Equal(t, 200, d.do("GET", "/api/state", "", "Host", host).StatusCode, host)
		require.Equal(t, 200, d.do("GET", "/api/state", "", "Host", host, "Origin", "http://"+host).StatusCode, host)
	}
	for _, origin := range []string{"https://example.com", "null", "http://localhost:" + port, "https://127.0.0.1:" + port, "http://127.0.0.1", d.pane("laptop")} {
		for _, method := range []string{"GET", "POST"} {
			r := d.do(method, "/api/state", "{}", "Origin", origin)
			require.Equal(t, 403, r.StatusCode, "%s from %s", method, origin)
			require.Equal(t, protocol.CodeForbidden, r.code(t))
		}
	}
	require.Equal(t, 403, d.do("GET", "/api/state", "", "Origin", d.url, "Origin", d.url).StatusCode, "two of them")
	require.Equal(t, 403, d.do("POST", "/api/flood", "{}", "Sec-Fetch-Site", "cross-site").StatusCode)
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"phone","do":"cut"}`, "Origin", d.url, "Sec-Fetch-Site", "same-origin").StatusCode)
}

func TestServer_BadCalls(t *testing.T) {
	d := show(t, Options{})
	for _, c := range []struct {
		method, path, body string
		status             int
		code               protocol.Code
	}{
		{"GET", "/api/", "", 404, protocol.CodeNotFound},
		{"GET", "/api/sessions", "", 404, protocol.CodeNotFound},
		{"POST", "/api/session", "{}", 405, protocol.CodeBadRequest},
		{"GET", "/api/flood", "", 405, protocol.CodeBadRequest},
		{"PUT", "/api/network", "{}", 405, protocol.CodeBadRequest},
		{"POST", "/api/network", "", 400, protocol.CodeBadRequest},
		{"POST", "/api/network", "[]", 400, protocol.CodeBadRequest},
		{"POST", "/api/network", "null", 400, protocol.CodeBadRequest},
		{"POST", "/api/network", "{} {}", 400, protocol.CodeBadRequest},
		{"POST", "/api/network", "{}", 400, protocol.CodeBadRequest},
		{"POST", "/api/network", `{"pane":7}`, 400, protocol.CodeBadRequest},
		{"POST", "/api/network", `{"pane":"tablet","do":"cut"}`, 400, protocol.CodeBadRequest},
		{"POST", "/api/network", `{"pane":"phone","do":"burn"}`, 400, protocol.CodeBadRequest},
		{"POST", "/api/broker", `{"do":"restart"}`, 400, protocol.CodeBadRequest},
		{"POST", "/api/broker", `{}`, 400, protocol.CodeBadRequest},
		{"POST", "/api/flood", `{"x":"` + strings.Repeat("x", maxCall) + `"}`, 413, protocol.CodeTooLarge},
	} {
		r := d.do(c.method, c.path, c.body)
		require.Equal(t, c.status, r.StatusCode, "%s %s %.60s", c.method, c.path, c.body)
		require.Equal(t, c.code, r.code(t))
		require.Equal(t, c.status == 405, r.Header.Get("Allow") != "")
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"} {
		require.Equal(t, 415, d.do("POST", "/api/flood", "{}", "Content-Type", contentType).StatusCode, contentType)
	}
	s := d.state(d.do("GET", "/api/state", ""))
	require.Zero(t, s.Flood.Of)
	require.Zero(t, s.Broker.Kills)
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"phone","do":"resume"}`, "Content-Type", "application/json; charset=utf-8").StatusCode)
}

func TestP25_WhatThePagesKeyAllows(t *testing.T) {
	d := show(t, Options{})
	at := d.pane("phone")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/clients/phone-1/frames", "", 200},
		{"GET", "/v1/clients/laptop-1/frames", "", 200},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"send","id":"1","to":"agent","frame":{"type":"stop"}}`, 200},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"subscribe","topic":"session","history":10}`, 200},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"unsubscribe","topic":"session"}`, 200},
		{"POST", "/v1/clients/phone-1/ack", `{"cursor":"0"}`, 200},

		{"GET", "/v1/clients/agent/frames", "", 403},
		{"GET", "/v1/clients/agent", "", 403},
		{"GET", "/v1/clients/tablet-1/frames", "", 403},
		{"GET", "/v1/clients/phone/frames", "", 403},
		{"POST", "/v1/clients/agent/messages", `{"type":"send","id":"2","to":"agent","frame":{"type":"stop"}}`, 403},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"send","id":"2","to":"laptop-1","frame":{"type":"x"}}`, 403},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"subscribe","topic":"sessions"}`, 403},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"subscribe","topic":">"}`, 403},
		{"POST", "/v1/clients/phone-1/messages", `{"type":"subscribe","topic":"*"}`, 403},
		{"POST", "/v1/clients/phone-1/frames", `{"type":"x"}`, 403},
		{"POST", "/v1/clients/agent/frames", `{"type":"say","text":"x"}`, 403},
		{"POST", "/v1/topics/session/frames", `{"type":"x"}`, 403},
		{"GET", "/v1/topics/session/frames", "", 403},
		{"PUT", "/v1/topics/session/snapshot", `{"as_of":"0","data":{}}`, 403},
		{"POST", "/v1/topics/session/close", `{}`, 403},
		{"DELETE", "/v1/topics/session", "", 403},
		{"DELETE", "/v1/clients/phone-1", "", 403},
		{"PUT", "/v1/clients/phone-1/snapshot", `{"as_of":"0","data":{}}`, 403},
		{"GET", "/v1/clients", "", 403},
		{"GET", "/v1/topics", "", 403},
		{"POST", "/v1/broadcast", `{"type":"x"}`, 403},
		{"POST", "/v1/janitor/sweep", "", 403},
		{"GET", "/metrics", "", 403},
	} {
		r := d.do(c.method, at+c.path, c.body)
		require.Equal(t, c.status, r.StatusCode, "%s %s %s: %s", c.method, c.path, c.body, r.body)
		for _, authorization := range []string{"", "Bearer x"} {
			require.Equal(t, 401, d.do(c.method, at+c.path, c.body, "Authorization", authorization).StatusCode, "%s %s", c.method, c.path)
		}
	}
	r := d.do("GET", at+"/v1/clients/phone-1/frames", "", "Origin", d.url)
	require.Equal(t, 200, r.StatusCode, "the page's origin may call")
	require.Equal(t, d.url, r.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, 403, d.do("GET", at+"/v1/clients/phone-1/frames", "", "Origin", "http://example.com").StatusCode, "no other may")
}

func TestP25_WhatTheAgentMay(t *testing.T) {
	for verb, name := range map[string]string{"attach": agent.ID, "read": agent.ID, "ack": agent.ID, "message": agent.ID, "publish_topic": agent.Topic, "topic_snapshot": agent.Topic} {
		for _, other := range []string{agent.ID, agent.Topic, "laptop-1", "", "_all"} {
			if other != name {
				require.False(t, agentMay(verbOf(verb), other), "%s %s", verb, other)
			}
		}
		require.True(t, agentMay(verbOf(verb), name), verb)
	}
	for _, verb := range []string{"send", "publish", "subscribe", "delete", "snapshot", "list", "broadcast", "sweep", "metrics", "read_topic", "delete_topic", "list_topics", "anything"} {
		for _, name := range []string{agent.ID, agent.Topic, "laptop-1", ""} {
			require.False(t, agentMay(verbOf(verb), name), "%s %s", verb, name)
		}
	}
}

func TestKeys(t *testing.T) {
	k := newKeys()
	require.NotEqual(t, k.Page, k.Agent)
	require.NotEqual(t, newKeys(), k)
	require.False(t, same("", ""), "no key opens nothing")
	cfg := BrokerConfig("", Keys{}, nil)
	_, err := cfg.Authorize(&http.Request{URL: mustURL("http://localhost/")})
	require.Error(t, err)
}
