package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/cmd/restante/child"
	"github.com/restante/restante/protocol"
)

// patience bounds each wait for an event; no test counts on it.
const patience = 60 * time.Second

// world is an agent, a broker's process on a folder of its own, and pages that follow the session.
type world struct {
	t     *testing.T
	dir   string
	agent *Agent
	stop  func() // ends the agent's Run

	mu     sync.Mutex
	addr   string
	broker *child.Server
}

func newWorld(t *testing.T, dir string) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.serve()
	t.Cleanup(func() { w.broker.Stop() })
	var err error
	w.agent, err = New(Config{Dir: dir, Temp: t.TempDir(), Pace: 2 * time.Millisecond, Dial: w.dial})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.agent.Close()) })
	w.run()
	t.Cleanup(func() { w.stop() })
	return w
}

// serve starts a broker on the folder.
func (w *world) serve() {
	self, err := os.Executable()
	require.NoError(w.t, err)
	s, err := child.Start(context.WithoutCancel(w.t.Context()), self, io.Discard, nil, "serve", w.dir)
	require.NoError(w.t, err)
	w.mu.Lock()
	w.broker, w.addr = s, strings.TrimPrefix(s.URL, "http://")
	w.mu.Unlock()
}

// kill ends the broker as a crash does.
func (w *world) kill() {
	w.mu.Lock()
	w.addr = ""
	w.mu.Unlock()
	w.broker.Kill()
}

func (w *world) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	w.mu.Lock()
	addr := w.addr
	w.mu.Unlock()
	if addr == "" {
		return nil, fmt.Errorf("no broker")
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// run lets the agent work.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.agent.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w.t, <-ended)
	})
}

// page is a device that follows the session.
type page struct {
	w *world
	*client.Client
	frames chan map[string]any
	seen   []map[string]any
	begun  json.RawMessage // the snapshot
}

func (w *world) page(id string) *page {
	p := &page{w: w, frames: make(chan map[string]any, 10_000)}
	begun := make(chan json.RawMessage, 1)
	var err error
	p.Client, err = client.New(client.Config{
		URL: "http://broker.localhost", ClientID: id, Dial: w.dial, Backoff: client.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
		OnTopicSnapshot: func(_ string, _ uint64, data []byte) error {
			begun <- data
			return nil
		},
		OnTopicHole: func(h client.TopicHole) { w.t.Errorf("%v", h) },
		Handler: func(_ context.Context, f client.Frame) error {
			var frame map[string]any
			if err := json.Unmarshal(f.Raw, &frame); err != nil {
				return err
			}
			p.frames <- frame
			return nil
		},
	})
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-ended
	})
	history := 1000
	subscribed, err := p.Subscribe(w.t.Context(), Topic, client.SubscribeOptions{History: &history})
	require.NoError(w.t, err)
	if p.begun = json.RawMessage(`{"frames":[]}`); subscribed.Snapshot { // else it has come before the agent
		p.begun = <-begun
	}
	return p
}

// sends a frame to the agent, and waits for the broker's receipt.
func (p *page) sends(format string, args ...any) {
	p.w.t.Helper()
	_, err := p.Send(p.w.t.Context(), ID, fmt.Appendf(nil, format, args...))
	require.NoError(p.w.t, err)
}

func (p *page) says(text string) { p.sends(`{"type":"say","text":%q,"send":"s-%s"}`, text, text) }

// next waits for the first frame that has these members.
func (p *page) next(members ...any) map[string]any {
	p.w.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case f := <-p.frames:
			p.seen = append(p.seen, f)
			if has(f, members...) {
				return f
			}
		case <-timer.C:
			require.FailNow(p.w.t, "it never comes", "%v after %v", members, p.seen)
		}
	}
}

// has reports whether f has these members: name, value, name, value.
func has(f map[string]any, members ...any) bool {
	for i := 0; i < len(members); i += 2 {
		if fmt.Sprint(f[members[i].(string)]) != fmt.Sprint(members[i+1]) {
			return false
		}
	}
	return true
}

// count is how many of the frames that have come have these members.
func (p *page) count(members ...any) int {
	n := 0
	for _, f := range p.seen {
		if has(f, members...) {
			n++
		}
	}
	return n
}

// text is what a turn has said.
func (p *page) text(turn int) string {
	var b strings.Builder
	for _, f := range p.seen {
		if has(f, "type", "text", "turn", turn) {
			b.WriteString(f["text"].(string))
		}
	}
	return b.String()
}

// log reads the topic's log from the broker, each frame without what the topic has put in front.
func (w *world) log() (frames []json.RawMessage) {
	w.t.Helper()
	since := "0"
	defer http.DefaultClient.CloseIdleConnections()
	for {
		res, err := http.Get(w.broker.URL + "/v1/topics/" + Topic + "/frames?since=" + since)
		require.NoError(w.t, err)
		require.Equal(w.t, http.StatusOK, res.StatusCode)
		var page protocol.Page
		require.NoError(w.t, json.NewDecoder(res.Body).Decode(&page))
		require.NoError(w.t, res.Body.Close())
		for _, f := range page.Frames {
			rest, next := strings.CutPrefix(string(f), fmt.Sprintf(`{"topic":"session","topic_seq":%d,`, len(frames)+1))
			require.True(w.t, next, "%s is not the next behind %d", f, len(frames))
			frames = append(frames, json.RawMessage("{"+rest))
		}
		if !page.More {
			return frames
		}
		since = page.Cursor
	}
}
