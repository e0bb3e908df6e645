package transport

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// topicCalls are all calls about topics, with the right that each needs and what the registry is asked.
var topicCalls = []struct {
	httpCall
	right, asked string
	status       int
}{
	{httpCall{method: "GET", path: "/v1/topics"}, "list_topics ", "topics", 200},
	{httpCall{method: "GET", path: "/v1/topics/jobs.7"}, "read_topic jobs.7", "topic jobs.7", 200},
	{httpCall{method: "DELETE", path: "/v1/topics/jobs.7"}, "delete_topic jobs.7", "delete topic jobs.7", 204},
	{httpCall{method: "GET", path: "/v1/topics/jobs.7/frames"}, "read_topic jobs.7", "read topic jobs.7", 200},
	{httpCall{method: "HEAD", path: "/v1/topics/jobs.7/frames"}, "read_topic jobs.7", "read topic jobs.7", 200},
	{httpCall{method: "POST", path: "/v1/topics/jobs.7/frames", body: `{"type":"a"}`, header: asJSON}, "publish_topic jobs.7", "publish topic jobs.7", 200},
	{httpCall{method: "POST", path: "/v1/topics/jobs.7/close"}, "publish_topic jobs.7", "close topic jobs.7", 200},
	{httpCall{method: "PUT", path: "/v1/topics/jobs.7/snapshot", body: `{"as_of":"e1:7","data":1}`, header: asJSON}, "topic_snapshot jobs.7", "put topic snapshot jobs.7", 200},
	{httpCall{method: "GET", path: "/v1/topics/jobs.7/snapshot"}, "read_topic jobs.7", "topic snapshot jobs.7", 200},
	{httpCall{method: "DELETE", path: "/v1/topics/jobs.7/snapshot"}, "topic_snapshot jobs.7", "delete topic snapshot jobs.7", 204},
	{httpCall{method: "POST", path: "/v1/broadcast", body: `{"type":"a"}`, header: asJSON}, "broadcast ", "publish topic _all", 200},
}

// TestP25_TopicRights gives each call the one right that it needs, then all rights but that one: none follows from another.
func TestP25_TopicRights(t *testing.T) {
	for _, c := range topicCalls {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			allow := false
			h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) {
				return Grant{Allow: func(v Verb, name string) bool { return (string(v)+" "+name == c.right) == allow }}, nil
			}})
			w := c.do(h)
			if c.method != "HEAD" {
				requireProblem(t, w, 403, protocol.CodeForbidden)
			}
			require.Equal(t, 403, w.Code)
			require.Empty(t, f.calls(), "nothing is asked before the right is")
			allow = true
			w = c.do(h)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, []string{c.asked}, f.calls())
		})
	}
}

// TestP32_NoTopics: names that no topic has, the broker's own among them, are asked of nobody.
func TestP32_NoTopics(t *testing.T) {
	for _, c := range topicCalls {
		if !strings.Contains(c.path, "jobs.7") {
			continue
		}
		for _, bad := range []string{"_all", "_x", "a..b", ".a", "a.", "a.*", "%3E", "a%20b", "%23a", strings.Repeat("x", 129)} {
			h, f := newHTTP(t, Config{})
			call := c.httpCall
			call.path = strings.Replace(call.path, "jobs.7", bad, 1)
			w := call.do(h)
			require.Equal(t, 400, w.Code, "%s: %s", call.path, w.Body)
			require.Empty(t, f.calls())
		}
	}
}

// TestP29_WhatTheRegistrySaysOfATopic passes its refusals on, with their statuses.
func TestP29_WhatTheRegistrySaysOfATopic(t *testing.T) {
	for _, c := range topicCalls {
		if c.method == "HEAD" {
			continue
		}
		for code, status := range map[protocol.Code]int{protocol.CodeNotFound: 404, protocol.CodeConflict: 409, protocol.CodeOverloaded: 503, protocol.CodeDraining: 503} {
			h, f := newHTTP(t, Config{})
			f.err = protocol.Errorf(code, "so it is")
			w := c.do(h)
			requireProblem(t, w, status, code)
			require.Equal(t, status == 503, w.Header().Get("Retry-After") != "")
		}
	}
}

