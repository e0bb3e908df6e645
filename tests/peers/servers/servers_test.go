// Package servers holds the peers that are written in Go. It is tested by clients of their dialects.
package servers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// patience is how long anything may take here; what fails takes as long.
const patience = 30 * time.Second

var caller = &http.Client{Timeout: patience}

// peers are the dialects of the servers that are tested here.
var peers = []bench.Dialect{dialects.Centrifuge{}, dialects.NATS{}, dialects.Mochi{}}

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
	for _, d := range peers {
		t.Run(d.Name(), func(t *testing.T) { test(t, serve(t, d)) })
	}
}

var built = struct {
	sync.Mutex
	dir string
}{}

// program is the path of a server's program, which is built once.
func program(t *testing.T, name string) string {
	path := filepath.Join(built.dir, name)
	built.Lock()
	defer built.Unlock()
	if out, err := exec.Command("go", "build", "-o", path, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func serve(t *testing.T, d bench.Dialect) *server {
	path := program(t, d.Name())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: l.Addr().String(), dialect: d, ended: make(chan error, 1)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s.cmd = exec.Command(path, "--listen", s.addr)
	s.cmd.Stdout, s.cmd.Stderr = &said, &said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
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
		if said.Len() > 0 {
			t.Errorf("it has said %s", &said)
		}
		caller.CloseIdleConnections()
	})
	for tries := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("the server has ended: %v", err)
		case <-tries.C:
			if r, err := caller.Get("http://" + s.addr + "/bench/ready"); err == nil {
				r.Body.Close()
				return s
			}
		}
	}
}

// call makes one call, which must succeed, and decodes the answer into v unless that is nil.
func (s *server) call(method, target, contentType string, body []byte, v any) {
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
	if r.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s %s: %d %s", method, target, body, r.StatusCode, got)
	}
	if v != nil {
		if err := json.Unmarshal(got, v); err != nil {
			s.t.Fatalf("%s %s: %s: %v", method, target, got, err)
		}
	}
}

func (s *server) start(work, prefix string, clients int) {
	s.t.Helper()
	s.call("POST", "/bench/start", "", fmt.Appendf(nil, `{"work":%q,"prefix":%q,"clients":%d,"bytes":%d,"rate":0}`, work, prefix, clients, bench.Frame), nil)
}

func (s *server) credit(n int) {
	s.t.Helper()
	s.call("POST", fmt.Sprintf("/bench/credit?n=%d", n), "", nil, nil)
}

func (s *server) stop() int {
	s.t.Helper()
	var m struct{ Published int }
	s.call("POST", "/bench/stop", "", nil, &m)
	return m.Published
}

// fill publishes so many frames to each client.
func (s *server) fill(prefix string, clients, per int) {
	s.t.Helper()
	var m struct{ Published int }
	s.call("POST", "/bench/fill", "", fmt.Appendf(nil, `{"prefix":%q,"clients":%d,"per":%d,"bytes":%d}`, prefix, clients, per, bench.Frame), &m)
	if m.Published != clients*per {
		s.t.Fatalf("a fill of %d frames to each of %d clients has published %d", per, clients, m.Published)
	}
}
