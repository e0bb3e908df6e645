package protocol

import (
	"encoding/binary"
	"unicode/utf8"
)

// scalar passes a number, true, false or null, which begins with c.
func (s *scanner) scalar(c byte) bool {
	switch c {
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *scanner) literal(word string) bool {
	if len(s.src)-s.pos < len(word) || string(s.src[s.pos:s.pos+len(word)]) != word {
		return s.fail("no value")
	}
	s.pos += len(word)
	return true
}

// digits passes decimal digits and says whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case !s.digits():
		return s.fail("no value")
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("no digit after the point")
		}
	}
	if s.peek()|0x20 == 'e' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.fail("no digit in the exponent")
		}
	}
	return true
}

// plainRun returns how many bytes of b, from its start, are printable ASCII other than the quote and the backslash.
func plainRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		if (x|(x-ones*0x20)|(quote-ones)|(slash-ones))&highs != 0 {
			break // perhaps for a borrow only: the bytes are looked at one by one
		}
	}
	for i < len(b) && b[i] >= 0x20 && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// str passes the string at pos, which is its opening quote.
func (s *scanner) str() (text, bool) {
	s.pos++
	start, escaped := s.pos, false
	for {
		s.pos += plainRun(s.src[s.pos:])
		if s.pos >= len(s.src) {
			return text{}, s.fail("a string without its end")
		}
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return text{raw: s.src[start : s.pos-1], escaped: escaped}, true
		case c == '\\':
			escaped = true
			if !s.escape() {
				return text{}, false
			}
		case c < 0x20:
			return text{}, s.fail("a control character in a string")
		default:
			r, n := utf8.DecodeRune(s.src[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return text{}, s.fail("text that is not UTF-8")
			}
			s.pos += n
		}
	}
}

// escape passes one escape, whose backslash is at pos.
func (s *scanner) escape() bool {
	rest := s.src[s.pos+1:]
	if len(rest) > 0 {
		switch rest[0] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			s.pos += 2
			return true
		case 'u':
			if len(rest) >= 5 && unhex(rest[1:5]) >= 0 {
				s.pos += 6
				return true
			}
		}
	}
	return s.fail("an escape that JSON does not have")
}
