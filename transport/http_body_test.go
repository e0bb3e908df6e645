package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP31_ContentType(t *testing.T) {
	for header, want := range map[string]int{
		"application/json": 200, "Application/JSON": 200, "application/json; charset=utf-8": 200, "application/json;": 200, "application/json; x": 200,
		"application/x-ndjson": 200, "application/x-ndjson; charset=utf-8": 200,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "application/jsonx": 415,
		"application/ndjson": 415, "text/json": 415, "text/plain; application/json": 415, "application/problem+json": 415, "application/json, text/plain": 415, ";": 415,
	} {
		t.Run(header, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			w := publishCall(`{"type":"a"}`, map[string]string{"Content-Type": header}).do(h)
			require.Equal(t, want, w.Code, w.Body.String())
			if want == 415 {
				requireProblem(t, w, 415, protocol.CodeBadRequest)
				require.Empty(t, f.calls())
			}
		})
	}
	t.Run("every route with a body", func(t *testing.T) {
		for _, c := range everyRoute {
			h, f := newHTTP(t, Config{})
			c.body, c.header = "type=a", map[string]string{"Content-Type": "text/plain"}
			requireProblem(t, c.do(h), 415, protocol.CodeBadRequest)
			require.Empty(t, f.calls(), c.path)
		}
	})
	t.Run("JSON where many make no sense", func(t *testing.T) {
		for path, method := range map[string]string{"ack": "POST", "messages": "POST", "snapshot": "PUT"} {
			h, f := newHTTP(t, Config{})
			requireProblem(t, httpCall{method: method, path: "/v1/clients/a/" + path, body: `{"cursor":"e1:1"}`, header: asNDJSON}.do(h), 415, protocol.CodeBadRequest)
			require.Empty(t, f.calls())
		}
	})
	t.Run("none and no body", func(t *testing.T) {
		for path, method := range map[string]string{"frames": "POST", "ack": "POST", "messages": "POST", "snapshot": "PUT"} {
			h, _ := newHTTP(t, Config{})
			requireProblem(t, httpCall{method: method, path: "/v1/clients/a/" + path}.do(h), 415, protocol.CodeBadRequest)
			requireProblem(t, httpCall{method: method, path: "/v1/clients/a/" + path, header: asJSON}.do(h), 400, protocol.CodeBadJSON)
		}
	})
	t.Run("two of them", func(t *testing.T) {
		h, _ := newHTTP(t, Config{})
		r := publishCall(`{"type":"a"}`, nil).request()
		r.Header["Content-Type"] = []string{"application/json", "text/plain"}
		requireProblem(t, recordHTTP(h, r), 415, protocol.CodeBadRequest)
	})
	t.Run("packed", func(t *testing.T) {
		h, _ := newHTTP(t, Config{})
		requireProblem(t, publishCall(`{"type":"a"}`, withHeader(asJSON, "Content-Encoding", "gzip")).do(h), 415, protocol.CodeBadRequest)
		require.Equal(t, 200, publishCall(`{"type":"a"}`, withHeader(asJSON, "Content-Encoding", "identity")).do(h).Code)
	})
}

// pipeServer serves h on an in-memory connection, so that a synctest bubble rules its time. It returns the client's end.
func pipeServer(t *testing.T, h http.Handler) (conn net.Conn, answers *bufio.Reader) {
	client, server := net.Pipe()
	accept := make(chan net.Conn, 1)
	accept <- server
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	l := pipeListener{accept, make(chan struct{})}
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		_ = srv.Close()
		<-done
	})
	return client, bufio.NewReader(client)
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// sendText writes a request's text as it is.
func sendText(t *testing.T, c net.Conn, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(c, format, args...)
	require.NoError(t, err)
}

