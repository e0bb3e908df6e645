package protocol

import "strconv"

const seqPrefix = `{"seq":`

// AppendFrame appends b as it is sent under seq: the body with "seq":N as its first member (P-1). seq is at least 1, and b a Body of this package.
func AppendFrame(dst []byte, seq uint64, b Body) []byte {
	dst = append(dst, seqPrefix...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, ',')
	return append(dst, b[1:]...)
}

// FrameLen returns how many bytes AppendFrame appends.
func FrameLen(seq uint64, b Body) int {
	digits := 1
	for seq >= 10 {
		seq /= 10
		digits++
	}
	return len(seqPrefix) + digits + len(b)
}

// WithFrom returns b as it is stored for a send: with "from":"ID" as its first member, so that the frame reads
// {"seq":N,"from":"ID",… (P-1, P-18). The result is a Body in memory of its own; b is not changed.
func WithFrom(b Body, from string) Body {
	const prefix = `{"from":`
	out := make([]byte, 0, len(prefix)+len(from)+3+len(b)-1)
	out = append(out, prefix...)
	out = appendString(out, from)
	out = append(out, ',')
	return append(out, b[1:]...)
}
