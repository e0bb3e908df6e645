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
	name  string     // the client or topic in the path
	query url.Values // nil for none
	grant Grant      // set by may
}

// answer is what an endpoint has to say. Only dispatch writes it, so that an endpoint that fails or panics has written nothing yet.
type answer struct {
	status      int // 0: the endpoint has written its answer itself, or has taken the connection over
	contentType string
	body        []byte
}

// endpoint answers one call. Its errors become problems.
type endpoint func(*call) (answer, error)

func notFound() error { return protocol.Errorf(protocol.CodeNotFound, "there is nothing at this path") }

// What each answer says; shared, and not changed.
var noStore, noSniff = []string{"no-store"}, []string{"nosniff"}

// ServeHTTP serves one request: P-31 first, then the route, then the endpoint's own checks.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.survive(w, r)
	if f := h.cfg.Files; f != nil && f.Has(r.URL.Path) {
		f.ServeHTTP(w, r)
		return
	}
	hdr := w.Header()
	hdr["Cache-Control"], hdr["X-Content-Type-Options"] = noStore, noSniff
	h.allowCORS(hdr, r)
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
	path := r.URL.EscapedPath()
	if path == "/v1/ws" {
		h.webSocket(w, r)
		return
	}
	m, name := h.paths.find(path)
	if m == nil {
		h.refuse(w, r, notFound())
		return
	}
	h.dispatch(m, name, w, r)
}

// isEvents reports whether p is a client's stream of events, and not a client of that name.
func isEvents(p string) bool {
	s := strings.Split(p, "/")
	return len(s) == 5 && s[2] == "clients" && s[4] == "events"
}

func (h *Handler) dispatch(m methods, name string, w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	e, ok := m[method]
	if !ok {
		h.wrongMethod(w, r, m.allow())
		return
	}
	c := &call{h: h, w: w, r: r, name: name}
	if r.URL.RawQuery != "" {
		var err error
		if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			h.refuse(w, r, badRequest("the query cannot be read"))
			return
		}
	}
	a, err := e(c)
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
