package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

var httpClient = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	Timeout:   patience,
}

// endpoint is a broker's address, seen from outside: a process, or one embedded in the test. Its try… methods may be
// called from any goroutine; the others end the test on failure and so belong to the test's own.
type endpoint struct {
	t   *testing.T
	url string // http://127.0.0.1:PORT
}

func (e *endpoint) host() string { return strings.TrimPrefix(e.url, "http://") }

// reply is one HTTP answer, whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// problem decodes r as a P-29 error.
func (r reply) problem(t *testing.T) protocol.Problem {
	t.Helper()
	var p protocol.Problem
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"), "%s", r)
	require.NoError(t, json.Unmarshal(r.body, &p), "%s", r)
	require.Equal(t, r.status, p.Status, "the status is the body's")
	return p
}

// try makes one call; headers come in pairs.
func (e *endpoint) try(ctx context.Context, method, path string, body []byte, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		} else if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, all}, err
}

func (e *endpoint) do(method, path string, body []byte, headers ...string) reply {
	e.t.Helper()
	r, err := e.try(e.t.Context(), method, path, body, headers...)
	require.NoError(e.t, err)
	return r
}

// get decodes the answer of a GET that succeeds.
func get[T any](e *endpoint, path string) T {
	e.t.Helper()
	var v T
	r := e.do("GET", path, nil)
	require.Equal(e.t, 200, r.status, "GET %s: %s", path, r)
	require.NoError(e.t, json.Unmarshal(r.body, &v), "GET %s: %s", path, r)
	return v
}

func framesPath(id string) string { return "/v1/clients/" + url.PathEscape(id) + "/frames" }

// tryPublish publishes frames in one call: a single one as JSON, more as NDJSON.
func (e *endpoint) tryPublish(ctx context.Context, id string, frames ...string) (p protocol.Published, err error) {
	kind := "application/json"
	if len(frames) > 1 {
		kind = "application/x-ndjson"
	}
	r, err := e.try(ctx, "POST", framesPath(id), []byte(strings.Join(frames, "\n")), "Content-Type", kind)
	if err != nil {
		return p, err
	}
	if r.status != 200 {
		return p, fmt.Errorf("publish to %s: %s", id, r)
	}
	if err := json.Unmarshal(r.body, &p); err != nil {
		return p, err
	}
	if p.Seq-p.FirstSeq+1 != uint64(len(frames)) || p.ClientID != id || p.Epoch == "" {
		return p, fmt.Errorf("publish of %d frames to %s: %s", len(frames), id, r)
	}
	return p, nil
}

func (e *endpoint) publish(id string, frames ...string) protocol.Published {
	e.t.Helper()
	p, err := e.tryPublish(e.t.Context(), id, frames...)
	require.NoError(e.t, err)
	return p
}

// publishN publishes n numbered frames, each padded to about size bytes, per to a call.
func (e *endpoint) publishN(id string, n, per, size int) (last protocol.Published) {
	e.t.Helper()
	for from := 0; from < n; from += per {
		batch := make([]string, 0, per)
		for i := from; i < min(n, from+per); i++ {
			batch = append(batch, numbered(i+1, size))
		}
		last = e.publish(id, batch...)
	}
	return last
}

// numbered is the frame number n of a row, padded to about size bytes.
func numbered(n, size int) string {
	head := fmt.Sprintf(`{"type":"n","n":%d,"pad":"`, n)
	return head + strings.Repeat("x", max(0, size-len(head)-2)) + `"}`
}

func (e *endpoint) state(id string) protocol.State {
	e.t.Helper()
	return get[protocol.State](e, "/v1/clients/"+url.PathEscape(id))
}

// page reads frames without a socket; query is the part after "?".
func (e *endpoint) page(id, query string) protocol.Page {
	e.t.Helper()
	return get[protocol.Page](e, framesPath(id)+"?"+query)
}

// eventually polls a client's state until ok says yes.
func (e *endpoint) eventually(id, what string, ok func(protocol.State) bool) protocol.State {
	e.t.Helper()
	var st protocol.State
	require.Eventually(e.t, func() bool {
		r, err := e.try(e.t.Context(), "GET", "/v1/clients/"+url.PathEscape(id), nil)
		st = protocol.State{}
		return err == nil && r.status == 200 && json.Unmarshal(r.body, &st) == nil && ok(st)
	}, patience, pollEvery, "%s: never %s", id, what)
	return st
}

// metric adds up every sample of a metric whose line holds all of the parts.
func (e *endpoint) metric(parts ...string) float64 {
	e.t.Helper()
	sum, found := 0.0, false
	for line := range strings.Lines(string(e.do("GET", "/metrics", nil).body)) {
		if strings.HasPrefix(line, "#") || !containsAll(line, parts) {
			continue
		}
		var v float64
		_, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v)
		require.NoError(e.t, err, line)
		sum, found = sum+v, true
	}
	require.True(e.t, found, "/metrics has nothing with %q", parts)
	return sum
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

func unique() string { return uuid.NewString() }
