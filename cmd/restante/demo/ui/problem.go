package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/restante/restante/protocol"
)

// problem is a refusal, which is answered as the broker answers one (P-29).
type problem struct {
	status int
	code   protocol.Code
	detail string
	allow  string // the Allow header of a 405
}

func notFound(path string) *problem {
	return &problem{status: http.StatusNotFound, code: protocol.CodeNotFound, detail: "there is nothing at " + path}
}

func notAllowed(methods ...string) *problem {
	allow := strings.Join(methods, ", ")
	return &problem{status: http.StatusMethodNotAllowed, code: protocol.CodeBadRequest, detail: "this is for " + allow, allow: allow}
}

func badRequest(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: protocol.CodeBadRequest, detail: fmt.Sprintf(format, args...)}
}

func conflict(err error) *problem {
	return &problem{status: http.StatusConflict, code: protocol.CodeConflict, detail: err.Error()}
}

func unavailable(err error) *problem {
	return &problem{status: http.StatusServiceUnavailable, code: protocol.CodeDraining, detail: err.Error()}
}

// refuse answers with p.
func refuse(w http.ResponseWriter, p *problem) {
	h := w.Header()
	switch p.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="restante demo"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	answer(w, p.status, "application/problem+json", protocol.Problem{
		Type: "about:blank", Title: http.StatusText(p.status), Status: p.status, Code: p.code, Detail: p.detail,
	})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, contentType string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // the shapes of this package cannot fail
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // who has left gets nothing
}
