package transport

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// The two kinds of body (P-31).
const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// bodyType returns the media type of r's body, one of the two that P-31 takes: a form or a plain text, which any page may
// send anywhere without being asked, is refused with 415. Parameters are let be; the text is UTF-8 whatever they say (P-2).
func bodyType(r *http.Request) (string, error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return "", statusErrorf(http.StatusUnsupportedMediaType, "a body is taken without a Content-Encoding only")
	}
	if v := r.Header["Content-Type"]; len(v) == 1 {
		if v[0] == typeJSON || v[0] == typeNDJSON {
			return v[0], nil
		}
		t, _, err := mime.ParseMediaType(v[0])
		if (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (t == typeJSON || t == typeNDJSON) {
			return t, nil
		}
	}
	return "", statusErrorf(http.StatusUnsupportedMediaType, "a body must be %s or %s", typeJSON, typeNDJSON)
}

// json returns the whole body of a call that takes one JSON value of up to limit bytes.
func (c *call) json(limit int) ([]byte, error) {
	t, err := bodyType(c.r)
	if err != nil {
		return nil, err
	}
	if t != typeJSON {
		return nil, statusErrorf(http.StatusUnsupportedMediaType, "the body of this call must be %s", typeJSON)
	}
	var body []byte
	if n := c.r.ContentLength; 0 < n && n <= int64(limit) {
		body = make([]byte, n)
		_, err = io.ReadFull(c.r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, int64(limit)))
	}
	if err != nil {
		return nil, bodyError(err)
	}
	c.bodyRead()
	return body, nil
}

// nothing refuses the body of a call that takes none, but for an empty object.
func (c *call) nothing() error {
	if c.r.ContentLength == 0 {
		return nil
	}
	src, err := c.json(protocol.MessageSlack)
	if err != nil || len(bytes.TrimSpace(src)) == 0 {
		return err
	}
	if _, err := members(src); err != nil {
		return err
	}
	if len(bytes.TrimSpace(src[bytes.IndexByte(src, '{')+1:])) > 1 {
		return badRequest("this call takes nothing: its body is empty or {}")
	}
	return nil
}

// bodyRead lifts the read deadline: the call may now wait for longer than its body was allowed to, and a deadline that
// strikes meanwhile would look as if the caller had hung up.
func (c *call) bodyRead() {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{}) // not known everywhere; see ServeHTTP
}

// bodyError says why a body could not be read to its end. Nothing of such a body is ever used.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return protocol.Errorf(protocol.CodeTooLarge, "the body is over %d bytes", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return statusErrorf(http.StatusRequestTimeout, "the body did not come in time")
	}
	return badRequest("the body ended before its end")
}
