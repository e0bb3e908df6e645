package protocol

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unhex reads hexadecimal digits; -1 if one of them is none.
func unhex(digits []byte) rune {
	var r rune
	for _, c := range digits {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// bytes returns the string that t stands for. Half a surrogate pair, which JSON allows and UTF-8 does not, comes as the three
// bytes that its number would have: names stay different from each other, and the result is not valid UTF-8. It is the
// source's memory where nothing is escaped.
func (t text) bytes() []byte { return t.unescape(false) }

// valid is bytes with U+FFFD for half a surrogate pair.
func (t text) valid() []byte { return t.unescape(true) }

func (t text) unescape(replace bool) []byte {
	if !t.escaped {
		return t.raw
	}
	out := make([]byte, 0, len(t.raw))
	for i := 0; i < len(t.raw); {
		n := bytes.IndexByte(t.raw[i:], '\\')
		if n < 0 {
			return append(out, t.raw[i:]...)
		}
		out = append(out, t.raw[i:i+n]...)
		i += n
		if t.raw[i+1] != 'u' {
			out = append(out, unescaped(t.raw[i+1]))
			i += 2
			continue
		}
		r := unhex(t.raw[i+2 : i+6])
		i += 6
		if utf16.IsSurrogate(r) {
			pair := utf16.DecodeRune(r, nextUnit(t.raw[i:]))
			if pair == utf8.RuneError && !replace {
				out = append(out, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
				continue
			}
			if r = pair; r != utf8.RuneError {
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// nextUnit returns the code unit of the \u escape that b begins with, -1 if there is none.
func nextUnit(b []byte) rune {
	if len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
		return unhex(b[2:6])
	}
	return -1
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // quote, backslash, slash
}

// nameSet holds the names of one object. The first few are compared one by one, without an allocation; a hostile body with
// ten thousand of them is looked up in a map, so that it costs no square of them.
type nameSet struct {
	few  [16][]byte
	n    int
	many map[string]struct{}
}

// add takes name in, and returns false if it was there. It keeps name's memory.
func (s *nameSet) add(name []byte) bool {
	if s.many != nil {
		if _, ok := s.many[string(name)]; ok {
			return false
		}
		s.many[string(name)] = struct{}{}
		return true
	}
	for _, have := range s.few[:s.n] {
		if bytes.Equal(have, name) {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 4*len(s.few))
	for _, have := range s.few {
		s.many[string(have)] = struct{}{}
	}
	s.many[string(name)] = struct{}{}
	return true
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Only what JSON asks for is escaped; bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

// brief quotes s for an error message, shortened.
func brief(s string) string {
	const most = 24
	if len(s) > most {
		s = s[:most] + "…"
	}
	return string(appendString(nil, s))
}
