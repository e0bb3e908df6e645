package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

func TestRun_TheAgentAnswersOnBothDevices(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello\n"), 0o600))
	d := show(t, Options{Dir: dir})
	var s sessionState
	require.NoError(t, json.Unmarshal(d.do("GET", "/api/session", "").body, &s))
	require.Equal(t, []string{"session", "agent", "here"}, []string{s.Topic, s.Agent, s.Directory})
	laptop, phone := d.open("laptop"), d.open("phone")
	laptop.says("list")
	for _, p := range []*page{laptop, phone} {
		seen := p.until("turn", "done")
		require.Equal(t, []int{1, 1, 1, 1}, []int{seen["user"], seen["tool"], seen["output"], seen["tool_done"]})
	}
	now := d.state(d.do("GET", "/api/state", ""))
	for _, device := range []string{"laptop", "phone"} {
		require.Equal(t, networkState{State: "up", Connections: 1}, now.Panes[device])
	}
	require.Equal(t, brokerState{Up: true}, now.Broker)
	require.Empty(t, d.log.String())
}

func TestRun_TheButtons(t *testing.T) {
	d := show(t, Options{})
	laptop, phone := d.open("laptop"), d.open("phone")
	laptop.becomes(client.Live)
	phone.becomes(client.Live)
	network := func(pane, what string) reply {
		return d.do("POST", "/api/network", `{"pane":"`+pane+`","do":"`+what+`"}`)
	}

	s := d.state(network("laptop", "cut"))
	require.Equal(t, 1, s.Panes["laptop"].Cuts)
	laptop.becomes(client.Offline)
	laptop.becomes(client.Live)
	require.Equal(t, networkState{State: "up", Connections: 1}, d.state(d.do("GET", "/api/state", "")).Panes["phone"])

	require.Equal(t, "stalled", d.state(network("phone", "stall")).Panes["phone"].State)
	laptop.says("list")
	laptop.until("turn", "done")
	require.Empty(t, phone.frames)
	require.Equal(t, "up", d.state(network("phone", "resume")).Panes["phone"].State)
	phone.until("turn", "done")
	require.Empty(t, phone.frames)

	s = d.state(network("laptop", "tunnel"))
	require.Equal(t, "tunnel", s.Panes["laptop"].State)
	require.InDelta(t, tunnelTime.Milliseconds(), s.Panes["laptop"].TunnelMS, 5000)
	require.Equal(t, protocol.CodeConflict, network("laptop", "tunnel").code(t))
	require.Equal(t, protocol.CodeConflict, network("laptop", "stall").code(t))
	phone.says("list")
	phone.until("turn", "done")
	require.Equal(t, "up", d.state(network("laptop", "resume")).Panes["laptop"].State)
	laptop.becomes(client.Offline)
	laptop.becomes(client.Live)
	laptop.until("turn", "done")

	s = d.state(d.do("POST", "/api/broker", `{"do":"kill"}`))
	require.Equal(t, brokerState{Up: true, Kills: 1}, s.Broker)
	laptop.says("list")
	laptop.until("turn", "done")

	require.True(t, d.state(d.do("POST", "/api/flood", `{}`)).Flood.Running)
	r := d.do("POST", "/api/flood", `{}`)
	require.Equal(t, 409, r.StatusCode)
	require.Equal(t, protocol.CodeConflict, r.code(t))
	require.Equal(t, brokerState{Up: true, Kills: 2}, d.state(d.do("POST", "/api/broker", `{"do":"kill"}`)).Broker)
	d.state(network("phone", "cut"))
	for _, p := range []*page{laptop, phone} {
		for n := 1; n <= 2500; {
			if f := <-p.frames; f["type"] == "flood" {
				require.EqualValues(t, n, f["n"])
				n++
			}
		}
	}
	require.Equal(t, agent.FloodState{Sent: 2500, Of: 2500}, d.state(d.do("GET", "/api/state", "")).Flood)
	require.Empty(t, d.log.String())
}

func TestRun_ATunnelEndsByItself(t *testing.T) {
	d := show(t, Options{tunnel: 300 * time.Millisecond})
	p := d.open("laptop")
	p.becomes(client.Live)
	require.Equal(t, "tunnel", d.state(d.do("POST", "/api/network", `{"pane":"laptop","do":"tunnel"}`)).Panes["laptop"].State)
	c, err := net.Dial("tcp", strings.TrimPrefix(d.pane("laptop"), "http://"))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err, "it hangs until the end of the tunnel, and is reset then")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	p.becomes(client.Offline)
	p.becomes(client.Live)
	s := d.state(d.do("GET", "/api/state", "")).Panes["laptop"]
	require.Equal(t, "up", s.State)
	require.Zero(t, s.TunnelMS)
	require.GreaterOrEqual(t, s.Cuts, 2)
}

func TestRun_EndsInATunnelAndInTheMiddleOfATurn(t *testing.T) {
	d := show(t, Options{})
	p := d.open("laptop")
	p.says("help")
	p.until("text")
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"laptop","do":"tunnel"}`).StatusCode)
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"phone","do":"stall"}`).StatusCode)
	require.Equal(t, 200, d.do("POST", "/api/flood", `{}`).StatusCode)
	d.stop()
}

func TestRun_MistakesAreSentences(t *testing.T) {
	var usage UsageError
	for listen, words := range map[string]string{
		"0.0.0.0:0": "loopback address", ":7490": "loopback address", "192.0.2.1:80": "loopback address", "example.com:80": "loopback address",
		"127.0.0.1": "is no address", "127.0.0.1:many": "is no port", "127.0.0.1:70000": "is no port",
	} {
		err := Run(t.Context(), Options{Listen: listen, Out: io.Discard, Log: io.Discard})
		require.ErrorAs(t, err, &usage, listen)
		require.ErrorContains(t, err, words)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, dir := range []string{"/no/such/folder", os.Args[0]} {
		err := Run(t.Context(), Options{Listen: "127.0.0.1:0", Dir: dir, Out: io.Discard, Log: io.Discard})
		require.ErrorAs(t, err, &usage)
		require.ErrorContains(t, err, "--dir")
	}
	for _, path := range []string{"/no/such/program", "/bin/true"} {
		err := Run(t.Context(), Options{Listen: "127.0.0.1:0", Dir: temp, Executable: path, Out: io.Discard, Log: io.Discard})
		require.ErrorContains(t, err, "the broker")
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestListen_TakesAnotherPortWhereItsOwnIsTaken(t *testing.T) {
	first, err := Options{}.listen(t.Context())
	require.NoError(t, err)
	defer first.Close()
	second, err := Options{}.listen(t.Context())
	require.NoError(t, err)
	defer second.Close()
	require.NotEqual(t, first.Addr().String(), second.Addr().String())
	_, err = Options{Listen: second.Addr().String()}.listen(t.Context())
	require.Error(t, err, "who asks for one gets that one or none")
	for _, listen := range []string{"localhost:0", "[::1]:0", "127.0.0.2:0"} {
		ln, err := Options{Listen: listen}.listen(t.Context())
		if err != nil {
			require.Contains(t, listen, "::1", "there may be no IPv6 here: %v", err)
			continue
		}
		require.NoError(t, ln.Close())
	}
}
