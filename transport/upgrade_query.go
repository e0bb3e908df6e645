package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// attachRequest is what the request of an upgrade asks for.
type attachRequest struct {
	Attach
	clientID string
	grant    Grant
}

// parseAttach reads the query of an upgrade (P-4, P-5, P-15, P-16). ConnectionID and the intervals are set in any case.
// Parameters that nobody asks for are ignored, as everywhere.
func (h *Handler) parseAttach(r *http.Request) (attachRequest, *protocol.Error) {
	a := attachRequest{Attach: Attach{
		ConnectionID: h.ids.next(), Transport: "websocket",
		PingInterval: max(h.cfg.PingInterval, 0), PongTimeout: max(h.cfg.PongTimeout, 0),
	}}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return a, protocol.Errorf(protocol.CodeBadRequest, "the query cannot be read")
	}
	c := &call{h: h, query: query}
	for _, read := range []func(*attachRequest, *call) error{readClientID, readSince, readTakeover, readPing} {
		if err := read(&a, c); err != nil {
			return a, protocol.AsError(err)
		}
	}
	return a, nil
}

func readClientID(a *attachRequest, c *call) error {
	id, present, err := c.param("client_id")
	switch {
	case err != nil:
		return err
	case !present:
		a.clientID = c.h.ids.next()
		return nil
	}
	a.clientID = strings.Clone(id) // it outlives the request, and a part of it would keep all of it, its token too
	return protocol.CheckClientID(id)
}

func readSince(a *attachRequest, c *call) (err error) {
	if a.Since, err = c.since(); err != nil || a.Since == nil {
		return err
	}
	a.Since.Epoch = strings.Clone(a.Since.Epoch) // as the client_id
	if !c.query.Has("client_id") {
		return badRequest("since without client_id: a new client has no frames yet")
	}
	return nil
}

func readTakeover(a *attachRequest, c *call) error {
	mode, present, err := c.param("attach")
	if err != nil || !present {
		return err
	}
	if mode != "takeover" {
		return badRequest("attach is takeover or absent")
	}
	a.Takeover = true
	return nil
}

// readPing takes the interval that the client asks for; without one the server's own stands, however short.
func readPing(a *attachRequest, c *call) error {
	s, present, err := c.param("ping")
	if err != nil || !present {
		return err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err == nil:
		n = min(n, uint64(protocol.MaxPing/time.Second))
	case errors.Is(err, strconv.ErrRange):
		n = uint64(protocol.MaxPing / time.Second)
	default:
		return badRequest("ping is a number of seconds")
	}
	a.PingInterval = max(time.Duration(n)*time.Second, protocol.MinPing)
	return nil
}

// authorizeAttach asks for the credential and its right to attach as clientID, before anything is created or woken (P-25).
// An Authorize function that heeds its request's context has HandshakeTimeout for the answer.
func (h *Handler) authorizeAttach(r *http.Request, clientID string) (Grant, *protocol.Error) {
	if h.cfg.HandshakeTimeout > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), h.cfg.HandshakeTimeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	g, refusal := h.authorize(r)
	if refusal != nil {
		return Grant{}, refusal
	}
	if !g.Allows(VerbAttach, clientID) {
		return Grant{}, protocol.Errorf(protocol.CodeForbidden, "the credential does not allow to attach here")
	}
	return g, nil
}
