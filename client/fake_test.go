package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// pipes is a network of in-memory connections, for tests inside a synctest bubble.
type pipes struct {
	t     *testing.T
	calls chan net.Conn
	// down makes each dial fail.
	down  bool
	mu    sync.Mutex
	dials []time.Time
	addr  string
}

func newPipes(t *testing.T) *pipes { return &pipes{t: t, calls: make(chan net.Conn, 100)} }

func (p *pipes) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials, p.addr = append(p.dials, time.Now()), addr
	if p.down {
		return nil, fmt.Errorf("the network is down")
	}
	a, b := net.Pipe()
	p.calls <- b
	return a, ctx.Err()
}

// tries says how often it was dialed.
func (p *pipes) tries() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dials)
}

func (p *pipes) lastAddr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// session is one connection, seen from the server.
type session struct {
	t      *testing.T
	conn   net.Conn
	query  url.Values
	path   string
	header http.Header
	// protocol is the subprotocol that was offered and taken.
	protocol string
	// got takes the client's messages; it is closed at the connection's end.
	got chan string
	mu  sync.Mutex
	// code is what the client closed with; 0 for none. frames counts close frames.
	code   ws.StatusCode
	closes int
	pongs  []string
}

// accept waits for the next dial and upgrades it.
func (p *pipes) accept() *session {
	p.t.Helper()
	s := &session{t: p.t, conn: <-p.calls, got: make(chan string, 10000), header: http.Header{}}
	up := ws.Upgrader{
		Protocol:  func(b []byte) bool { return string(b) == protocol.Subprotocol },
		OnRequest: func(uri []byte) error { return s.request(string(uri)) },
		OnHeader:  func(k, v []byte) error { s.header.Add(string(k), string(v)); return nil },
	}
	shake, err := up.Upgrade(s.conn)
	require.NoError(p.t, err)
	s.protocol = shake.Protocol
	go s.pump()
	p.t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *session) request(uri string) error {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return err
	}
	s.path, s.query = u.Path, u.Query()
	return nil
}

// pump reads what the client writes.
func (s *session) pump() {
	defer close(s.got)
	for {
		h, err := ws.ReadHeader(s.conn)
		if err != nil {
			return
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(s.conn, b); err != nil {
			return
		}
		if !h.Masked {
			s.t.Errorf("a frame of the client is not masked")
		}
		ws.Cipher(b, h.Mask, 0)
		s.mu.Lock()
		switch h.OpCode {
		case ws.OpClose:
			s.closes++
			s.code, _ = ws.ParseCloseFrameData(b)
		case ws.OpPong:
			s.pongs = append(s.pongs, string(b))
		default:
			s.got <- string(b)
		}
		s.mu.Unlock()
	}
}

// closed returns the client's close code, once the connection has come to rest.
func (s *session) closed() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.LessOrEqual(s.t, s.closes, 1, "one close frame at most")
	return int(s.code)
}

// raw writes bytes as they are; false once the connection has ended.
func (s *session) raw(b []byte) bool {
	_, err := s.conn.Write(b)
	return err == nil
}

func (s *session) text(text string) bool {
	return s.raw(ws.MustCompileFrame(ws.NewTextFrame([]byte(text))))
}

// say writes a message, and waits until the client has dealt with it.
func (s *session) say(format string, args ...any) {
	s.t.Helper()
	require.True(s.t, s.text(fmt.Sprintf(format, args...)))
	synctest.Wait()
}

// hello writes a hello; more is what differs from an ordinary one.
func (s *session) hello(resume protocol.Resume, epoch string, floor, head uint64, more ...func(*protocol.Hello)) {
	s.t.Helper()
	h := helloFor(s.query, resume, epoch, floor, head)
	for _, m := range more {
		m(&h)
	}
	s.say("%s", protocol.EncodeHello(h))
}

// helloFor is an ordinary hello, with missed and lost by P-6.
func helloFor(q url.Values, resume protocol.Resume, epoch string, floor, head uint64) protocol.Hello {
	h := protocol.Hello{
		ClientID: q.Get("client_id"), ConnectionID: "c", Epoch: epoch, Resume: resume, Floor: floor, Head: head,
		PingIntervalMS: 25000, PongTimeoutMS: 35000, AckIntervalMS: 5000,
		MaxFrameBytes: protocol.DefaultMaxFrameBytes, MaxMessageBytes: protocol.DefaultMaxMessageBytes,
	}
	since, err := protocol.ParseCursor(q.Get("since"))
	if err != nil || since.Epoch == "" || since.Epoch == epoch {
		missed, lost := head-min(head, since.Seq), floor-min(floor, since.Seq)
		h.Missed, h.Lost = &missed, &lost
	}
	if h.ClientID == "" {
		h.ClientID = "minted"
	}
	return h
}

