package transport

import (
	"errors"
	"net/http"
	"time"

	"github.com/restante/restante/protocol"
)

// publish is POST /v1/clients/{id}/frames: one frame as application/json, many as application/x-ndjson, all or none.
func (h *Handler) publish(c *call) (answer, error) {
	id, err := c.client(VerbPublish)
	if err != nil {
		return answer{}, err
	}
	p := Publish{Credential: c.grant.Credential}
	if p.Key, err = c.idempotencyKey(); err != nil {
		return answer{}, err
	}
	if p.Wait, err = c.level(); err != nil {
		return answer{}, err
	}
	// A timeout of nothing would be a question that cannot be answered; stored is for those who do not want to wait.
	if p.Timeout, err = c.duration("timeout", protocol.DefaultPublishTimeout, 1); err != nil {
		return answer{}, err
	}
	if p.Bodies, err = c.frames(); err != nil {
		return answer{}, err
	}
	out, err := h.reg.Publish(c.r.Context(), id, p)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, contentType: typeJSON, body: protocol.EncodePublished(out)}, nil
}

// level returns the level that the publisher waits for, stored where it does not say.
func (c *call) level() (string, error) {
	s, present, err := c.param("wait")
	if err != nil {
		return "", err
	}
	switch {
	case !present:
		return protocol.StatusStored, nil
	case s == protocol.StatusStored, s == protocol.StatusSent, s == protocol.StatusAcked:
		return s, nil
	}
	return "", badRequest("wait is stored, sent or acked")
}

// frames returns the frames of the call's body, at least one, all checked by P-2.
func (c *call) frames() ([]protocol.Body, error) {
	t, err := bodyType(c.r)
	if err != nil {
		return nil, err
	}
	most := c.h.cfg.MaxFrameBytes
	if t == typeJSON {
		// A frame may have white space round it, such as a file's last line end, that does not count.
		src, err := c.json(min(most+protocol.MessageSlack, c.h.cfg.MaxPublishBytes))
		if err != nil {
			return nil, err
		}
		b, err := protocol.ParseBody(src, most)
		if err != nil {
			return nil, err
		}
		return []protocol.Body{b}, nil
	}
	bodies, err := parseLines(http.MaxBytesReader(c.w, c.r.Body, int64(c.h.cfg.MaxPublishBytes)), most)
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return nil, refused
	case err != nil:
		return nil, bodyError(err)
	}
	c.bodyRead()
	return bodies, nil
}

// readFrames is GET /v1/clients/{id}/frames: reading without a socket (P-7). It creates the client where there is none (P-29).
func (h *Handler) readFrames(c *call) (answer, error) {
	id, err := c.client(VerbRead)
	if err != nil {
		return answer{}, err
	}
	r, err := c.page()
	if err != nil {
		return answer{}, err
	}
	page, err := h.reg.Read(c.r.Context(), id, r)
	if err != nil {
		return answer{}, err
	}
	if page.Frames == nil {
		page.Frames = noFrames
	}
	return jsonAnswer(page)
}

// page is what the call asks to read.
func (c *call) page() (r Read, err error) {
	if r.Since, err = c.since(); err != nil {
		return r, err
	}
	if r.Limit, err = c.limit(protocol.MaxPageFrames); err != nil {
		return r, err
	}
	if r.Wait, err = c.duration("wait", 0, 0); err != nil {
		return r, err
	}
	if left := time.Until(c.grant.Expires); !c.grant.Expires.IsZero() && left < r.Wait {
		r.Wait = max(left, 0) // a right does not outlive its credential by waiting
	}
	return r, nil
}
