package web

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func get(f http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

func TestClientServesEverySourceAsItIs(t *testing.T) {
	names, err := fs.Glob(Sources(), "*")
	require.NoError(t, err)
	require.Contains(t, names, "core.js")
	for _, name := range names {
		want, err := fs.ReadFile(Sources(), name)
		require.NoError(t, err)
		resp := get(Client(), "GET", "/client/"+name)
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	}
	resp := get(Client(), "GET", "/client.js")
	require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "export * from \"./client/index.js\"\n", string(body))
}

func TestFilesHaveTagsAndAreCompressed(t *testing.T) {
	f := Files{}
	require.NoError(t, f.Add("/x/", fstest.MapFS{"a/b.js": {Data: []byte("let a = 1")}, "c.d.ts": {Data: []byte("type a = 1")}}))
	require.True(t, f.Has("/x/a/b.js"))
	require.False(t, f.Has("/x/a"))
	plain := get(f, "GET", "/x/a/b.js")
	small := get(f, "GET", "/x/a/b.js", "Accept-Encoding", "br, gzip")
	require.NotEqual(t, plain.Header.Get("ETag"), small.Header.Get("ETag"))
	z, err := gzip.NewReader(small.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, "let a = 1", string(text))
	require.Equal(t, http.StatusNotModified, get(f, "GET", "/x/a/b.js", "If-None-Match", plain.Header.Get("ETag")).StatusCode)
	require.Equal(t, http.StatusOK, get(f, "GET", "/x/a/b.js", "If-None-Match", small.Header.Get("ETag")).StatusCode)
	require.Equal(t, http.StatusNotFound, get(f, "GET", "/x/a").StatusCode)
	require.Equal(t, http.StatusMethodNotAllowed, get(f, "POST", "/x/a/b.js").StatusCode)
	require.Equal(t, http.StatusOK, get(f, "HEAD", "/x/c.d.ts").StatusCode)
}
