package transport

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func refuseAll(*http.Request) (Grant, error) {
	return Grant{}, protocol.Errorf(protocol.CodeUnauthorized, "nobody may do anything")
}

func publishCall(body string, header map[string]string) httpCall {
	return httpCall{method: "POST", path: "/v1/clients/tab-1/frames", body: body, header: header}
}

func bodyTexts(bodies []protocol.Body) []string {
	out := []string{}
	for _, b := range bodies {
		out = append(out, string(b))
	}
	return out
}

func TestPublishOne(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := publishCall(" { \"type\" : \"progress\", \"pct\": 40.0 }\r\n", asJSON).do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"client_id":"tab-1","epoch":"e1","first_seq":1,"seq":1,"status":"stored","duplicate":false}`, w.Body.String())
	require.Equal(t, []string{`{"type":"progress","pct":40.0}`}, bodyTexts(f.published.Bodies))
	require.Equal(t, protocol.StatusStored, f.published.Wait)
	require.Equal(t, 30*time.Second, f.published.Timeout)
	require.Empty(t, f.published.Key)
}

func TestPublishMany(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := publishCall("\r\n{\"type\":\"a\"}\r\n\n  \t\n {\"type\":\"b\"} \n{\"type\":\"c\"}", asNDJSON).do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, []string{`{"type":"a"}`, `{"type":"b"}`, `{"type":"c"}`}, bodyTexts(f.published.Bodies))
	require.Contains(t, w.Body.String(), `"seq":3`)
}

func TestPublishOptions(t *testing.T) {
	h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{Credential: "key-7"}, nil }})
	c := publishCall(`{"type":"a"}`, withHeader(asJSON, "Idempotency-Key", strings.Repeat("é", 128)))
	c.path += "?wait=acked&timeout=500ms&colour=blue&colour=red"
	w := c.do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, protocol.StatusAcked, f.published.Wait)
	require.Equal(t, 500*time.Millisecond, f.published.Timeout)
	require.Equal(t, strings.Repeat("é", 128), f.published.Key)
	require.Equal(t, "key-7", f.published.Credential)
	for _, level := range []string{"stored", "sent", "acked"} {
		c.path = "/v1/clients/tab-1/frames?timeout=60s&wait=" + level
		require.Equal(t, 200, c.do(h).Code)
		require.Equal(t, level, f.published.Wait)
		require.Equal(t, protocol.MaxWait, f.published.Timeout)
	}
}

func TestP2_BadBodies(t *testing.T) {
	deep := func(n int) string {
		return `{"type":"x","a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   protocol.Code
	}{
		"empty":          {" ", 400, protocol.CodeBadJSON},
		"no JSON":        {`{"type":`, 400, protocol.CodeBadJSON},
		"two values":     {`{"type":"a"}{"type":"b"}`, 400, protocol.CodeBadJSON},
		"two lines":      {"{\"type\":\"a\"}\n{\"type\":\"b\"}", 400, protocol.CodeBadJSON},
		"bare CR":        {"{\"type\":\"a\"}\r{\"type\":\"b\"}", 400, protocol.CodeBadJSON},
		"array":          {`[{"type":"a"}]`, 400, protocol.CodeBadFrame},
		"string":         {`"type"`, 400, protocol.CodeBadFrame},
		"no type":        {`{"a":1}`, 400, protocol.CodeBadFrame},
		"type a number":  {`{"type":1}`, 400, protocol.CodeBadFrame},
		"duplicate":      {`{"type":"a","b":1,"b":2}`, 400, protocol.CodeBadFrame},
		"duplicate esc.": {`{"type":"a","b":1,"\u0062":2}`, 400, protocol.CodeBadFrame},
		"two types":      {`{"type":"a","type":"b"}`, 400, protocol.CodeBadFrame},
		"seq":            {`{"type":"a","seq":1}`, 400, protocol.CodeBadFrame},
		"SEQ":            {`{"type":"a","SEQ":1}`, 400, protocol.CodeBadFrame},
		"long s":         {`{"type":"a","ſeq":1}`, 400, protocol.CodeBadFrame},
		"escaped seq":    {`{"type":"a","\u0073eq":1}`, 400, protocol.CodeBadFrame},
		"topic":          {`{"type":"a","topic":"t"}`, 400, protocol.CodeBadFrame},
		"topic_seq":      {`{"type":"a","topic_seq":1}`, 400, protocol.CodeBadFrame},
		"from":           {`{"type":"a","from":"me"}`, 400, protocol.CodeBadFrame},
		"Type":           {`{"type":"a","Type":"b"}`, 400, protocol.CodeBadFrame},
		"bad UTF-8":      {"{\"type\":\"\xff\"}", 400, protocol.CodeBadJSON},
		"BOM":            {"\ufeff{\"type\":\"a\"}", 400, protocol.CodeBadJSON},
		"deep":           {deep(65), 400, protocol.CodeBadFrame},
		"large":          {`{"type":"` + strings.Repeat("x", 64<<10) + `"}`, 413, protocol.CodeTooLarge},
		"huge":           {`{"type":"` + strings.Repeat("x", 5<<20) + `"}`, 413, protocol.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			requireProblem(t, publishCall(c.body, asJSON).do(h), c.status, c.code)
			if !strings.ContainsAny(c.body, "\n") && strings.TrimSpace(c.body) != "" {
				lines := "{\"type\":\"good\"}\r\n\r\n" + c.body + "\n{\"type\":\"good\"}\n"
				w := publishCall(lines, asNDJSON).do(h)
				p := requireProblem(t, w, c.status, c.code)
				if name != "huge" { // over MaxPublishBytes as a whole as well; either may be met first
					require.Equal(t, 3, p.Line)
				}
			}
			require.Empty(t, f.calls(), "nothing is stored")
		})
	}
	t.Run("at the bounds", func(t *testing.T) {
		h, f := newHTTP(t, Config{})
		most := `{"type":"` + strings.Repeat("x", 64<<10-11) + `"}`
		require.Len(t, most, 64<<10)
		for _, body := range []string{most, most + "\r\n", deep(64)} {
			require.Equal(t, 200, publishCall(body, asJSON).do(h).Code)
			require.Equal(t, 200, publishCall(body, asNDJSON).do(h).Code)
			require.Len(t, f.published.Bodies, 1)
		}
		requireProblem(t, publishCall(most[:20]+"x"+most[20:], asJSON).do(h), 413, protocol.CodeTooLarge)
		requireProblem(t, publishCall(most[:20]+"x"+most[20:], asNDJSON).do(h), 413, protocol.CodeTooLarge)
	})
}

