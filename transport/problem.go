package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/restante/restante/protocol"
)

const typeProblem = "application/problem+json"

// defaultRetryAfter is how many seconds a 429 or 503 asks its caller to stay away where the error itself says nothing.
const defaultRetryAfter = 2

// statusError is a refusal whose HTTP status is not that of its code: P-29 has codes for what the broker means, and
// none for what HTTP itself complains about (405, 408, 415, 426). Those travel as bad_request under their own status.
type statusError struct {
	err    *protocol.Error
	status int
	allow  string // the Allow header of a 405
}

func (e *statusError) Error() string { return e.err.Error() }

func badRequest(format string, args ...any) error {
	return protocol.Errorf(protocol.CodeBadRequest, format, args...)
}

func statusErrorf(status int, format string, args ...any) *statusError {
	return &statusError{err: protocol.Errorf(protocol.CodeBadRequest, format, args...), status: status}
}

// refuse answers r with err as application/problem+json (P-29) and counts it.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if e := withStatus(err); r.Context().Err() != nil && (e == nil || e.err.Code == protocol.CodeInternal) {
		// The caller has left, or whoever mounted the handler gave up on the call: nothing was refused, and nobody is to
		// blame. Where the connection still stands it must not read as an empty success.
		h.log.Debug("a call ended before it was answered", "method", r.Method, "path", r.URL.Path, "err", err)
		err = protocol.Errorf(protocol.CodeInternal, "the call was given up before it was answered")
	} else {
		err = h.countRefusal(r, err)
	}
	e := withStatus(err)
	problemHeaders(w.Header(), e)
	h.write(w, answer{status: e.status, contentType: typeProblem, body: encodeProblem(e)})
}

// countRefusal counts err by its code and returns what the caller may know of it: an error without a code is ours alone,
// logged and told as internal. overloaded is not counted again: the registry does so where it decides it, since a Go caller's
// publish and a connection's send meet it too and never come by here.
func (h *Handler) countRefusal(r *http.Request, err error) error {
	e := withStatus(err)
	if e == nil {
		h.log.Error("a call failed", "method", r.Method, "path", r.URL.Path, "err", err)
		e = withStatus(protocol.Errorf(protocol.CodeInternal, "an internal error; the server's log says more"))
	}
	if e.err.Code != protocol.CodeOverloaded {
		h.sys.Counters().Refused.Add(string(e.err.Code))
	}
	return e
}

// withStatus returns err with its status, that of its code where it has none of its own; nil for an error without a code.
func withStatus(err error) *statusError {
	var (
		e  *protocol.Error
		se *statusError
	)
	switch {
	case errors.As(err, &se):
		return se
	case errors.As(err, &e):
		return &statusError{err: e, status: e.Code.Info().Status}
	}
	return nil
}

// problemHeaders sets what a status is to carry by RFC 9110, and Retry-After by P-29.
func problemHeaders(hdr http.Header, e *statusError) {
	switch e.status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="restante"`
		if e.err.Code == protocol.CodeTokenExpired {
			challenge += `, error="invalid_token"`
		}
		hdr.Set("WWW-Authenticate", challenge)
	case http.StatusMethodNotAllowed:
		hdr.Set("Allow", e.allow)
	case http.StatusRequestTimeout:
		hdr.Set("Connection", "close")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := int64(defaultRetryAfter)
		if e.err.RetryAfterMS > 0 {
			after = (e.err.RetryAfterMS + 999) / 1000
		}
		hdr.Set("Retry-After", strconv.FormatInt(after, 10))
	}
}

func encodeProblem(e *statusError) []byte {
	return encodeJSON(protocol.Problem{
		Type:         "about:blank",
		Title:        http.StatusText(e.status),
		Status:       e.status,
		Code:         e.err.Code,
		Detail:       e.err.Message,
		ID:           e.err.ID,
		Topic:        e.err.Topic,
		Line:         e.err.Line,
		RetryAfterMS: e.err.RetryAfterMS,
	})
}

// encodeJSON returns v as compact JSON. Nothing is escaped for HTML: a json.RawMessage in v keeps its bytes (P-1).
// v is one of protocol's shapes, whose frames are valid JSON, so that an error here is a defect of ours.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
