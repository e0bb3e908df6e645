package transport

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// writeChunk is how much of an answer is written under one write deadline: the reader has to take that much in WriteTimeout.
const writeChunk = 64 << 10

// call is one HTTP call on its way through the handler; it lives on the call's own goroutine.
type call struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	query url.Values
	grant Grant // set by may
}

// answer is what an endpoint has to say. Only dispatch writes it, so that an endpoint that fails or panics has written nothing yet.
type answer struct {
	status      int // 0: the endpoint has written its answer itself, or has taken the connection over
	contentType string
	body        []byte
}

// endpoint answers one call. Its errors become problems.
type endpoint func(*call) (answer, error)

// methods are the endpoints of one path. HEAD is served by GET.
type methods map[string]endpoint

func (h *Handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
		"/v1/clients":                 {http.MethodGet: h.listClients},
		"/v1/clients/{id}":            {http.MethodGet: h.clientState, http.MethodDelete: h.deleteClient},
		"/v1/clients/{id}/frames":     {http.MethodGet: h.readFrames, http.MethodPost: h.publish},
		"/v1/clients/{id}/ack":        {http.MethodPost: h.ack},
		"/v1/clients/{id}/messages":   {http.MethodPost: h.message},
		"/v1/clients/{id}/events":     {http.MethodGet: h.events},
		"/v1/clients/{id}/snapshot":   {http.MethodPut: h.putSnapshot, http.MethodGet: h.snapshot, http.MethodDelete: h.deleteSnapshot},
		"/v1/topics":                  {http.MethodGet: h.listTopics},
		"/v1/topics/{topic}":          {http.MethodGet: h.topicState, http.MethodDelete: h.deleteTopic},
		"/v1/topics/{topic}/frames":   {http.MethodGet: h.readTopic, http.MethodPost: h.publishTopic},
		"/v1/topics/{topic}/close":    {http.MethodPost: h.closeTopic},
		"/v1/topics/{topic}/snapshot": {http.MethodPut: h.putTopicSnapshot, http.MethodGet: h.topicSnapshot, http.MethodDelete: h.deleteTopicSnapshot},
		"/v1/broadcast":               {http.MethodPost: h.broadcast},
		"/v1/janitor/sweep":           {http.MethodPost: h.sweep},
		"/healthz":                    {http.MethodGet: h.healthz},
		"/readyz":                     {http.MethodGet: h.readyz},
		"/metrics":                    {http.MethodGet: h.serveMetrics},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { h.dispatch(m, w, r) })
	}
	mux.HandleFunc("/v1/ws", h.webSocket)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.refuse(w, r, notFound()) })
	return mux
}

func notFound() error { return protocol.Errorf(protocol.CodeNotFound, "there is nothing at this path") }

// ServeHTTP serves one request: P-31 first, then the route, then the endpoint's own checks.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.survive(w, r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h.allowCORS(w.Header(), r)
	if e := h.guard(r); e != nil {
		h.refuse(w, r, e)
		return
	}
	if h.conns.isClosed() && !isEvents(r.URL.Path) { // those say so in a stream: an EventSource does not come back from a status
		h.refuse(w, r, protocol.Errorf(protocol.CodeDraining, "the broker has ended"))
		return
	}
	if preflight(r) {
		answerPreflight(w)
		return
	}
	if r.ContentLength != 0 {
		if d := h.cfg.MessageTimeout; d > 0 {
			// Where the connection knows no deadlines (a test's recorder), the one who mounted the handler bounds it.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d))
		}
		if _, err := bodyType(r); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	if !cleanPath(r.URL.EscapedPath()) {
		h.refuse(w, r, notFound())
		return
	}
	h.mux.ServeHTTP(w, r)
}

// isEvents reports whether p is a client's stream of events, and not a client of that name.
func isEvents(p string) bool {
	s := strings.Split(p, "/")
	return len(s) == 5 && s[2] == "clients" && s[4] == "events"
}

// cleanPath reports whether the mux will take p as it stands. It would answer any other with a redirect, and
// /v1/clients//frames would become a question about a client called "frames".
func cleanPath(p string) bool {
	if !strings.HasPrefix(p, "/") {
		return false
	}
	segments := strings.Split(p[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}

func (h *Handler) dispatch(m methods, w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	e, ok := m[method]
	if !ok {
		h.wrongMethod(w, r, m.allow())
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.refuse(w, r, badRequest("the query cannot be read"))
		return
	}
	a, err := e(&call{h: h, w: w, r: r, query: query})
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case a.status != 0:
		h.write(w, a)
	}
}

// webSocket is GET /v1/ws. It is no endpoint, since what is wrong with its query must not be told by a status, which no
// page's script can read (P-21).
func (h *Handler) webSocket(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		h.wrongMethod(w, r, http.MethodGet)
		return
	}
	h.serveWS(w, r)
}

func (h *Handler) wrongMethod(w http.ResponseWriter, r *http.Request, allow string) {
	e := statusErrorf(http.StatusMethodNotAllowed, "this path has no %.20q", r.Method)
	e.allow = allow
	h.refuse(w, r, e)
}

// allow is the Allow header of a path: its methods, in alphabetical order.
func (m methods) allow() string {
	names := slices.Collect(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// write sends a, in chunks each of which has WriteTimeout to leave: the bound on a caller that does not read its answer.
func (h *Handler) write(w http.ResponseWriter, a answer) {
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	control := http.NewResponseController(w)
	for chunk := range slices.Chunk(a.body, writeChunk) {
		if h.cfg.WriteTimeout > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(h.cfg.WriteTimeout)) // not known everywhere; see ServeHTTP
		}
		if _, err := w.Write(chunk); err != nil {
			h.log.Debug("an answer could not be written", "err", err)
			return
		}
	}
}

// survive keeps a panic from ending more than its own call. http.ErrAbortHandler is net/http's own way to say so and goes on.
func (h *Handler) survive(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	h.sys.Counters().Panics.Add(1)
	h.log.Error("a call panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	h.refuse(w, r, protocol.Errorf(protocol.CodeInternal, "an internal error; the server's log says more"))
}
