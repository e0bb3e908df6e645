package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// served is a serve command that runs.
type served struct {
	*command
	url  string
	done chan int
}

func startServe(t *testing.T, args ...string) *served {
	t.Helper()
	return startServeOn(t, append([]string{"--memory"}, args...)...)
}

// startServeOn is startServe with the store that args name.
func startServeOn(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{command: newCommand(), done: make(chan int, 1)}
	r, w := io.Pipe()
	go func() {
		s.done <- run(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), process{out: w, err: &s.err, signals: s.catch})
		w.Close()
	}()
	first, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, s.err.String())
	s.url = strings.TrimSuffix(first, "\n")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestServeServesUntilASignal(t *testing.T) {
	s := startServe(t)
	require.Regexp(t, `^http://127\.0\.0\.1:[1-9][0-9]*$`, s.url)
	code, _ := get(t, s.url+"/readyz")
	require.Equal(t, http.StatusOK, code)
	tool := newCommand()
	require.Equal(t, exitOK, tool.run("one\ntwo\n", "publish", "tab-1", "--lines", "--url", s.url), tool.err.String())
	_, body := get(t, s.url+"/v1/clients/tab-1/frames")
	var page protocol.Page
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.Len(t, page.Frames, 2)
	s.signals <- syscall.SIGTERM
	require.Equal(t, exitOK, <-s.done, s.err.String())
	_, err := http.Get(s.url)
	require.Error(t, err)
}

// TestServeObeysItsLimits shows that a flag reaches the broker.
func TestServeObeysItsLimits(t *testing.T) {
	s := startServe(t, "--max-frames", "3")
	tool := newCommand()
	require.Equal(t, exitOK, tool.run("1\n2\n3\n4\n5\n", "publish", "tab-1", "--wrap", "--url", s.url), tool.err.String())
	_, body := get(t, s.url+"/v1/clients/tab-1")
	var state protocol.State
	require.NoError(t, json.Unmarshal([]byte(body), &state))
	require.EqualValues(t, 5, state.Head)
	require.EqualValues(t, 2, state.Floor)
	require.Contains(t, tool.err.String(), "2 pruned before anybody acked them")
	s.signals <- syscall.SIGINT
	require.Equal(t, exitOK, <-s.done)
}

// TestServeKeepsItsOutboxes ends one on a folder, in order, and starts the next on it.
func TestServeKeepsItsOutboxes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var page, again protocol.Page
	for i, sync := range []string{"never", "interval:20ms", "always"} {
		s := startServeOn(t, "--data-dir", dir, "--sync", sync)
		if i == 0 {
			tool := newCommand()
			require.Equal(t, exitOK, tool.run("one\ntwo\n", "publish", "tab-1", "--lines", "--url", s.url), tool.err.String())
			_, body := get(t, s.url+"/v1/clients/tab-1/frames")
			require.NoError(t, json.Unmarshal([]byte(body), &page))
			require.Len(t, page.Frames, 2)
		}
		_, body := get(t, s.url+"/v1/clients/tab-1/frames")
		require.NoError(t, json.Unmarshal([]byte(body), &again))
		require.Equal(t, page, again, "epoch and all, with "+sync)

		other := newCommand()
		require.Equal(t, exitFailed, other.run("", "serve", "--listen", "127.0.0.1:0", "--data-dir", dir), "one process at a time")
		require.Empty(t, other.out.String())
		require.Contains(t, other.err.String(), dir)
		s.signals <- syscall.SIGTERM
		require.Equal(t, exitOK, <-s.done, s.err.String())
		require.Contains(t, s.err.String(), "store="+dir+" sync="+sync)
		http.DefaultClient.CloseIdleConnections()
	}
}

// TestServeEndsWithItsParent drains when the standard input that a parent holds open has ended.
func TestServeEndsWithItsParent(t *testing.T) {
	in, parent := io.Pipe()
	c, done := newCommand(), make(chan int, 1)
	r, w := io.Pipe()
	go func() {
		done <- run([]string{"serve", "--listen", "127.0.0.1:0", "--memory", "--until-stdin-closes"}, process{in: in, out: w, err: &c.err, signals: c.catch})
		w.Close()
	}()
	first, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, c.err.String())
	code, _ := get(t, strings.TrimSuffix(first, "\n")+"/readyz")
	require.Equal(t, http.StatusOK, code)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, parent.Close())
	require.Equal(t, exitOK, <-done, c.err.String())
	require.Contains(t, c.err.String(), "end of standard input")
}

// TestP23_SecondSignalEndsServeAtOnce holds a drain up with a WebSocket that answers nothing.
func TestP23_SecondSignalEndsServeAtOnce(t *testing.T) {
	s := startServe(t, "--drain-time", "10m")
	addr := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1/ws?client_id=tab-1 HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	for !strings.Contains(readSome(t, in), `"hello"`) {
	}
	s.signals <- syscall.SIGTERM
	for !strings.Contains(readSome(t, in), `"goaway"`) {
	}
	s.signals <- syscall.SIGINT
	require.Equal(t, 130, <-s.done)
}

func readSome(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := in.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func TestServeFailsWhereItCannotListen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	c := newCommand()
	require.Equal(t, exitFailed, c.run("", "serve", "--listen", ln.Addr().String(), "--memory"))
	require.Contains(t, c.err.String(), "address already in use")
	require.Empty(t, c.out.String())
}

func TestBaseURL(t *testing.T) {
	for want, addr := range map[string]*net.TCPAddr{
		"http://127.0.0.1:80":  {IP: net.IPv4zero, Port: 80},
		"http://[::1]:80":      {IP: net.IPv6loopback, Port: 80},
		"http://192.0.2.1:443": {IP: net.IPv4(192, 0, 2, 1), Port: 443},
	} {
		require.Equal(t, want, baseURL(addr))
	}
}