func withReason(r protocol.Reason) func(*protocol.Hello) {
	return func(h *protocol.Hello) { h.Reason = r }
}

func withSnapshot(h *protocol.Hello) { h.Snapshot = true }

// frames writes the frames from … to.
func (s *session) frames(from, to uint64) {
	s.t.Helper()
	for seq := from; seq <= to; seq++ {
		require.True(s.t, s.text(frameText(seq)))
	}
	synctest.Wait()
}

func frameText(seq uint64) string { return fmt.Sprintf(`{"seq":%d,"type":"t","n":%d}`, seq, seq) }

// close ends the connection from the server's side, as a server does: close frame, the client's answer, end.
func (s *session) close(code protocol.CloseCode) {
	s.t.Helper()
	s.raw(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), code.Name()))))
	synctest.Wait()
	s.conn.Close()
	synctest.Wait()
}

// cut ends the connection without a word.
func (s *session) cut() {
	s.conn.Close()
	synctest.Wait()
}

// heard returns what the client has written since the last call.
func (s *session) heard() []string {
	synctest.Wait()
	var all []string
	for {
		select {
		case m, ok := <-s.got:
			if !ok {
				return all
			}
			all = append(all, m)
		default:
			return all
		}
	}
}

// fixture is a client that runs against pipes.
type fixture struct {
	*client.Client
	t     *testing.T
	net   *pipes
	ended chan error
	stop  context.CancelFunc

	mu      sync.Mutex
	seqs    []uint64
	events  []string
	reports []client.ResumeReport
	errs    []error
	states  []string
}

// start runs a client with cfg's holes filled in.
func start(t *testing.T, cfg client.Config) *fixture {
	t.Helper()
	f := &fixture{t: t, net: newPipes(t), ended: make(chan error, 1)}
	if cfg.URL == "" {
		cfg.URL = "http://broker.test:7480"
	}
	if cfg.ClientID == "" {
		cfg.ClientID = "tab-1"
	}
	if cfg.Dial == nil {
		cfg.Dial = f.net.dial
	}
	f.watch(&cfg)
	c, err := client.New(cfg)
	require.NoError(t, err)
	f.Client = c
	ctx, cancel := context.WithCancel(t.Context())
	f.stop = cancel
	go func() { f.ended <- c.Run(ctx) }()
	t.Cleanup(cancel)
	return f
}

// watch notes what the client calls.
func (f *fixture) watch(cfg *client.Config) {
	note := func(format string, args ...any) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, fmt.Sprintf(format, args...))
	}
	if cfg.Handler == nil {
		cfg.Handler = func(_ context.Context, fr client.Frame) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seqs = append(f.seqs, fr.Seq)
			f.events = append(f.events, eventOf(fr))
			return nil
		}
	}
	cfg.OnReset = func(r client.Reset) { note("reset %s %s, cursor %s", r.Reason, r.Cursor, f.Cursor()) }
	if cfg.OnSnapshot == nil {
		cfg.OnSnapshot = func(asOf uint64, data []byte) error {
			note("snapshot %d %s", asOf, bytes.TrimSpace(data))
			return nil
		}
	}
	if cfg.OnTopicReset == nil {
		cfg.OnTopicReset = func(r client.TopicReset) { note("reset of %s %s %s", r.Topic, r.Reason, r.Cursor) }
	}
	if cfg.OnTopicSnapshot == nil {
		cfg.OnTopicSnapshot = func(topic string, asOf uint64, data []byte) error {
			note("snapshot of %s %d %s", topic, asOf, data)
			return nil
		}
	}
	if cfg.OnTopicHole == nil {
		cfg.OnTopicHole = func(h client.TopicHole) { note("%s", h) }
	}
	if cfg.OnUnsubscribed == nil {
		cfg.OnUnsubscribed = func(u client.Unsubscribed) { note("unsubscribed %s, closed %v, %v", u.Topic, u.Closed, u.Err) }
	}
	cfg.OnResume = func(r client.ResumeReport) {
		note("resume %s", r)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reports = append(f.reports, r)
	}
	cfg.OnError = func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.errs = append(f.errs, err)
	}
	cfg.OnState = func(s client.State) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.states = append(f.states, s.String())
	}
}

// eventOf is how the fixture notes a frame.
func eventOf(fr client.Frame) string {
	if fr.Topic != "" {
		return fmt.Sprintf("%d %s:%d", fr.Seq, fr.Topic, fr.TopicSeq)
	}
	return fmt.Sprint(fr.Seq)
}

// happened returns what the application was told since the last call.
func (f *fixture) happened() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.events
	f.events = nil
	return e
}

func (f *fixture) lastReport() client.ResumeReport {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(f.t, f.reports)
	return f.reports[len(f.reports)-1]
}

// bubble runs a test in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// decoded reads a message.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &m), text)
	return m
}