func TestP2_CallTooLarge(t *testing.T) {
	line := `{"type":"x","pad":"` + strings.Repeat("y", 1000) + "\"}\n"
	for name, c := range map[string]struct {
		max, lines, status int
	}{
		"default, below": {0, 4 << 20 / len(line), 200}, "default, above": {0, 4<<20/len(line) + 1, 413},
		"set, below": {10 * len(line), 10, 200}, "set, above": {10*len(line) - 1, 10, 413}, "off": {-1, 6 << 20 / len(line), 200},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{MaxPublishBytes: c.max})
			w := publishCall(strings.Repeat(line, c.lines), asNDJSON).do(h)
			require.Equal(t, c.status, w.Code, w.Body.String())
			if c.status == 200 {
				require.Len(t, f.published.Bodies, c.lines)
				return
			}
			requireProblem(t, w, 413, protocol.CodeTooLarge)
			require.Empty(t, f.calls())
		})
	}
}

func TestP20_BadPublishQueries(t *testing.T) {
	for _, q := range []string{
		"wait=", "wait=read", "wait=Stored", "wait=stored&wait=acked", "timeout=", "timeout=5", "timeout=-1s", "timeout=0", "timeout=0s",
		"timeout=61s", "timeout=1h", "timeout=x", "timeout=1s&timeout=2s", "timeout=99999999999999h",
	} {
		t.Run(q, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			c := publishCall(`{"type":"a"}`, asJSON)
			c.path += "?" + q
			requireProblem(t, c.do(h), 400, protocol.CodeBadRequest)
			require.Empty(t, f.calls())
		})
	}
	t.Run("NDJSON without a line", func(t *testing.T) {
		h, f := newHTTP(t, Config{})
		for _, body := range []string{"\n", "\r\n\r\n", "  \n\t"} {
			requireProblem(t, publishCall(body, asNDJSON).do(h), 400, protocol.CodeBadRequest)
		}
		requireProblem(t, publishCall("", asNDJSON).do(h), 400, protocol.CodeBadRequest)
		require.Empty(t, f.calls())
	})
}

func TestP18_IdempotencyKey(t *testing.T) {
	for name, keys := range map[string][]string{"empty": {""}, "long": {strings.Repeat("k", 129)}, "two": {"a", "b"}, "no UTF-8": {"\xff"}} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			r := publishCall(`{"type":"a"}`, asJSON).request()
			r.Header["Idempotency-Key"] = keys
			w := recordHTTP(h, r)
			requireProblem(t, w, 400, protocol.CodeBadRequest)
			require.Empty(t, f.calls())
		})
	}
}

