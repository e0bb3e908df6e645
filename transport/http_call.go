package transport

import (
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/restante/restante/protocol"
)

// may asks for the call's credential and whether it allows verb with name: before the body is read, and before anything is created or woken (P-25).
func (c *call) may(verb Verb, name string) error {
	g, e := c.h.authorize(c.r)
	if e != nil {
		return e
	}
	c.grant = g
	return c.also(verb, name)
}

// also asks for a further right of the credential that may has found.
func (c *call) also(verb Verb, name string) error {
	if !c.grant.Allows(verb, name) {
		return protocol.Errorf(protocol.CodeForbidden, "the credential does not allow %s here", verb)
	}
	return nil
}

// client returns the client_id of the path, if it is one (P-4) and the credential may do verb with it.
func (c *call) client(verb Verb) (string, error) {
	id := c.name
	if err := protocol.CheckClientID(id); err != nil {
		return "", err
	}
	return id, c.may(verb, id)
}

// param returns a parameter of the query; one that stands there twice has no meaning. Parameters that nobody asks for are ignored.
func (c *call) param(name string) (value string, present bool, err error) {
	switch v := c.query[name]; len(v) {
	case 0:
		return "", false, nil
	case 1:
		return v[0], true, nil
	default:
		return "", true, badRequest("%s stands in the query more than once", name)
	}
}

// since returns the cursor of ?since=, nil for none (P-5).
func (c *call) since() (*protocol.Cursor, error) {
	s, present, err := c.param("since")
	if err != nil || !present {
		return nil, err
	}
	cur, err := protocol.ParseCursor(s)
	if err != nil {
		return nil, err
	}
	return &cur, nil
}

// limit returns ?limit=, 1 to protocol.MaxPageFrames, or def where absent.
func (c *call) limit(def int) (int, error) {
	s, present, err := c.param("limit")
	if err != nil || !present {
		return def, err
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < 1 || n > protocol.MaxPageFrames || s[0] == '0' {
		return 0, badRequest("limit is a number from 1 to %d", protocol.MaxPageFrames)
	}
	return int(n), nil
}

// duration returns a duration of the query, written 5s or 500ms, between least and protocol.MaxWait; def where absent.
func (c *call) duration(name string, def, least time.Duration) (time.Duration, error) {
	s, present, err := c.param(name)
	if err != nil || !present {
		return def, err
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > protocol.MaxWait {
		return 0, badRequest("%s is a duration such as 5s or 500ms, at most %v", name, protocol.MaxWait)
	}
	return d, nil
}

// idempotencyKey returns the call's Idempotency-Key, "" for none (P-18).
func (c *call) idempotencyKey() (string, error) {
	v := c.r.Header["Idempotency-Key"]
	if len(v) == 0 {
		return "", nil
	}
	if n := utf8.RuneCountInString(v[0]); len(v) > 1 || n < 1 || n > protocol.MaxSendIDChars || !utf8.ValidString(v[0]) {
		return "", badRequest("an Idempotency-Key has 1 to %d characters of UTF-8 and comes once", protocol.MaxSendIDChars)
	}
	return v[0], nil
}

func jsonAnswer(v any) (answer, error) {
	return answer{status: http.StatusOK, contentType: "application/json", body: encodeJSON(v)}, nil
}

func noContent() (answer, error) { return answer{status: http.StatusNoContent}, nil }
