package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/restante/restante/protocol"
)

// Headers of a page of a topic's log that is answered as NDJSON, where there is no object round the frames to hold them.
const (
	headerCursor = "Restante-Cursor"
	headerResume = "Restante-Resume"
	headerHead   = "Restante-Head"
	headerMore   = "Restante-More"
	headerClosed = "Restante-Closed"
)

// readTopic is GET /v1/topics/{topic}/frames: a page of the log, open or closed (P-7). It makes no topic. The answer is one JSON object, or one
// frame a line where the caller would rather have application/x-ndjson, with an ETag over what it says.
func (h *Handler) readTopic(c *call) (answer, error) {
	topic, err := c.topic(VerbReadTopic)
	if err != nil {
		return answer{}, err
	}
	r, err := c.page()
	if err != nil {
		return answer{}, err
	}
	page, err := h.reg.ReadTopic(c.r.Context(), topic, r)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: http.StatusOK, contentType: typeJSON}
	hdr := c.w.Header()
	hdr.Add("Vary", "Accept")
	if c.prefersLines() {
		a.contentType = typeNDJSON
		for _, f := range page.Frames {
			a.body = append(append(a.body, f...), '\n')
		}
		hdr.Set(headerCursor, page.Cursor)
		hdr.Set(headerResume, string(page.Resume))
		hdr.Set(headerHead, strconv.FormatUint(page.Head, 10))
		hdr.Set(headerMore, strconv.FormatBool(page.More))
		hdr.Set(headerClosed, strconv.FormatBool(page.Closed))
	} else {
		if page.Frames == nil {
			page.Frames = noFrames
		}
		a.body = encodeJSON(page)
	}
	c.tagged(&a, page)
	return a, nil
}

// tagged gives a its ETag, and leaves out the body where the caller has it.
func (c *call) tagged(a *answer, page protocol.TopicPage) {
	sum := sha256.New()
	sum.Write([]byte(page.Cursor + strconv.FormatBool(page.Closed)))
	sum.Write(a.body)
	tag := `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
	hdr := c.w.Header()
	hdr.Set("ETag", tag)
	hdr.Set("Cache-Control", "private, no-cache") // it may be kept, and is to be asked about each time
	for _, known := range listed(c.r.Header, "If-None-Match") {
		if known == "*" || strings.TrimPrefix(known, "W/") == tag {
			*a = answer{status: http.StatusNotModified}
			return
		}
	}
}

// prefersLines reports whether the caller names NDJSON in Accept, and does not name JSON before it.
func (c *call) prefersLines() bool {
	for _, t := range listed(c.r.Header, "Accept") {
		switch t, _, _ = strings.Cut(t, ";"); strings.TrimSpace(t) {
		case typeNDJSON:
			return true
		case typeJSON:
			return false
		}
	}
	return false
}
