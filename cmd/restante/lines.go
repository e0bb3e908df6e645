package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/restante/restante/protocol"
)

// inputMode says what a line of input is.
type inputMode uint8

const (
	modeFrames inputMode = iota // a frame
	modeLines                   // text, framed as {"type":"line","text":…}
	modeWrap                    // any JSON value, framed as {"type":"json","data":…}
)

// maxLine bounds one line of JSON input as it is read, white space and all; what counts for a frame's limit is its length without that.
const maxLine = 1 << 20

// frameLine is one frame and the number of the line that it comes from.
type frameLine struct {
	number int
	body   protocol.Body
}

// lineError refuses one line of the input; the lines after it are not touched by it.
type lineError struct {
	number int
	err    error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.number, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// lineReader turns input into frames. Its memory is bounded however long a line is.
type lineReader struct {
	in       *bufio.Reader
	mode     inputMode
	maxFrame int
	number   int // of the line being read

	text  []byte // modeLines: what has been read of the line and not been framed yet
	part  int    // modeLines: parts of the line framed so far
	whole bool   // modeLines: text is the whole rest of the line
	end   error  // what reading ended with
}

func newLineReader(in io.Reader, mode inputMode, maxFrame int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), mode: mode, maxFrame: maxFrame, whole: true}
}

// next returns the next frame; a *lineError for a line that is refused; io.EOF at the end of the input, or what it failed with.
func (r *lineReader) next() (frameLine, error) {
	if r.mode == modeLines {
		return r.nextText()
	}
	for r.end == nil {
		line, err := r.readLine()
		if err != nil {
			return frameLine{}, err
		}
		if line = bytes.Trim(line, " \t\r\n"); len(line) == 0 {
			continue
		}
		body, err := r.frame(line)
		if err != nil {
			return frameLine{}, &lineError{r.number, err}
		}
		return frameLine{r.number, body}, nil
	}
	return frameLine{}, r.end
}

// frame makes one line of JSON a frame, by the same rules as the broker's (P-2).
func (r *lineReader) frame(line []byte) (protocol.Body, error) {
	if r.mode == modeWrap {
		if !json.Valid(line) {
			return nil, protocol.Errorf(protocol.CodeBadJSON, "not one JSON value")
		}
		line = append(append([]byte(`{"type":"json","data":`), line...), '}')
	}
	body, err := protocol.ParseBody(line, maxLine+64)
	if err == nil && len(body) > r.maxFrame {
		err = protocol.Errorf(protocol.CodeTooLarge, "the frame is %d bytes long, %d are allowed", len(body), r.maxFrame)
	}
	return body, err
}

// readLine returns the next line of at most maxLine bytes; of a longer one it drops the rest. The last line may lack its newline.
func (r *lineReader) readLine() ([]byte, error) {
	r.number++
	var line []byte
	for tooLong := false; ; {
		chunk, err := r.in.ReadSlice('\n')
		if !tooLong {
			line = append(line, chunk...)
			tooLong = len(line) > maxLine
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		r.end = err
		if tooLong {
			return nil, &lineError{r.number, protocol.Errorf(protocol.CodeTooLarge, "the line is longer than %d bytes", maxLine)}
		}
		if err != nil && len(line) == 0 {
			return nil, err
		}
		return line, nil
	}
}

// nextText frames the next line, or the next part of one that is too long for one frame.
func (r *lineReader) nextText() (frameLine, error) {
	for {
		if r.whole && len(r.text) == 0 && r.part == 0 {
			if err := r.startText(); err != nil {
				return frameLine{}, err
			}
		}
		if fit, all := fitText(r.text, r.room(), r.whole); !all {
			r.part++
			return r.cut(fit), nil
		}
		if r.whole {
			if r.part > 0 {
				r.part++
			}
			l := r.cut(len(r.text))
			r.part = 0
			return l, nil
		}
		r.moreText()
	}
}

// startText reads the first piece of a line.
func (r *lineReader) startText() error {
	if r.end != nil {
		return r.end
	}
	r.number++
	r.whole = false
	r.moreText()
	if r.end != nil && len(r.text) == 0 {
		r.whole = true
		return r.end
	}
	return nil
}

// moreText reads another piece of the line; with its last one the line is whole, and its line end is gone.
func (r *lineReader) moreText() {
	chunk, err := r.in.ReadSlice('\n')
	r.text = append(r.text, chunk...)
	if errors.Is(err, bufio.ErrBufferFull) {
		return
	}
	r.whole, r.end = true, err
	if err == nil {
		r.text = bytes.TrimSuffix(bytes.TrimSuffix(r.text, []byte("\n")), []byte("\r"))
	}
}

// cut frames the first n bytes of the text and drops them.
func (r *lineReader) cut(n int) frameLine {
	b := make([]byte, 0, n+n/8+64)
	b = append(b, `{"type":"line",`...)
	if r.part > 0 {
		b = append(strconv.AppendInt(append(b, `"part":`...), int64(r.part), 10), ',')
	}
	b = append(appendText(append(b, `"text":"`...), r.text[:n]), `"}`...)
	r.text = append(r.text[:0], r.text[n:]...)
	return frameLine{r.number, b}
}

// room is how many bytes of text, as JSON writes them, one frame has place for.
func (r *lineReader) room() int {
	return r.maxFrame - len(`{"type":"line","part":1000000000,"text":""}`)
}

// weight is what the frame counts in an outbox (P-13).
func (l frameLine) weight() int { return len(l.body) + protocol.FrameOverhead }
