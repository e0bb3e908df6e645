package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/protocol"
)

// patience bounds each wait for an event; no test counts on it.
const patience = 60 * time.Second

// output takes what a demo says. It is safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// shown is a demo under way, as somebody with its first line sees it.
type shown struct {
	t        *testing.T
	url, key string
	temp     string
	log      *output
	http     *http.Client
	// stop ends it in order.
	stop func()
}

func show(t *testing.T, o Options) *shown {
	t.Helper()
	d := &shown{t: t, temp: t.TempDir(), log: &output{}, http: &http.Client{Transport: &http.Transport{}}}
	t.Setenv("TMPDIR", d.temp)
	r, w := io.Pipe()
	o.Out, o.Log = w, d.log
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.pace = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, o)
		w.CloseWithError(errors.Join(io.EOF, err))
		ended <- err
	}()
	out := make(chan string, 1)
	go func() {
		var b [4096]byte
		n, _ := r.Read(b[:]) // each line is one write
		out <- string(b[:n])
		_, _ = io.Copy(io.Discard, r)
	}()
	first := <-out
	d.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
		d.http.CloseIdleConnections()
		left, err := os.ReadDir(d.temp)
		require.NoError(t, err)
		require.Empty(t, left, "nothing is left of it")
	})
	t.Cleanup(d.stop)
	var ok bool
	d.url, d.key, ok = strings.Cut(strings.TrimSpace(first), "/#key=")
	require.True(t, ok, "%q %s", first, d.log)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, d.url)
	require.Regexp(t, `^[\w-]{32}$`, d.key)
	return d
}

// reply is an answer of the demo's server.
type reply struct {
	*http.Response
	body []byte
}

// code is the code of a problem.
func (r reply) code(t *testing.T) protocol.Code {
	t.Helper()
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	var p protocol.Problem
	require.NoError(t, json.Unmarshal(r.body, &p))
	require.Equal(t, r.StatusCode, p.Status)
	require.NotEmpty(t, p.Detail)
	return p.Code
}

// do makes a request: with the key and as JSON, but where headers say otherwise; an empty value leaves a header out.
func (d *shown) do(method, path, body string, headers ...string) reply {
	d.t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = d.url + path
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, target, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+d.key)
	if method == http.MethodPost || method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; {
		case name == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Add(name, value)
			if name != "Origin" {
				req.Header.Set(name, value)
			}
		}
	}
	res, err := d.http.Do(req)
	require.NoError(d.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return reply{res, data}
}

func (d *shown) state(r reply) (s state) {
	d.t.Helper()
	require.Equal(d.t, 200, r.StatusCode, "%s", r.body)
	require.NoError(d.t, json.Unmarshal(r.body, &s))
	return s
}

func (d *shown) pane(device string) string {
	d.t.Helper()
	var s sessionState
	require.NoError(d.t, json.Unmarshal(d.do("GET", "/api/session", "").body, &s))
	return s.Panes[device]
}

// page is one device of the page.
type page struct {
	d *shown
	*client.Client
	frames chan map[string]any
	states chan client.State
}

func (d *shown) open(device string) *page {
	d.t.Helper()
	p := &page{d: d, frames: make(chan map[string]any, 10_000), states: make(chan client.State, 10_000)}
	var err error
	p.Client, err = client.New(client.Config{
		URL: d.pane(device), ClientID: device + "-1", Backoff: client.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
		Token:       func(context.Context) (string, error) { return d.key, nil },
		OnTopicHole: func(h client.TopicHole) { d.t.Errorf("%v", h) },
		OnState:     func(s client.State) { p.states <- s },
		Handler: func(_ context.Context, f client.Frame) error {
			var frame map[string]any
			if err := json.Unmarshal(f.Raw, &frame); err != nil {
				return err
			}
			p.frames <- frame
			return nil
		},
	})
	require.NoError(d.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	d.t.Cleanup(func() {
		cancel()
		<-ended
	})
	history := 1000
	_, err = p.Subscribe(d.t.Context(), agent.Topic, client.SubscribeOptions{History: &history})
	require.NoError(d.t, err)
	return p
}

func (p *page) says(text string) {
	p.d.t.Helper()
	body, err := json.Marshal(map[string]string{"type": "say", "text": text})
	require.NoError(p.d.t, err)
	_, err = p.Send(p.d.t.Context(), agent.ID, body)
	require.NoError(p.d.t, err)
}

// until waits for the first frame of a type, and of a state where that is given; it returns how many of each type have come.
func (p *page) until(typ string, state ...string) map[string]int {
	p.d.t.Helper()
	seen := map[string]int{}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case f := <-p.frames:
			seen[f["type"].(string)]++
			if f["type"] == typ && (len(state) == 0 || f["state"] == state[0]) {
				return seen
			}
		case <-timer.C:
			require.FailNow(p.d.t, "it never comes", "%s after %v", typ, seen)
		}
	}
}

// becomes waits until the connection is in a phase.
func (p *page) becomes(phase client.Phase) {
	p.d.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case s := <-p.states:
			if s.Phase == phase {
				return
			}
		case <-timer.C:
			require.FailNow(p.d.t, "it never becomes so", "%v", phase)
		}
	}
}
