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
func (e *statusError) Unwrap() error { return e.err }

func badRequest(format string, args ...any) error {
	return protocol.Errorf(protocol.CodeBadRequest, format, args...)
}

func statusErrorf(status int, format string, args ...any) *statusError {
	return &statusError{err: protocol.Errorf(protocol.CodeBadRequest, format, args...), status: status}
}

// refuse answers r with err as application/problem+json (P-29) and counts it. An error without a code is ours alone:
// it is logged, and the caller learns only that there was one.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var (
		e  *protocol.Error
		se *statusError
	)
	switch {
	case errors.As(err, &se):
		e = se.err
	case errors.As(err, &e):
		se = &statusError{err: e, status: e.Code.Info().Status}
	case r.Context().Err() != nil:
		// The caller has left, or whoever mounted the handler gave up on the call: nobody is to blame.
		h.log.Debug("a call ended before it was answered", "method", r.Method, "path", r.URL.Path, "err", err)
		e = protocol.Errorf(protocol.CodeInternal, "the call was given up before it was answered")
		se = &statusError{err: e, status: http.StatusInternalServerError}
	default:
		h.log.Error("a call failed", "method", r.Method, "path", r.URL.Path, "err", err)
		e = protocol.Errorf(protocol.CodeInternal, "an internal error; the server's log says more")
		se = &statusError{err: e, status: http.StatusInternalServerError}
	}
	h.sys.Counters().Refused.Add(string(e.Code))
	problemHeaders(w.Header(), se)
	h.write(w, answer{status: se.status, contentType: typeProblem, body: encodeProblem(se)})
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
