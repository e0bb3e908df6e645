package transport

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

const logPath = "/v1/topics/jobs.7/frames"

// aPage is a page of two frames, the first as long as said.
func aPage(fill int) protocol.TopicPage {
	return protocol.TopicPage{
		Topic: "jobs.7", Resume: protocol.ResumeReplay, Epoch: "e1", Floor: 1, Head: 9, Cursor: "e1:3", More: true,
		Frames: []json.RawMessage{
			json.RawMessage(`{"topic":"jobs.7","topic_seq":2,"type":"a","fill":"` + strings.Repeat("x", fill) + `"}`),
			json.RawMessage(`{"topic":"jobs.7","topic_seq":3,"type":"b"}`),
		},
	}
}

// getLog reads the log with headers given as name, value, ….
func getLog(h *Handler, headers ...string) *httptest.ResponseRecorder {
	c := httpCall{method: "GET", path: logPath, header: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		c.header[headers[i]] = headers[i+1]
	}
	return c.do(h)
}

func TestP7_ReadATopicsLog(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.page = aPage(0)
	w := httpCall{method: "GET", path: logPath + "?since=e1:1&limit=7&wait=5s"}.do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, `{"topic":"jobs.7","resume":"replay","epoch":"e1","floor":1,"head":9,"closed":false,"frames":[`+
		`{"topic":"jobs.7","topic_seq":2,"type":"a","fill":""},{"topic":"jobs.7","topic_seq":3,"type":"b"}],"cursor":"e1:3","more":true}`, w.Body.String())
	require.Equal(t, Read{Since: &protocol.Cursor{Epoch: "e1", Seq: 1}, Limit: 7, Wait: 5 * time.Second}, f.read)
	f.page.Frames = nil
	require.Contains(t, getLog(h).Body.String(), `"frames":[]`)
	asked := len(f.calls())
	for query, code := range map[string]protocol.Code{
		"since=": protocol.CodeBadCursor, "since=e1:": protocol.CodeBadCursor, "since=e1:01": protocol.CodeBadCursor, "limit=0": protocol.CodeBadRequest,
		"limit=1001": protocol.CodeBadRequest, "wait=soon": protocol.CodeBadRequest, "wait=-1s": protocol.CodeBadRequest, "since=1&since=2": protocol.CodeBadRequest,
	} {
		requireProblem(t, httpCall{method: "GET", path: logPath + "?" + query}.do(h), 400, code)
	}
	require.Len(t, f.calls(), asked)
}

func TestP29_ALogAsLines(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.page = aPage(0)
	for accept, lines := range map[string]bool{
		"application/x-ndjson": true, "application/x-ndjson;q=0.9, */*;q=0.1": true, "text/plain, application/x-ndjson": true,
		"application/json, application/x-ndjson": false, "*/*": false, "application/json": false,
	} {
		w := getLog(h, "Accept", accept)
		require.Equal(t, 200, w.Code)
		require.Contains(t, strings.Join(w.Header().Values("Vary"), ", "), "Accept, Accept-Encoding")
		if !lines {
			require.Equal(t, "application/json", w.Header().Get("Content-Type"), accept)
			require.Empty(t, w.Header().Get("Restante-Cursor"))
			continue
		}
		require.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"), accept)
		require.Equal(t, "{\"topic\":\"jobs.7\",\"topic_seq\":2,\"type\":\"a\",\"fill\":\"\"}\n{\"topic\":\"jobs.7\",\"topic_seq\":3,\"type\":\"b\"}\n", w.Body.String())
		for name, want := range map[string]string{"Cursor": "e1:3", "Resume": "replay", "Reason": "", "Floor": "1", "Head": "9", "More": "true", "Closed": "false"} {
			require.Equal(t, want, w.Header().Get("Restante-"+name), name)
		}
	}
	f.page = protocol.TopicPage{
		Topic: "jobs.7", Resume: protocol.ResumeTooOld, Reason: protocol.ReasonPruned, Epoch: "e1", Floor: 7, Head: 7, Cursor: "e1:7", Closed: true,
		Snapshot: json.RawMessage(`{"as_of":7,"data":{"n":1.0}}`),
	}
	w := getLog(h, "Accept", "application/x-ndjson")
	require.Equal(t, `{"type":"snapshot","topic":"jobs.7","as_of":7,"data":{"n":1.0}}`+"\n", w.Body.String(), "as a subscriber gets it")
	require.Equal(t, []string{"too_old", "pruned", "true"}, []string{w.Header().Get("Restante-Resume"), w.Header().Get("Restante-Reason"), w.Header().Get("Restante-Closed")})
}

