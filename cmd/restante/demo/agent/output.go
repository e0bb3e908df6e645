package agent

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// shownBytes is how much of a call's output is shown, both streams together.
	shownBytes = 64 << 10
	// pieceBytes is the most that goes into one frame: escaped at its worst it stays below the 64 KiB of P-2.
	pieceBytes = 4 << 10
)

// output is a call's output on its way to the session, as it comes. What is beyond shownBytes is counted and not shown, and that is said. It is safe for
// concurrent use, as the two streams of a command need it.
type output struct {
	emit func(text, stream string) error

	mu      sync.Mutex
	shown   int
	omitted int64
}

// stream returns the writer of one of the streams. Close passes on what it still holds.
func (o *output) stream(name string) *stream { return &stream{o: o, name: name} }

// left is how many bytes were not shown.
func (o *output) left() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.omitted
}

// show passes text on, as far as there is room.
func (o *output) show(text, name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.omitted > 0 {
		o.omitted += int64(len(text))
		return nil
	}
	room := shownBytes - o.shown
	if len(text) <= room {
		o.shown += len(text)
		return o.pieces(text, name)
	}
	for room > 0 && !utf8.RuneStart(text[room]) {
		room--
	}
	o.shown += room
	o.omitted = int64(len(text) - room)
	return o.pieces(text[:room]+fmt.Sprintf("\n… what follows is not shown: there are more than %d KiB\n", shownBytes>>10), name)
}

func (o *output) pieces(text, name string) error {
	for text != "" {
		n := min(len(text), pieceBytes)
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		if err := o.emit(text[:n], name); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// stream is one stream of an output. It has one writer at a time.
type stream struct {
	o    *output
	name string
	// rest is the beginning of a character whose end has not come.
	rest []byte
}

var _ io.WriteCloser = (*stream)(nil)

// Write shows p, but for a character at its end that is not whole yet. It never writes less than all without an error.
func (s *stream) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	whole := len(text) - unfinished(text)
	s.rest = append([]byte(nil), text[whole:]...)
	if shown := readable(text[:whole]); shown != "" {
		if err := s.o.show(shown, s.name); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close shows what is left.
func (s *stream) Close() error {
	if len(s.rest) == 0 {
		return nil
	}
	text := readable(s.rest)
	s.rest = nil
	return s.o.show(text, s.name)
}

// unfinished is how many bytes at the end of b are the beginning of a character that goes on.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// readable is b as text for a page: what is no UTF-8 is replaced, control characters are left out but for tabs and ends of lines, and colours with them.
func readable(b []byte) string {
	text := strings.ToValidUTF8(string(b), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && (r < 0x7f || r > 0x9f) {
			return r
		}
		return -1
	}, text)
}