func TestP32_TopicMethods(t *testing.T) {
	for path, allow := range map[string]string{
		"/v1/topics": "GET, HEAD", "/v1/topics/a": "DELETE, GET, HEAD", "/v1/topics/a/frames": "GET, HEAD, POST", "/v1/topics/a/close": "POST",
		"/v1/topics/a/snapshot": "DELETE, GET, HEAD, PUT", "/v1/broadcast": "POST",
	} {
		h, f := newHTTP(t, Config{})
		w := httpCall{method: "PATCH", path: path}.do(h)
		require.Equal(t, 405, w.Code)
		require.Equal(t, allow, w.Header().Get("Allow"), path)
		require.Empty(t, f.calls())
	}
}

func TestP32_PublishToATopic(t *testing.T) {
	for path, topic := range map[string]string{"/v1/topics/jobs.7/frames": "jobs.7", "/v1/broadcast": "_all"} {
		t.Run(topic, func(t *testing.T) {
			h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{Credential: "key-7"}, nil }})
			post := func(body string, header map[string]string) httpCall {
				return httpCall{method: "POST", path: path, body: body, header: header}
			}
			w := post(`{ "type":"a" }`, withHeader(asJSON, "Idempotency-Key", "k1")).do(h)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, `{"topic":"`+topic+`","epoch":"e1","first_seq":1,"seq":1,"status":"stored","duplicate":false}`, w.Body.String())
			require.Equal(t, []string{`{"type":"a"}`}, bodyTexts(f.published.Bodies))
			require.Equal(t, []string{"k1", "key-7", "stored"}, []string{f.published.Key, f.published.Credential, f.published.Wait})

			w = post("{\"type\":\"a\"}\n{\"type\":\"b\"}\n", asNDJSON).do(h)
			require.Equal(t, 200, w.Code)
			require.Equal(t, []string{`{"type":"a"}`, `{"type":"b"}`}, bodyTexts(f.published.Bodies))

			asked := len(f.calls())
			require.Equal(t, 2, requireProblem(t, post("{\"type\":\"a\"}\n{\"type\":\"b\",\"topic\":\"x\"}", asNDJSON).do(h), 400, protocol.CodeBadFrame).Line)
			requireProblem(t, post(`{"type":"a"}`, map[string]string{"Content-Type": "text/plain"}).do(h), 415, protocol.CodeBadRequest)
			requireProblem(t, post(`{"type":"a"}`, withHeader(asJSON, "Idempotency-Key", strings.Repeat("x", 129))).do(h), 400, protocol.CodeBadRequest)
			require.Len(t, f.calls(), asked, "nothing is stored")
		})
	}
}

// TestP32_NobodyToWaitFor: a topic has no one reader whose ack could be waited for.
func TestP32_NobodyToWaitFor(t *testing.T) {
	for _, path := range []string{"/v1/topics/jobs.7/frames", "/v1/broadcast"} {
		for wait, status := range map[string]int{"stored": 200, "sent": 400, "acked": 400, "later": 400} {
			h, f := newHTTP(t, Config{})
			w := httpCall{method: "POST", path: path + "?wait=" + wait, body: `{"type":"a"}`, header: asJSON}.do(h)
			require.Equal(t, status, w.Code)
			if status != 200 {
				p := requireProblem(t, w, 400, protocol.CodeBadRequest)
				require.Contains(t, p.Detail, "stored")
				require.Empty(t, f.calls())
			}
		}
	}
}