func TestP7_ReadFrames(t *testing.T) {
	h, f := newHTTP(t, Config{})
	const raw = `{"seq":8,"type":"<b>&\u2028","n":1.50,"s":"é \u00e9 ` + "\u2028" + `"}`
	f.onRead = func(context.Context) (protocol.Page, error) {
		return protocol.Page{Resume: protocol.ResumeReplay, Epoch: "e1", Floor: 7, Head: 8, Cursor: "e1:8", Frames: []json.RawMessage{json.RawMessage(raw)}}, nil
	}
	w := httpCall{method: "GET", path: "/v1/clients/a/frames?since=e1:7&limit=5&wait=60s"}.do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, Read{Since: &protocol.Cursor{Epoch: "e1", Seq: 7}, Limit: 5, Wait: time.Minute}, f.read)
	require.Contains(t, w.Body.String(), raw, "P-1: byte for byte as on a socket")
	require.JSONEq(t, `{"resume":"replay","epoch":"e1","floor":7,"head":8,"frames":[`+raw+`],"cursor":"e1:8","more":false}`, w.Body.String())
}

func TestP7_ReadDefaults(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := httpCall{method: "GET", path: "/v1/clients/a/frames"}.do(h)
	require.Equal(t, Read{Limit: 1000}, f.read)
	require.Contains(t, w.Body.String(), `"frames":[]`)
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients/a/frames?since=7&wait=0&limit=1000"}.do(h).Code)
	require.Equal(t, Read{Since: &protocol.Cursor{Seq: 7}, Limit: 1000}, f.read)
}

func TestP5_BadReadQueries(t *testing.T) {
	for q, code := range map[string]protocol.Code{
		"since=": "bad_cursor", "since=-1": "bad_cursor", "since=%2B1": "bad_cursor", "since=01": "bad_cursor", "since=e1:": "bad_cursor", "since=:1": "bad_cursor",
		"since=1.0": "bad_cursor", "since=e1:9007199254740992": "bad_cursor", "since=e1:99999999999999999999": "bad_cursor", "since=e%201:1": "bad_cursor",
		"since=" + strings.Repeat("e", 33) + ":1": "bad_cursor", "since=e:1:2": "bad_cursor", "since=%D9%A1": "bad_cursor",
		"since=e1:1&since=e1:1": "bad_request", "limit=0": "bad_request", "limit=1001": "bad_request", "limit=": "bad_request", "limit=-1": "bad_request",
		"limit=%2B1": "bad_request", "limit=01": "bad_request", "limit=1e2": "bad_request", "limit=1&limit=1": "bad_request", "limit=0x10": "bad_request", "limit=1_0": "bad_request",
		"limit=99999999999999999999": "bad_request",
		"wait=":                      "bad_request", "wait=-1s": "bad_request", "wait=61s": "bad_request", "wait=5": "bad_request", "wait=1s&wait=1s": "bad_request",
	} {
		t.Run(q, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			requireProblem(t, httpCall{method: "GET", path: "/v1/clients/a/frames?" + q}.do(h), 400, code)
			require.Empty(t, f.calls())
		})
	}
}

func TestP25_AWaitEndsWithItsCredential(t *testing.T) {
	h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{Expires: time.Now().Add(5 * time.Second)}, nil }})
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients/a/frames?wait=60s"}.do(h).Code)
	require.LessOrEqual(t, f.read.Wait, 5*time.Second)
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients/a/frames?wait=1ms"}.do(h).Code)
	require.Equal(t, time.Millisecond, f.read.Wait)
}

func BenchmarkPageOfOneMebibyte(b *testing.B) {
	page := protocol.Page{Resume: protocol.ResumeReplay, Epoch: "e1", Cursor: "e1:1000"}
	for i := range 1000 {
		frame := protocol.AppendFrame(nil, uint64(i+1), protocol.Body(`{"type":"line","text":"`+strings.Repeat("x", 1000)+`"}`))
		page.Frames = append(page.Frames, frame)
	}
	b.SetBytes(1000 * 1030)
	b.ReportAllocs()
	for b.Loop() {
		if a, err := jsonAnswer(page); err != nil || len(a.body) < 1_000_000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishOne(b *testing.B) {
	h, f := newHTTP(b, Config{})
	c := publishCall(`{"type":"line","text":"`+strings.Repeat("x", 231)+`"}`, asJSON)
	r := c.request()
	b.ReportAllocs()
	for b.Loop() {
		f.asked = f.asked[:0]
		r.Body = readerOf(strings.NewReader(c.body))
		h.ServeHTTP(discardWriter{http.Header{}}, r)
	}
	if len(f.asked) != 1 {
		b.Fatal("not published")
	}
}
