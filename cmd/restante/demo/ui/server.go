package ui

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/transport"
)

// server is the HTTP side: the page, and what its buttons call.
type server struct {
	key       string
	directory string // its name
	networks  map[string]*network
	broker    *lives
	agent     *agent.Agent

	policy string
	calls  map[string]endpoint
}

// devices are the panes, in the order in which they are shown.
func devices() []string { return agent.Devices }

func newServer(key, directory string, networks map[string]*network, broker *lives, a *agent.Agent) *server {
	s := &server{key: key, directory: directory, networks: networks, broker: broker, agent: a, policy: policy(networks)}
	s.calls = s.endpoints()
	return s
}

// ServeHTTP answers every request with the page's policy. One that no page of ours makes is refused before anything else is looked at.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if refused := guard(r); refused != nil {
		refuse(w, refused)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		s.serveAPI(w, r)
		return
	}
	servePage(w, r)
}

// guard is P-31: we are called by a loopback name only, since a stranger's name that leads to 127.0.0.1 would make his page one of our origin, and by no page but our own.
func guard(r *http.Request) *problem {
	forbidden := func(detail string) *problem {
		return &problem{status: http.StatusForbidden, code: protocol.CodeForbidden, detail: detail}
	}
	if !transport.LoopbackName(r.Host) {
		return forbidden("the Host must be a loopback name such as localhost")
	}
	switch origins := r.Header["Origin"]; {
	case len(origins) > 1 || len(origins) == 1 && origins[0] != "http://"+r.Host:
		return forbidden("this Origin is not the demo's")
	case len(origins) == 0 && r.Method != http.MethodGet && r.Method != http.MethodHead:
		// Browsers say it with every such call; programs have the key, which is asked for next.
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
			return forbidden("a page of another origin may not call")
		}
	}
	return nil
}

// origins are those of our own page, as the broker is to allow them.
func origins(at net.Addr) []string {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return nil
	}
	all := []string{"http://" + at.String()}
	for _, name := range []string{"127.0.0.1", "localhost"} {
		if o := "http://" + net.JoinHostPort(name, port); !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all
}