func TestP32_CloseATopic(t *testing.T) {
	for _, body := range []string{"", "{}", " { } \n", "\n"} {
		h, f := newHTTP(t, Config{})
		c := httpCall{method: "POST", path: "/v1/topics/jobs.7/close", body: body}
		if body != "" {
			c.header = asJSON
		}
		w := c.do(h)
		require.Equal(t, 200, w.Code, w.Body.String())
		var out protocol.TopicPublished
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		require.Equal(t, "jobs.7", out.Topic)
		require.EqualValues(t, 9, out.Seq)
		require.Equal(t, []string{"close topic jobs.7"}, f.calls())
	}
}

// TestP32_ACloseTakesNothingWithIt: a close cannot be undone, so what was meant to go with it is refused and the topic stays open.
func TestP32_ACloseTakesNothingWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		header map[string]string
		status int
		code   protocol.Code
	}{
		"half a body":   {`{"type":"done"`, asJSON, 400, protocol.CodeBadJSON},
		"a last frame":  {`{"type":"done"}`, asJSON, 400, protocol.CodeBadRequest},
		"no object":     {`[]`, asJSON, 400, protocol.CodeBadRequest},
		"null":          {`null`, asJSON, 400, protocol.CodeBadRequest},
		"two objects":   {`{}{}`, asJSON, 400, protocol.CodeBadJSON},
		"lines":         {"{}\n", asNDJSON, 415, protocol.CodeBadRequest},
		"far too large": {strings.Repeat(" ", protocol.MessageSlack) + "{}", asJSON, 413, protocol.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			w := httpCall{method: "POST", path: "/v1/topics/jobs.7/close", body: c.body, header: c.header}.do(h)
			requireProblem(t, w, c.status, c.code)
			require.Empty(t, f.calls(), "it is not closed")
		})
	}
}

// TestP32_Pages: the list of topics and that of a topic's followers are read in pages, each by a cursor of its own kind.
func TestP32_Pages(t *testing.T) {
	for path, want := range map[string]string{"/v1/topics": `{"topics":[],"cursor":""}`, "/v1/topics/jobs.7": ""} {
		h, f := newHTTP(t, Config{})
		get := func(query string) httpCall { return httpCall{method: "GET", path: path + query} }
		w := get("").do(h)
		require.Equal(t, 200, w.Code)
		require.Equal(t, []any{"", defaultListLimit}, []any{f.cursor, f.limit})
		if want != "" {
			require.Equal(t, want, w.Body.String())
		}
		require.Equal(t, 200, get("?cursor=a.b&limit=7").do(h).Code)
		require.Equal(t, []any{"a.b", 7}, []any{f.cursor, f.limit})
		asked := len(f.calls())
		for _, bad := range []string{"?limit=0", "?limit=1001", "?limit=x", "?cursor=a%20b", "?cursor=%2E%2E", "?cursor=a&cursor=b"} {
			requireProblem(t, get(bad).do(h), 400, protocol.CodeBadRequest)
		}
		require.Len(t, f.calls(), asked)
	}
	h, f := newHTTP(t, Config{})
	requireProblem(t, httpCall{method: "GET", path: "/v1/topics?cursor=_all"}.do(h), 400, protocol.CodeBadRequest)
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/topics/jobs.7?cursor=_all"}.do(h).Code, "a client may have the name")
	require.Equal(t, "_all", f.cursor)
}

func TestP9_TopicSnapshots(t *testing.T) {
	h, f := newHTTP(t, Config{})
	const path = "/v1/topics/jobs.7/snapshot"
	w := httpCall{method: "PUT", path: path, body: `{"as_of":"e1:7", "data":{"n": 1.0}}`, header: asJSON}.do(h)
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"topic":"jobs.7","as_of":"e1:7"}`, w.Body.String())
	require.Equal(t, `{"n":1.0}`, string(f.data))
	f.stored = protocol.StoredSnapshot{Topic: "jobs.7", AsOf: "e1:7", Data: json.RawMessage(`{"n":1.0}`)}
	w = httpCall{method: "GET", path: path}.do(h)
	require.Equal(t, `{"topic":"jobs.7","as_of":"e1:7","data":{"n":1.0}}`, w.Body.String())
}
