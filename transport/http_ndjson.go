package transport

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/restante/restante/protocol"
)

// lineBuffers are the read buffers of NDJSON bodies; a call gives its own back when its body is read.
var lineBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// lineReader cuts an NDJSON body into its lines while it comes in; it holds one line at a time. A line ends with LF or with
// the body; white space round it, so a CR too, is not part of it, and a line of nothing else is passed over but counted.
type lineReader struct {
	r    *bufio.Reader
	max  int // of one line as it came, in bytes
	n    int // 1-based number of the line last returned
	long []byte
}

// next returns the next line, valid until the next call, io.EOF after the last one, a too_large *protocol.Error with its
// number for a line over max, or the error of the underlying reader.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.raw()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if line = bytes.Trim(line, " \t\r\n"); len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

// raw returns the next line with its end; with io.EOF what stood behind the last one, if anything.
func (l *lineReader) raw() ([]byte, error) {
	l.n++
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long)+len(part) > l.max {
			return nil, &protocol.Error{Code: protocol.CodeTooLarge, Message: "the line is too long", Line: l.n}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if len(l.long) == 0 {
				return part, err
			}
			return append(l.long, part...), err
		}
		l.long = append(l.long, part...)
	}
}

// parseLines reads every line of body as a frame (P-2): all of them or none. An error names its line.
func parseLines(body io.Reader, maxFrameBytes int) ([]protocol.Body, error) {
	buf := lineBuffers.Get().(*bufio.Reader)
	buf.Reset(body)
	defer func() {
		buf.Reset(nil)
		lineBuffers.Put(buf)
	}()
	l := &lineReader{r: buf, max: maxFrameBytes + protocol.MessageSlack}
	var bodies []protocol.Body
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := protocol.ParseBody(line, maxFrameBytes)
		if err != nil {
			e := *protocol.AsError(err)
			e.Line = l.n
			return nil, &e
		}
		bodies = append(bodies, b)
	}
	if len(bodies) == 0 {
		return nil, badRequest("the body has no frame")
	}
	return bodies, nil
}
