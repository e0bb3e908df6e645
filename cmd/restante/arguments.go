package main

import (
	"bytes"
	"io"

	"github.com/restante/restante/protocol"
)

// frameSource gives the frames to publish: from input's lines, or from the command line.
type frameSource interface {
	// next returns the next frame; a *lineError for one that is refused; io.EOF at the end, or what reading failed with.
	next() (frameLine, error)
}

// argumentReader turns the command line's arguments into frames: one each, whatever line ends they have in them, but for a text that is too long for
// one frame. They are counted as lines are.
type argumentReader struct {
	left  []string
	lines *lineReader // of no input: it frames what it is given
}

func newArgumentReader(args []string, mode inputMode, maxFrame int) *argumentReader {
	return &argumentReader{left: args, lines: newLineReader(bytes.NewReader(nil), mode, maxFrame)}
}

func (r *argumentReader) next() (frameLine, error) {
	l := r.lines
	if len(l.text) > 0 { // the rest of a long text
		return l.nextText()
	}
	if len(r.left) == 0 {
		return frameLine{}, io.EOF
	}
	arg := []byte(r.left[0])
	r.left = r.left[1:]
	l.number++
	switch {
	case l.mode == modeLines && len(arg) == 0:
		return l.cut(0), nil
	case l.mode == modeLines:
		l.text = arg
		return l.nextText()
	}
	// An empty line is passed over, an empty argument is not: it is a variable that was not set.
	arg = bytes.Trim(arg, " \t\r\n")
	if len(arg) == 0 {
		return frameLine{}, &lineError{l.number, protocol.Errorf(protocol.CodeBadJSON, "the argument is empty; give a frame, or none to read standard input")}
	}
	body, err := l.frame(arg)
	if err != nil {
		return frameLine{}, &lineError{l.number, err}
	}
	return frameLine{l.number, body}, nil
}