// TestP29_TheTagOfALog changes one thing after another: whatever an answer says is in its tag.
func TestP29_TheTagOfALog(t *testing.T) {
	h, f := newHTTP(t, Config{})
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		f.page = aPage(0)
		w := getLog(h, "Accept", accept)
		tag := w.Header().Get("ETag")
		require.Regexp(t, `^"[0-9a-f]{32}"$`, tag)
		require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			again := getLog(h, "Accept", accept, "If-None-Match", known)
			require.Equal(t, 304, again.Code, known)
			require.Empty(t, again.Body.String())
			require.Equal(t, tag, again.Header().Get("ETag"))
			require.Empty(t, again.Header().Get("Content-Length"))
		}
		require.Equal(t, 200, getLog(h, "Accept", accept, "If-None-Match", `"other"`).Code)
		for name, change := range map[string]func(p *protocol.TopicPage){
			"a frame": func(p *protocol.TopicPage) { p.Frames = p.Frames[:1] }, "cursor": func(p *protocol.TopicPage) { p.Cursor = "e2:3" },
			"head": func(p *protocol.TopicPage) { p.Head++ }, "floor": func(p *protocol.TopicPage) { p.Floor++ }, "closed": func(p *protocol.TopicPage) { p.Closed = true },
			"more": func(p *protocol.TopicPage) { p.More = false }, "resume": func(p *protocol.TopicPage) { p.Resume = protocol.ResumeFresh },
			"snapshot": func(p *protocol.TopicPage) { p.Snapshot = json.RawMessage(`{"as_of":1,"data":2}`) },
		} {
			f.page = aPage(0)
			change(&f.page)
			other := getLog(h, "Accept", accept, "If-None-Match", tag)
			require.Equal(t, 200, other.Code, name)
			require.NotEqual(t, tag, other.Header().Get("ETag"), name)
		}
	}
	f.page = aPage(0)
	one, two := getLog(h, "Accept", "application/json"), getLog(h, "Accept", "application/x-ndjson")
	require.NotEqual(t, one.Header().Get("ETag"), two.Header().Get("ETag"))
	w := httpCall{method: "HEAD", path: logPath}.do(h)
	require.Equal(t, one.Header().Get("ETag"), w.Header().Get("ETag"))
	require.Equal(t, one.Header().Get("Content-Length"), w.Header().Get("Content-Length"))
}

// TestP29_ALogCompressed: the compressed page says the same, in other bytes, and so under another tag; a caller that has the one does not have the other.
func TestP29_ALogCompressed(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.page = aPage(5000)
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		plain := getLog(h, "Accept", accept)
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		zip := getLog(h, "Accept", accept, "Accept-Encoding", "br, gzip;q=0.8")
		require.Equal(t, 200, zip.Code)
		require.Equal(t, "gzip", zip.Header().Get("Content-Encoding"))
		require.Equal(t, plain.Header().Get("Content-Type"), zip.Header().Get("Content-Type"))
		require.Less(t, zip.Body.Len(), 1000)
		tag := zip.Header().Get("ETag")
		require.NotEqual(t, plain.Header().Get("ETag"), tag)
		z, err := gzip.NewReader(zip.Body)
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, plain.Body.String(), string(text))

		require.Equal(t, 304, getLog(h, "Accept", accept, "Accept-Encoding", "gzip", "If-None-Match", tag).Code)
		again := getLog(h, "Accept", accept, "Accept-Encoding", "gzip", "If-None-Match", plain.Header().Get("ETag"))
		require.Equal(t, 200, again.Code)
		require.Equal(t, "gzip", again.Header().Get("Content-Encoding"))
		require.Equal(t, 200, getLog(h, "Accept", accept, "If-None-Match", tag).Code)
		for _, no := range []string{"gzip;q=0", "br", "identity"} {
			require.Empty(t, getLog(h, "Accept", accept, "Accept-Encoding", no).Header().Get("Content-Encoding"), no)
		}
	}
	f.page = aPage(0)
	require.Empty(t, getLog(h, "Accept-Encoding", "gzip").Header().Get("Content-Encoding"), "there is nothing to gain")
	f.err = protocol.Errorf(protocol.CodeNotFound, "no such topic")
	w := getLog(h, "Accept-Encoding", "gzip")
	requireProblem(t, w, 404, protocol.CodeNotFound)
	require.Empty(t, w.Header().Get("ETag"))
}

// TestP31_ALogAcrossOrigins: a page of an allowed origin may read what is said in headers.
func TestP31_ALogAcrossOrigins(t *testing.T) {
	h, f := newHTTP(t, Config{AllowOrigins: []string{"https://app.example"}})
	f.page = aPage(0)
	w := getLog(h, "Origin", "https://app.example", "Accept", "application/x-ndjson")
	require.Equal(t, "https://app.example", w.Header().Get("Access-Control-Allow-Origin"))
	require.ElementsMatch(t, []string{"Origin", "Accept, Accept-Encoding"}, w.Header().Values("Vary"))
	exposed := strings.Split(w.Header().Get("Access-Control-Expose-Headers"), ", ")
	for name := range w.Header() {
		if strings.HasPrefix(name, "Restante-") || name == "Etag" {
			require.Contains(t, exposed, strings.Replace(name, "Etag", "ETag", 1))
		}
	}
}
