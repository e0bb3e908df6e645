package transport

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// sseEvent is one event, or one comment, as it stood in the stream.
type sseEvent struct{ id, name, data, retry, comment string }

// sseClient reads a stream of events, line by line.
type sseClient struct {
	t   testing.TB
	nc  net.Conn // nil over HTTP/2
	res *http.Response
	br  *bufio.Reader
}

// getEvents asks for a stream over nc; headers come in pairs.
func getEvents(t testing.TB, nc net.Conn, path string, headers ...string) *sseClient {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	req := "GET /v1/clients/" + path + " HTTP/1.1\r\nHost: localhost\r\n"
	for i := 0; i+1 < len(headers); i += 2 {
		req += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	_, err := nc.Write([]byte(req + "\r\n"))
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	return newSSEClient(t, nc, res)
}

func newSSEClient(t testing.TB, nc net.Conn, res *http.Response) *sseClient {
	t.Helper()
	c := &sseClient{t: t, nc: nc, res: res, br: bufio.NewReader(res.Body)}
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(res.Body)
		require.NoError(t, err)
		z.Multistream(false) // a browser reads one member
		c.br = bufio.NewReader(z)
	}
	return c
}

// openStream opens one on a loopback server; its reads are bounded.
func openStream(t testing.TB, s *httptest.Server, path string, headers ...string) *sseClient {
	t.Helper()
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	return getEvents(t, nc, path, headers...)
}

// opened is openStream, attached and with hello read.
func opened(t testing.TB, f *wsFake, s *httptest.Server, path string, headers ...string) (*sseClient, *fakeLink) {
	t.Helper()
	links := make(chan *fakeLink, 1)
	go func() {
		l := <-f.links
		l.peer.Write([]protocol.Piece{hello})
		links <- l
	}()
	c := openStream(t, s, path, headers...)
	require.Equal(t, http.StatusOK, c.res.StatusCode)
	e := c.next()
	requireAbout(t, comeBack, e.retry)
	require.Equal(t, sseEvent{name: "hello", data: string(hello.Body), retry: e.retry}, e)
	l := <-links
	l.next(t, "written")
	return c, l
}

var hello = protocol.Piece{Body: protocol.Body(`{"type":"hello","epoch":"e1"}`)}

// read returns the next event or comment, or how the stream ended.
func (c *sseClient) read() (e sseEvent, err error) {
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return e, nil
		}
		name, value, found := strings.Cut(line, ":")
		require.True(c.t, found, line)
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			require.Empty(c.t, e.data)
			e.data = value
		case "retry":
			e.retry = value
		case "":
			e.comment = ":" + value
		default:
			require.Fail(c.t, "an unknown field", line)
		}
	}
}

func (c *sseClient) next() sseEvent {
	c.t.Helper()
	e, err := c.read()
	require.NoError(c.t, err)
	return e
}

// closed reads the event that ends the stream, and its end.
func (c *sseClient) closed(code protocol.CloseCode, retry string) {
	c.t.Helper()
	e := c.next()
	require.Equal(c.t, "close", e.name, "%+v", e)
	require.JSONEq(c.t, string(encodeJSON(map[string]any{"code": code, "name": code.Name()})), e.data)
	if retry == soon {
		requireAbout(c.t, comeBack, e.retry)
	} else {
		require.Equal(c.t, retry, e.retry)
	}
	_, err := c.read()
	require.ErrorIs(c.t, err, io.EOF)
}

// soon is the retry of who was not told otherwise.
const soon = "soon"

// requireAbout holds a retry to from half to one and a half of d.
func requireAbout(t testing.TB, d time.Duration, retry string) {
	t.Helper()
	ms, err := strconv.Atoi(retry)
	require.NoError(t, err)
	require.InDelta(t, d.Milliseconds(), ms, float64(d.Milliseconds())/2)
}

// pipes is a listener of pipes, for servers on a clock of their own. A pipe's write waits until the other end reads.
type pipes struct {
	conns chan net.Conn
	over  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.over); return nil }
func (p pipes) Addr() net.Addr { return loopback{} }

type loopback struct{}

func (loopback) Network() string { return "tcp" }
func (loopback) String() string  { return "127.0.0.1:1" }

// local is a pipe that looks like a loopback connection.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return loopback{} }

// servePipes serves h over pipes; dial makes one.
func servePipes(t testing.TB, h *Handler) (dial func() net.Conn) {
	t.Helper()
	p := pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(p) }()
	t.Cleanup(func() {
		h.CloseAll()
		require.NoError(t, h.WaitConns(context.Background()))
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return func() net.Conn {
		near, far := net.Pipe()
		p.conns <- local{far}
		return near
	}
}

func mustDial(t testing.TB, s *httptest.Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// waitNone waits until no connection is left.
func waitNone(t testing.TB, h *Handler) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return h.WaitConns(ctx)
}
