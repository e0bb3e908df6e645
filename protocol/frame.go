package protocol

import (
	"bytes"
	"encoding/json"
	"strconv"
)

const (
	seqPrefix  = `{"seq":`
	fromPrefix = `{"from":`
)

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
	out := make([]byte, 0, len(fromPrefix)+len(from)+3+len(b)-1)
	out = append(out, fromPrefix...)
	out = appendString(out, from)
	out = append(out, ',')
	return append(out, b[1:]...)
}

// CheckStored says why b cannot be a body as an outbox or a topic's log holds it: a published one by P-2, without white space, a sent one, which has its
// "from" in front, or a topic's, which has its "topic" and "topic_seq" there. The error is an *Error: bad_json or bad_frame.
func CheckStored(b Body) error {
	published := b
	switch {
	case OfTopic(b):
		_, _, rest, err := cutTopic(b)
		if err != nil {
			return err
		}
		published = rest
	case bytes.HasPrefix(b, []byte(fromPrefix)):
		var from string
		dec := json.NewDecoder(bytes.NewReader(b[len(fromPrefix):]))
		if err := dec.Decode(&from); err != nil {
			return Errorf(CodeBadFrame, "its \"from\" is no string")
		}
		rest, ok := bytes.CutPrefix(b[len(fromPrefix):][dec.InputOffset():], []byte{','})
		if !ok {
			return Errorf(CodeBadFrame, "nothing follows its \"from\"")
		}
		published = append(Body{'{'}, rest...)
	}
	compact, err := ParseBody(published, -1)
	if err == nil && len(compact) != len(published) {
		err = Errorf(CodeBadFrame, "it holds white space")
	}
	return err
}
