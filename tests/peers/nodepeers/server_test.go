package nodepeers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// patience is how long anything may take here; what fails takes as long.
const patience = 30 * time.Second

var caller = &http.Client{Timeout: patience}

// server is one that a test has started.
type server struct {
	t       *testing.T
	addr    string
	dialect bench.Dialect
	cmd     *exec.Cmd
	ended   chan error // what Wait has returned
}

// each runs test against a server of each kind.
func each(t *testing.T, test func(t *testing.T, s *server)) {
	for _, d := range []bench.Dialect{dialects.WS{}, dialects.SocketIO{}, dialects.SocketIO{Recovery: true}} {
		t.Run(d.Name(), func(t *testing.T) { test(t, serve(t, d)) })
	}
}

func serve(t *testing.T, d bench.Dialect) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: l.Addr().String(), dialect: d, ended: make(chan error, 1)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s.cmd, err = Start(d.Name(), s.addr); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by then
		select {
		case <-s.ended:
		case <-time.After(patience):
			_ = s.cmd.Process.Kill() // likewise
			t.Errorf("it goes on after SIGTERM: %v", <-s.ended)
		}
		caller.CloseIdleConnections()
	})
	for tries := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("the server ended: %v", err)
		case <-tries.C:
			if r, err := caller.Get("http://" + s.addr + "/bench/ready"); err == nil {
				r.Body.Close()
				return s
			}
		}
	}
}

// call makes one call, which must be answered by status, and decodes the answer into v unless that is nil.
func (s *server) call(status int, method, target, contentType string, body []byte, v any) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.addr+target, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	r, err := caller.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.StatusCode != status {
		s.t.Fatalf("%s %s %s: %d %s, not %d", method, target, body, r.StatusCode, got, status)
	}
	if v != nil {
		if err := json.Unmarshal(got, v); err != nil {
			s.t.Fatalf("%s %s: %s: %v", method, target, got, err)
		}
	}
}

func (s *server) post(target, body string, v any) {
	s.t.Helper()
	s.call(200, "POST", target, "application/json", []byte(body), v)
}

func (s *server) start(work, prefix string, clients, rate int) {
	s.t.Helper()
	s.post("/bench/start", fmt.Sprintf(`{"work":%q,"prefix":%q,"clients":%d,"bytes":%d,"rate":%d}`, work, prefix, clients, bench.Frame, rate), nil)
}

func (s *server) credit(n int) {
	s.t.Helper()
	s.call(204, "POST", fmt.Sprintf("/bench/credit?n=%d", n), "", nil, nil)
}

func (s *server) stop() int {
	s.t.Helper()
	var m struct{ Published int }
	s.post("/bench/stop", "", &m)
	return m.Published
}

// fill publishes so many frames to each client.
func (s *server) fill(prefix string, clients, per int) {
	s.t.Helper()
	var m struct{ Published int }
	s.post("/bench/fill", fmt.Sprintf(`{"prefix":%q,"clients":%d,"per":%d,"bytes":%d}`, prefix, clients, per, bench.Frame), &m)
	if m.Published != clients*per {
		s.t.Fatalf("a fill of %d frames to each of %d clients published %d", per, clients, m.Published)
	}
}

// publish publishes as an application would, by HTTP.
func (s *server) publish(client string, frames ...[]byte) {
	s.t.Helper()
	target, contentType, body, ok := s.dialect.Publish(client, frames)
	if !ok {
		s.t.Fatal("the dialect cannot publish")
	}
	s.call(200, "POST", target, contentType, body, nil)
}

// object is what the stand publishes, with the number k.
func object(k int) []byte {
	head := fmt.Sprintf(`{"type":"b","k":"%010d","t":"%019d","p":"`, k, k)
	return []byte(head + strings.Repeat("x", bench.Frame-len(head)-len(`"}`)) + `"}`)
}
