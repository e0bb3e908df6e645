package protocol

import (
	"strconv"
	"strings"
)

// Cursor is a position in an outbox: the last frame that a reader holds. Epoch is "" for a bare seq, which means
// "of the epoch now" (P-5).
type Cursor struct {
	Epoch string
	Seq   uint64
}

// String returns the cursor as it travels: epoch:seq, or the bare seq.
func (c Cursor) String() string {
	if c.Epoch == "" {
		return strconv.FormatUint(c.Seq, 10)
	}
	return c.Epoch + ":" + strconv.FormatUint(c.Seq, 10)
}

// ParseCursor reads a cursor as it travels (P-5): epoch:seq, or a bare seq. A seq is written in digits alone, without a sign
// or a leading zero, and is at most MaxSeq. The error is a bad_cursor.
func ParseCursor(s string) (Cursor, error) {
	digits := s
	var c Cursor
	if i := strings.IndexByte(s, ':'); i >= 0 {
		c.Epoch, digits = s[:i], s[i+1:]
		if !CheckEpoch(c.Epoch) {
			return Cursor{}, Errorf(CodeBadCursor, "the cursor %s has no valid epoch before its colon", brief(s))
		}
	}
	seq, ok := parseSeq(digits)
	if !ok {
		return Cursor{}, Errorf(CodeBadCursor, "the cursor %s is neither epoch:seq nor seq, with a seq from 0 to 2^53-1 in plain digits", brief(s))
	}
	c.Seq = seq
	return c, nil
}

// CheckEpoch says whether s can be an epoch: 1 to MaxEpochBytes of A–Z a–z 0–9 _ -.
func CheckEpoch(s string) bool {
	if s == "" || len(s) > MaxEpochBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !idByte(c) || c == '.' || c == '~' || c == ':' || c == '@' {
			return false
		}
	}
	return true
}

// parseSeq reads an integer as P-5 writes it, and P-2 every number of the broker's own messages.
func parseSeq[T string | []byte](s T) (uint64, bool) {
	const most = 16 // digits of MaxSeq
	if len(s) == 0 || len(s) > most || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	return n, n <= MaxSeq
}
