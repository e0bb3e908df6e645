package protocol

// scanner reads JSON text once, from left to right. It holds RFC 8259's grammar to the letter, and valid UTF-8 besides. The
// first fault of the text stops it; what only a rule forbids (depth, names) is left to its callers, so that a text that is
// no JSON is always told so first.
type scanner struct {
	src []byte
	pos int
	// space counts the bytes of white space passed between tokens.
	space int
	// depth is the number of open containers, deepest the most there have been. Bit n of the stack says that level n is an
	// object: low holds the first 64 levels, more the others, which only a text beyond MaxDepth ever has.
	depth, deepest int
	low            uint64
	more           []uint64
	// fault is what is wrong with the text, at pos; "" while nothing is.
	fault string
}

// text is the inside of a JSON string as it stands in the source, between its quotes.
type text struct {
	raw     []byte
	escaped bool
}

// value is one scanned JSON value. raw is its whole text; kind its first byte, with '0' for every number. text is set for a string.
type value struct {
	kind byte
	raw  []byte
	text text
}

func (s *scanner) fail(why string) bool {
	s.fault = why
	return false
}

// err is the fault as an error; there must be one. what names the text, for people.
func (s *scanner) err(what string) *Error {
	return Errorf(CodeBadJSON, "%s is not valid JSON: %s at byte %d", what, s.fault, s.pos)
}

// peek returns the byte at pos, 0 at the end; a real 0 is no token either.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// skip passes white space and returns the byte after it.
func (s *scanner) skip() byte {
	i := s.pos
	for i < len(s.src) && isSpace(s.src[i]) {
		i++
	}
	s.space += i - s.pos
	s.pos = i
	return s.peek()
}

// end passes white space up to the end of the text; anything else there is a fault.
func (s *scanner) end() bool {
	s.skip()
	if s.pos < len(s.src) {
		return s.fail("more text after the value")
	}
	return true
}

func (s *scanner) push(object bool) {
	p, bit := &s.low, uint64(1)<<(s.depth%64)
	if w := s.depth / 64; w > 0 {
		if w > len(s.more) {
			s.more = append(s.more, 0)
		}
		p = &s.more[w-1]
	}
	*p &^= bit
	if object {
		*p |= bit
	}
	s.depth++
	s.deepest = max(s.deepest, s.depth)
}

// inObject says whether the innermost open container is an object.
func (s *scanner) inObject() bool {
	n := s.depth - 1
	w := s.low
	if n >= 64 {
		w = s.more[n/64-1]
	}
	return w>>(n%64)&1 == 1
}

// enter opens the object at pos.
func (s *scanner) enter() {
	s.push(true)
	s.pos++
}

// member passes the name of an object's next member, and its colon. first says that none has been read yet. false at the
// object's end, which it passes, and at a fault, also one of the value before.
func (s *scanner) member(first bool) (text, bool) {
	if s.fault != "" {
		return text{}, false
	}
	c := s.skip()
	switch {
	case c == '}':
		s.pos++
		s.depth--
		return text{}, false
	case first:
	case c == ',':
		s.pos++
		s.skip()
	default:
		return text{}, s.fail("no comma or closing brace")
	}
	return s.name()
}

// name passes a member's name and the colon after it.
func (s *scanner) name() (text, bool) {
	if s.peek() != '"' {
		return text{}, s.fail("no member name")
	}
	t, ok := s.str()
	if !ok {
		return t, false
	}
	if s.skip() != ':' {
		return t, s.fail("no colon")
	}
	s.pos++
	return t, true
}

// value scans one value of any kind, without recursion: the depth of a text costs a bit a level.
func (s *scanner) value() (value, bool) {
	v := value{kind: s.skip()}
	start, base := s.pos, s.depth
	for {
		switch c := s.skip(); c {
		case '{', '[':
			s.push(c == '{')
			s.pos++
		case '"':
			t, ok := s.str()
			if !ok {
				return v, false
			}
			if s.depth == base {
				v.text = t
			}
		default:
			if !s.scalar(c) {
				return v, false
			}
			if s.depth == base && c != 't' && c != 'f' && c != 'n' {
				v.kind = '0'
			}
		}
		more, ok := s.after(base)
		if !ok {
			return v, false
		}
		if !more {
			v.raw = s.src[start:s.pos]
			return v, true
		}
	}
}

// after goes on behind a complete value or an opening bracket: it closes what ends here, and passes the comma and the name in
// front of the next value. more is false when the value that began at depth base is complete.
func (s *scanner) after(base int) (more, ok bool) {
	opened := s.pos > 0 && s.depth > base && (s.src[s.pos-1] == '{' || s.src[s.pos-1] == '[')
	for s.depth > base {
		c, object := s.skip(), s.inObject()
		switch {
		case c == '}' && object, c == ']' && !object:
			s.pos++
			s.depth--
			opened = false
			continue
		case opened:
		case c == ',':
			s.pos++
			s.skip()
		default:
			return false, s.fail("no comma or closing bracket")
		}
		if !object {
			return true, true
		}
		_, ok := s.name()
		return ok, ok
	}
	return false, true
}
