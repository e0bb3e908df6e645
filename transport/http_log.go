package transport

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/restante/restante/protocol"
)

// Headers of a page of a topic's log that is answered as NDJSON, where there is no object round the frames to hold them.
const (
	headerCursor = "Restante-Cursor"
	headerResume = "Restante-Resume"
	headerReason = "Restante-Reason" // only with too_old
	headerFloor  = "Restante-Floor"
	headerHead   = "Restante-Head"
	headerMore   = "Restante-More"
	headerClosed = "Restante-Closed"
)

// readTopic is GET /v1/topics/{topic}/frames: a page of the log, open or closed (P-7). It makes no topic. The answer is one JSON object, or one
// frame a line where the caller would rather have application/x-ndjson, with an ETag over what it says; compressed where the caller takes that.
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
	hdr.Add("Vary", "Accept, Accept-Encoding")
	if c.prefersLines() {
		a.contentType = typeNDJSON
		if p := page.Snapshot; len(p) > 1 { // {"as_of":…,"data":…}: the line is the message that a subscriber gets
			a.body = append(append(append(a.body, `{"type":"snapshot","topic":"`+topic+`",`...), p[1:]...), '\n')
		}
		for _, f := range page.Frames {
			a.body = append(append(a.body, f...), '\n')
		}
		hdr.Set(headerCursor, page.Cursor)
		hdr.Set(headerResume, string(page.Resume))
		if page.Reason != "" {
			hdr.Set(headerReason, string(page.Reason))
		}
		hdr.Set(headerFloor, strconv.FormatUint(page.Floor, 10))
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

// minZipped is from how many bytes on a page is compressed: below that there is little to gain.
const minZipped = 1024

// tagged gives a its ETag, compresses it where the caller takes that, and leaves out the body where the caller has it. The tag is a strong one: it names these
// very bytes, so that the compressed page, which is another row of bytes, has another tag, and a cache never takes the one for the other.
func (c *call) tagged(a *answer, page protocol.TopicPage) {
	sum := sha256.New()
	page.Frames, page.Snapshot = nil, nil // they are in the body, and the rest is in headers where that is lines
	sum.Write(encodeJSON(page))
	sum.Write(a.body)
	zip := len(a.body) >= minZipped && acceptsGzip(c.r)
	tag := hex.EncodeToString(sum.Sum(nil)[:16])
	if zip {
		tag += "-gzip"
	}
	tag = `"` + tag + `"`
	hdr := c.w.Header()
	hdr.Set("ETag", tag)
	hdr.Set("Cache-Control", "private, no-cache") // it may be kept, and is to be asked about each time
	for _, known := range listed(c.r.Header, "If-None-Match") {
		if known == "*" || strings.TrimPrefix(known, "W/") == tag {
			*a = answer{status: http.StatusNotModified}
			return
		}
	}
	if zip {
		hdr.Set("Content-Encoding", "gzip")
		a.body = zipped(a.body)
	}
}

var zips = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// zipped returns b compressed.
func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := zips.Get().(*gzip.Writer)
	z.Reset(&out)
	_, _ = z.Write(b) // a buffer takes everything
	_ = z.Close()
	z.Reset(nil)
	zips.Put(z)
	return out.Bytes()
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
