package transport

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// eventWriter writes a stream's bytes to its call, flushed at once, and compressed where the reader asked for it. A stream that is silent holds no buffer:
// each write is compressed by itself, with a compressor from a pool, as further blocks of the one gzip member that a browser takes.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of a part without progress; 0 or less for none
	slow    bool          // a write failed because its reader takes nothing

	zip       bool
	begun     bool // gzip's head has been written
	sum, size uint32

	mu   sync.Mutex
	by   time.Time // the end of all writing; zero for none
	over bool      // the call may be over: its connection is not ours any more
}

var (
	flates = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic(err) // the level is one of the package's own
		}
		return w
	}}
	eventBufs = sync.Pool{New: func() any { return new([]byte) }}
)

// giveBackBuf keeps a buffer for the next batch, unless a rare large frame made it large.
func giveBackBuf(b *[]byte) {
	if cap(*b) <= pooledBytes {
		*b = (*b)[:0]
		eventBufs.Put(b)
	}
}

func newEventWriter(w http.ResponseWriter, timeout time.Duration) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w), timeout: timeout}
}

// compress makes the writer's bytes a gzip file, which end ends.
func (e *eventWriter) compress() {
	e.w.Header().Set("Content-Encoding", "gzip")
	e.zip = true
}

// write writes b and flushes it: each of its parts has the timeout to leave (P-27).
func (e *eventWriter) write(b []byte) error {
	if !e.zip {
		return e.flushed(b)
	}
	spare := eventBufs.Get().(*[]byte)
	out := bytes.NewBuffer((*spare)[:0])
	if !e.begun {
		e.begun = true
		out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}) // RFC 1952: deflate, no time, no system
	}
	e.sum = crc32.Update(e.sum, crc32.IEEETable, b)
	e.size += uint32(len(b))
	z := flates.Get().(*flate.Writer)
	z.Reset(out)
	_, err := z.Write(b)
	err = errors.Join(err, z.Flush()) // to the next whole byte, so that another compressor can go on
	z.Reset(nil)
	flates.Put(z)
	*spare = out.Bytes()
	defer giveBackBuf(spare)
	if err != nil {
		return err
	}
	return e.flushed(*spare)
}

// flushed writes b in parts and flushes. A deadline that has been met is taken back: over HTTP/2 it would end a stream that is merely silent.
func (e *eventWriter) flushed(b []byte) (err error) {
	var began time.Time
	for part := range slices.Chunk(b, writePart) {
		began = time.Now()
		e.deadline(true)
		if _, err = e.w.Write(part); err != nil {
			break
		}
	}
	if err == nil {
		err = e.control.Flush()
	}
	if err != nil {
		// HTTP/2 does not say that it was the deadline.
		e.slow = errors.Is(err, os.ErrDeadlineExceeded) || e.timeout > 0 && time.Since(began) >= e.timeout
		return err
	}
	e.deadline(false)
	return nil
}

// deadline sets the deadline of the next write, or takes it back. Where the connection knows none, its owner bounds it.
func (e *eventWriter) deadline(set bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch t := time.Now().Add(e.timeout); {
	case !e.by.IsZero() && (e.timeout <= 0 || e.by.Before(t)):
		_ = e.control.SetWriteDeadline(e.by)
	case e.timeout <= 0:
	case set:
		_ = e.control.SetWriteDeadline(t)
	default:
		_ = e.control.SetWriteDeadline(time.Time{})
	}
}

// hurry ends all writing after d, that which is under way as well. It may be called from any goroutine.
func (e *eventWriter) hurry(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := time.Now().Add(d); !e.over && (e.by.IsZero() || t.Before(e.by)) {
		e.by = t
		_ = e.control.SetWriteDeadline(t)
	}
}

// end completes what is compressed, and leaves a deadline for what net/http has to write yet.
func (e *eventWriter) end(whole bool) {
	if e.zip && whole {
		e.zip = false
		b := []byte{1, 0, 0, 0xff, 0xff} // a last block, with nothing in it
		b = binary.LittleEndian.AppendUint32(b, e.sum)
		_ = e.flushed(binary.LittleEndian.AppendUint32(b, e.size)) // the reader may be gone
	}
	e.deadline(true)
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
}

// acceptsGzip reports whether r's Accept-Encoding asks for gzip.
func acceptsGzip(r *http.Request) bool {
	return slices.ContainsFunc(listed(r.Header, "Accept-Encoding"), func(s string) bool {
		name, quality, weighed := strings.Cut(s, ";")
		q := strings.TrimPrefix(strings.TrimSpace(quality), "q=")
		return strings.EqualFold(strings.TrimSpace(name), "gzip") && (!weighed || strings.Trim(q, "0.") != "")
	})
}
