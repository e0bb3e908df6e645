package transport

import (
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// eventWriter writes a stream's bytes to its call, flushed at once, and compressed where the reader asked for it. Compressing, it holds about 800 KB, which
// come from a pool and go back there.
type eventWriter struct {
	h       *Handler
	w       http.ResponseWriter
	control *http.ResponseController
	zip     *gzip.Writer // nil for none
}

var (
	zips      = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	eventBufs = sync.Pool{New: func() any { return new([]byte) }}
)

// giveBackBuf keeps a buffer for the next batch, unless a rare large frame made it large.
func giveBackBuf(b *[]byte) {
	if cap(*b) <= pooledBytes {
		*b = (*b)[:0]
		eventBufs.Put(b)
	}
}

func newEventWriter(h *Handler, w http.ResponseWriter, compress bool) *eventWriter {
	e := &eventWriter{h: h, w: w, control: http.NewResponseController(w)}
	if compress {
		w.Header().Set("Content-Encoding", "gzip")
		e.zip = zips.Get().(*gzip.Writer)
		e.zip.Reset(deadlined{e})
	}
	return e
}

// write writes b and flushes it: each of its parts has WriteTimeout to leave (P-27).
func (e *eventWriter) write(b []byte) error {
	if e.zip == nil {
		if _, err := (deadlined{e}).Write(b); err != nil {
			return err
		}
		return e.control.Flush()
	}
	if _, err := e.zip.Write(b); err != nil {
		return err
	}
	if err := e.zip.Flush(); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *eventWriter) giveBack() {
	if e.zip != nil {
		_ = e.zip.Close() // the reader may be gone
		e.zip.Reset(nil)
		zips.Put(e.zip)
		e.zip = nil
	}
}

// deadlined writes to the call in parts, each with a deadline of its own.
type deadlined struct{ *eventWriter }

// Write is part of io.Writer.
func (d deadlined) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, writePart) {
		if t := d.h.cfg.WriteTimeout; t > 0 {
			_ = d.control.SetWriteDeadline(time.Now().Add(t)) // where the connection knows none, its owner bounds it
		}
		m, err := d.w.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// acceptsGzip reports whether r's Accept-Encoding asks for gzip.
func acceptsGzip(r *http.Request) bool {
	return slices.ContainsFunc(listed(r.Header, "Accept-Encoding"), func(s string) bool {
		name, quality, _ := strings.Cut(s, ";")
		q := strings.TrimPrefix(strings.TrimSpace(quality), "q=")
		return strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.Trim(q, "0.") != "" || strings.EqualFold(strings.TrimSpace(s), "gzip")
	})
}
