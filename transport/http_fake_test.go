package transport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// httpFake is a Registry for the plain HTTP half: it notes what it is asked, and answers what the test told it to.
type httpFake struct {
	mu    sync.Mutex
	asked []string // "publish tab-1", in order

	published Publish
	read      Read
	acked     Ack
	asOf      protocol.Cursor
	data      []byte
	message   protocol.Message
	cursor    string
	limit     int

	onPublish func(context.Context) (protocol.Published, error)
	onRead    func(context.Context) (protocol.Page, error)
	reply     []byte
	state     protocol.State
	list      protocol.List
	page      protocol.TopicPage
	stored    protocol.StoredSnapshot
	err       error // of every call that has no function of its own
	notReady  error
}

var _ Registry = (*httpFake)(nil)

func (f *httpFake) PublishTopic(_ context.Context, topic string, p Publish) (protocol.TopicPublished, error) {
	f.note("publish topic " + topic)
	f.published = p
	n := uint64(len(p.Bodies))
	return protocol.TopicPublished{Topic: topic, Epoch: "e1", FirstSeq: 1, Seq: n, Status: p.Wait}, f.err
}

func (f *httpFake) Broadcast(ctx context.Context, p Publish) (protocol.TopicPublished, error) {
	return f.PublishTopic(ctx, protocol.AllTopic, p)
}

func (f *httpFake) CloseTopic(_ context.Context, topic string) (protocol.TopicPublished, error) {
	f.note("close topic " + topic)
	return protocol.TopicPublished{Topic: topic, Seq: 9}, f.err
}

func (f *httpFake) ReadTopic(_ context.Context, topic string, r Read) (protocol.TopicPage, error) {
	f.note("read topic " + topic)
	f.read = r
	return f.page, f.err
}

func (f *httpFake) Topic(_ context.Context, topic, cursor string, limit int) (protocol.TopicState, error) {
	f.note("topic " + topic)
	f.cursor, f.limit = cursor, limit
	return protocol.TopicState{Topic: topic}, f.err
}

func (f *httpFake) Topics(_ context.Context, cursor string, limit int) (protocol.TopicList, error) {
	f.note("topics")
	f.cursor, f.limit = cursor, limit
	return protocol.TopicList{}, f.err
}

func (f *httpFake) DeleteTopic(_ context.Context, topic string) error {
	f.note("delete topic " + topic)
	return f.err
}

func (f *httpFake) PutTopicSnapshot(_ context.Context, topic string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error) {
	f.note("put topic snapshot " + topic)
	f.asOf, f.data = asOf, data
	return protocol.StoredSnapshot{Topic: topic, AsOf: asOf.String()}, f.err
}

func (f *httpFake) TopicSnapshot(_ context.Context, topic string) (protocol.StoredSnapshot, error) {
	f.note("topic snapshot " + topic)
	return f.stored, f.err
}

func (f *httpFake) DeleteTopicSnapshot(_ context.Context, topic string) error {
	f.note("delete topic snapshot " + topic)
	return f.err
}

func (f *httpFake) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
}

func (f *httpFake) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked...)
}

func (f *httpFake) Attach(id string, _ Attach, _ Peer) { f.note("attach " + id) }

func (f *httpFake) Publish(ctx context.Context, id string, p Publish) (protocol.Published, error) {
	f.note("publish " + id)
	f.published = p
	if f.onPublish != nil {
		return f.onPublish(ctx)
	}
	n := uint64(len(p.Bodies))
	return protocol.Published{ClientID: id, Epoch: "e1", FirstSeq: 1, Seq: n, Status: p.Wait}, f.err
}

func (f *httpFake) Read(ctx context.Context, id string, r Read) (protocol.Page, error) {
	f.note("read " + id)
	f.read = r
	if f.onRead != nil {
		return f.onRead(ctx)
	}
	return protocol.Page{Resume: protocol.ResumeFresh, Epoch: "e1", Cursor: "e1:0"}, f.err
}

func (f *httpFake) Ack(_ context.Context, id string, a Ack) (protocol.State, error) {
	f.note("ack " + id)
	f.acked = a
	return f.state, f.err
}

func (f *httpFake) Message(_ context.Context, id string, m protocol.Message) ([]byte, error) {
	f.note("message " + id)
	f.message = m
	return f.reply, f.err
}

func (f *httpFake) State(_ context.Context, id string) (protocol.State, error) {
	f.note("state " + id)
	return f.state, f.err
}

func (f *httpFake) List(_ context.Context, cursor string, limit int) (protocol.List, error) {
	f.note("list")
	f.cursor, f.limit = cursor, limit
	return f.list, f.err
}

func (f *httpFake) Delete(_ context.Context, id string) error {
	f.note("delete " + id)
	return f.err
}

func (f *httpFake) PutSnapshot(_ context.Context, id string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error) {
	f.note("put snapshot " + id)
	f.asOf, f.data = asOf, data
	return f.stored, f.err
}

func (f *httpFake) Snapshot(_ context.Context, id string) (protocol.StoredSnapshot, error) {
	f.note("snapshot " + id)
	return f.stored, f.err
}

func (f *httpFake) DeleteSnapshot(_ context.Context, id string) error {
	f.note("delete snapshot " + id)
	return f.err
}

func (f *httpFake) Sweep(context.Context) (protocol.Sweep, error) {
	f.note("sweep")
	return protocol.Sweep{Reaped: 3, Kept: 4, Clients: 7}, f.err
}

func (f *httpFake) Ready() error { return f.notReady }

// newHTTP returns a handler over a fake, its log thrown away.
func newHTTP(t testing.TB, cfg Config) (*Handler, *httpFake) {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sys := actors.Start(actors.Options{Logger: cfg.Logger})
	t.Cleanup(func() { require.NoError(t, sys.Stop(context.Background())) })
	f := &httpFake{}
	return New(sys, f, cfg), f
}

// httpCall is one request as a local program sends it; a test changes what it is about.
type httpCall struct {
	method, path, body string
	header             map[string]string // "Host" is the Host
	peer               string            // remote address, 127.0.0.1 unless said
}

func (c httpCall) request() *http.Request {
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r := httptest.NewRequest(c.method, "http://localhost:7480"+c.path, body)
	r.RemoteAddr = "127.0.0.1:40000"
	if c.peer != "" {
		r.RemoteAddr = c.peer
	}
	for k, v := range c.header {
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Set(k, v)
	}
	return r
}

func (c httpCall) do(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, c.request())
	return w
}

// requireProblem checks that w is a problem document with status and code, and returns it.
func requireProblem(t testing.TB, w *httptest.ResponseRecorder, status int, code protocol.Code) protocol.Problem {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p protocol.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, code, p.Code, w.Body.String())
	require.Equal(t, status, p.Status)
	require.Equal(t, http.StatusText(status), p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

var (
	asJSON   = map[string]string{"Content-Type": "application/json"}
	asNDJSON = map[string]string{"Content-Type": "application/x-ndjson"}
)

// withHeader returns headers and one more.
func withHeader(headers map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range headers {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// readerOf makes a body of r that can be looked at afterwards.
func readerOf(r io.Reader) io.ReadCloser { return io.NopCloser(r) }

// discardWriter is a ResponseWriter without anything behind it: no deadlines, no hijacking.
type discardWriter struct{ h http.Header }

func (d discardWriter) Header() http.Header         { return d.h }
func (d discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (d discardWriter) WriteHeader(int)             {}

func recordHTTP(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var errSecret = errors.New("the disk in room 7 is full")