func answerOf(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

const publishHead = "POST /v1/clients/a/frames?wait=acked HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"

func TestP17_SlowBody(t *testing.T) {
	for name, begin := range map[string]string{
		"nothing of it": publishHead + "Content-Length: 1000\r\n\r\n",
		"a part of it":  publishHead + "Content-Length: 1000\r\n\r\n{\"type\":\"a\"}\n{\"ty",
		"chunked":       publishHead + "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"type\":\"a\"}\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := newHTTP(t, Config{Insecure: true})
				c, r := pipeServer(t, h)
				began := time.Now()
				sendText(t, c, "%s", begin)
				res, body := answerOf(t, r)
				require.Equal(t, 408, res.StatusCode, body)
				require.Contains(t, body, `"code":"bad_request"`)
				require.Equal(t, 30*time.Second, time.Since(began))
				require.True(t, res.Close)
				require.Empty(t, f.calls(), "all or none: what did come is not published")
			})
		})
	}
	t.Run("one that nobody reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHTTP(t, Config{Insecure: true, Authorize: refuseAll, MessageTimeout: 7 * time.Second})
			c, r := pipeServer(t, h)
			began := time.Now()
			sendText(t, c, "%s", publishHead+"Content-Length: 1000\r\n\r\n")
			res, _ := answerOf(t, r)
			require.Equal(t, 401, res.StatusCode)
			_, err := r.ReadByte()
			require.Error(t, err, "and the connection does not stay")
			require.LessOrEqual(t, time.Since(began), 8*time.Second)
		})
	})
}

func TestP17_WaitingIsNotSlowness(t *testing.T) {
	for name, body := range map[string]string{
		"ndjson":  publishHead + "Content-Length: 13\r\n\r\n{\"type\":\"a\"}\n",
		"chunked": publishHead + "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"type\":\"a\"}\n\r\n0\r\n\r\n",
		"json":    strings.Replace(publishHead, "x-nd", "", 1) + "Content-Length: 12\r\n\r\n{\"type\":\"a\"}",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := newHTTP(t, Config{Insecure: true})
				f.onPublish = func(ctx context.Context) (protocol.Published, error) {
					select {
					case <-ctx.Done():
						return protocol.Published{}, ctx.Err()
					case <-time.After(time.Minute):
						return protocol.Published{Status: protocol.StatusAcked}, nil
					}
				}
				c, r := pipeServer(t, h)
				for range 2 { // the connection stays good for the next call
					sendText(t, c, "%s", body)
					res, text := answerOf(t, r)
					require.Equal(t, 200, res.StatusCode, text)
				}
			})
		})
	}
}

func TestCallerWhoLeavesEndsTheWait(t *testing.T) {
	h, f := newHTTP(t, Config{})
	waiting, left := make(chan struct{}), make(chan error, 1)
	f.onRead = func(ctx context.Context) (protocol.Page, error) {
		close(waiting)
		<-ctx.Done()
		left <- ctx.Err()
		return protocol.Page{}, ctx.Err()
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	sendText(t, conn, "GET /v1/clients/a/frames?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-waiting
	require.NoError(t, conn.Close())
	require.ErrorIs(t, <-left, context.Canceled)
}

func TestBodyCutShortIsNotPublished(t *testing.T) {
	for name, text := range map[string]string{
		"between lines": publishHead + "Content-Length: 1000\r\n\r\n{\"type\":\"a\"}\n",
		"chunked":       publishHead + "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"type\":\"a\"}\n\r\n",
		"bad chunk":     publishHead + "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"type\":\"a\"}\n\r\nzz\r\n",
		"single":        strings.Replace(publishHead, "x-nd", "", 1) + "Content-Length: 13\r\n\r\n{\"type\":\"a\"}",
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			srv := httptest.NewServer(h)
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			sendText(t, conn, "%s", strings.Replace(text, "Host: x", "Host: localhost", 1))
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			res, body := answerOf(t, bufio.NewReader(conn))
			require.Equal(t, 400, res.StatusCode, body)
			require.Contains(t, body, `"code":"bad_request"`)
			require.Empty(t, f.calls())
		})
	}
}

func TestP27_CallerWhoDoesNotReadItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := newHTTP(t, Config{Insecure: true})
		f.list.Cursor = strings.Repeat("x", 1<<20)
		done := make(chan time.Duration, 1)
		c, r := pipeServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			began := time.Now()
			h.ServeHTTP(w, req)
			done <- time.Since(began)
		}))
		sendText(t, c, "GET /v1/clients HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := r.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, <-done)
	})
}
