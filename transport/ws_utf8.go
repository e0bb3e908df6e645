package transport

import "unicode/utf8"

// utf8Check checks text that comes in parts, and fails at the first byte that no continuation can mend. Zero is ready.
type utf8Check struct {
	tail [utf8.UTFMax]byte // the beginning of a rune that the last part cut
	n    uint8
}

// part checks the next part.
func (u *utf8Check) part(b []byte) bool {
	for u.n > 0 && len(b) > 0 {
		u.tail[u.n] = b[0]
		u.n++
		b = b[1:]
		if cut := u.tail[:u.n]; utf8.FullRune(cut) {
			if !utf8.Valid(cut) {
				return false
			}
			u.n = 0
		}
	}
	whole := len(b) - cutRune(b)
	if !utf8.Valid(b[:whole]) {
		return false
	}
	if whole < len(b) {
		u.n = uint8(copy(u.tail[:], b[whole:]))
	}
	return true
}

// end reports whether the text may end here, and makes u ready for the next one.
func (u *utf8Check) end() bool {
	whole := u.n == 0
	u.n = 0
	return whole
}

// cutRune returns how many bytes at the end of b are the beginning of a rune that can still become valid.
func cutRune(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if at := b[len(b)-i:]; utf8.RuneStart(at[0]) {
			if utf8.FullRune(at) {
				return 0
			}
			return i
		}
	}
	return 0
}
