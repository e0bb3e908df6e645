package protocol

import "strconv"

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
