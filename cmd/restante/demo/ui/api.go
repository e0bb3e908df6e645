package ui

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/protocol"
)

// maxCall bounds the body of a call.
const maxCall = 4 << 10

// endpoint is one call of the page's. do is given its body where the method has one.
type endpoint struct {
	method string
	do     func(r *http.Request, body []byte) (any, *problem)
}

// sessionState is what the page has to know once.
type sessionState struct {
	Topic     string            `json:"topic"`
	Agent     string            `json:"agent"`
	Panes     map[string]string `json:"panes"`
	Directory string            `json:"directory"`
}

// state is what the page shows of the demo itself.
type state struct {
	Panes  map[string]networkState `json:"panes"`
	Broker brokerState             `json:"broker"`
	Flood  agent.FloodState        `json:"flood"`
}

type brokerState struct {
	Up    bool `json:"up"`
	Kills int  `json:"kills"`
}

func (s *server) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"/api/session": {http.MethodGet, s.session},
		"/api/state":   {http.MethodGet, func(*http.Request, []byte) (any, *problem) { return s.state(), nil }},
		"/api/network": {http.MethodPost, s.network},
		"/api/broker":  {http.MethodPost, s.kill},
		"/api/flood":   {http.MethodPost, s.flood},
	}
}

// serveAPI answers a call below /api/. The key is asked for before anything else, also before what there is.
func (s *server) serveAPI(w http.ResponseWriter, r *http.Request) {
	result, refused := s.call(r)
	if refused != nil {
		refuse(w, refused)
		return
	}
	answer(w, http.StatusOK, "application/json", result)
}

func (s *server) call(r *http.Request) (any, *problem) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !same(strings.TrimSpace(token), s.key) {
		return nil, &problem{status: http.StatusUnauthorized, code: protocol.CodeUnauthorized, detail: "the key is missing, or is not that of this demo: open the URL that it has printed"}
	}
	e, ok := s.calls[r.URL.Path]
	switch {
	case !ok:
		return nil, notFound(r.URL.Path)
	case r.Method != e.method:
		return nil, notAllowed(e.method)
	}
	var body []byte
	if e.method == http.MethodPost {
		var refused *problem
		if body, refused = readBody(r); refused != nil {
			return nil, refused
		}
	}
	return e.do(r, body)
}

// readBody reads the JSON object of a call (P-31).
func readBody(r *http.Request) ([]byte, *problem) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, &problem{status: http.StatusUnsupportedMediaType, code: protocol.CodeBadRequest, detail: "the body must be application/json"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCall+1))
	switch {
	case err != nil:
		return nil, badRequest("the body broke off")
	case len(body) > maxCall:
		return nil, &problem{status: http.StatusRequestEntityTooLarge, code: protocol.CodeTooLarge, detail: "the body is longer than any call is"}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, badRequest("the body is not one JSON object")
	}
	return body, nil
}

func (s *server) session(*http.Request, []byte) (any, *problem) {
	panes := map[string]string{}
	for device, n := range s.networks {
		panes[device] = n.url()
	}
	return sessionState{Topic: agent.Topic, Agent: agent.ID, Panes: panes, Directory: s.directory}, nil
}

func (s *server) state() state {
	up, kills := s.broker.look()
	panes := map[string]networkState{}
	for device, n := range s.networks {
		panes[device] = n.look()
	}
	return state{Panes: panes, Broker: brokerState{up, kills}, Flood: s.agent.Flooding()}
}

func (s *server) network(_ *http.Request, body []byte) (any, *problem) {
	var call struct{ Pane, Do string }
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, badRequest("pane and do are strings")
	}
	n, ok := s.networks[call.Pane]
	if !ok {
		return nil, badRequest("the panes are %s", strings.Join(devices(), " and "))
	}
	switch err := n.do(call.Do); {
	case errors.Is(err, errInTunnel):
		return nil, conflict(err)
	case err != nil:
		return nil, badRequest("%v", err)
	}
	return s.state(), nil
}

func (s *server) kill(r *http.Request, body []byte) (any, *problem) {
	var call struct{ Do string }
	if err := json.Unmarshal(body, &call); err != nil || call.Do != "kill" {
		return nil, badRequest(`the broker can be told to "kill"`)
	}
	if err := s.broker.kill(r.Context()); err != nil {
		return nil, unavailable(err)
	}
	return s.state(), nil
}

func (s *server) flood(*http.Request, []byte) (any, *problem) {
	switch err := s.agent.Flood(); {
	case errors.Is(err, agent.ErrFlooding):
		return nil, conflict(err)
	case err != nil:
		return nil, unavailable(err)
	}
	return s.state(), nil
}
