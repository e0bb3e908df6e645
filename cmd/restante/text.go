package main

import (
	"fmt"
	"unicode/utf8"
)

// Text of any kind as the inside of a JSON string.

// fitText returns how many bytes of text, as JSON writes them, fit into room; all says that none is left over. Unless whole, what may
// be the beginning of a character that is still to come counts as fitting and is never cut.
func fitText(text []byte, room int, whole bool) (n int, all bool) {
	used := 0
	for n < len(text) {
		if !whole && !utf8.FullRune(text[n:]) {
			return n, true
		}
		r, w := utf8.DecodeRune(text[n:])
		if used += textLen(r, w); used > room {
			return n, false
		}
		n += w
	}
	return n, true
}

// textLen is how many bytes JSON takes for r, which was read from w bytes.
func textLen(r rune, w int) int {
	switch {
	case r == utf8.RuneError && w == 1:
		return len("\uFFFD")
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t':
		return 2
	case r < 0x20:
		return 6
	}
	return w
}

// appendText appends text as the inside of a JSON string; what is not UTF-8 becomes U+FFFD, a byte at a time.
func appendText(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		r, w := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && w == 1:
			dst = append(dst, "\uFFFD"...)
		case r == '"', r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, text[i:i+w]...)
		}
		i += w
	}
	return dst
}
