package protocol

import "bytes"

// frameLimit reads a max_frame_bytes: 0 is the default, a negative one is no bound.
func frameLimit(n int) int {
	switch {
	case n == 0:
		return DefaultMaxFrameBytes
	case n < 0:
		return int(^uint(0) >> 1)
	}
	return n
}

// ParseBody takes a published frame in (P-1, P-2): it checks src in one pass and returns a copy without the white space
// between tokens, in an allocation of its own, exactly sized. maxFrameBytes bounds the object as published, white space
// inside it counted and around it not; 0 is DefaultMaxFrameBytes, negative no bound.
//
// Errors are *Error: too_large; bad_json for text that is no JSON or not UTF-8; bad_frame for JSON that P-2 refuses.
func ParseBody(src []byte, maxFrameBytes int) (Body, error) {
	src = bytes.Trim(src, " \n\r\t")
	if limit := frameLimit(maxFrameBytes); len(src) > limit {
		return nil, tooLarge(len(src), limit)
	}
	s := scanner{src: src}
	f, ok := s.frame()
	if !ok || !s.end() {
		return nil, s.err("the frame")
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.body(), nil
}

func tooLarge(n, limit int) *Error {
	return Errorf(CodeTooLarge, "the frame has %d bytes, the limit is %d", n, limit)
}

// frameText is a frame as it stands in the source.
type frameText struct {
	raw   []byte
	space int
	// err is the first of P-2's rules that it breaks, nil if it keeps them all.
	err *Error
}

// frame scans the value at pos as a frame. false at a fault of the text only: what P-2 refuses is told in the result, and
// the scanner stands behind the frame.
func (s *scanner) frame() (frameText, bool) {
	if s.skip() != '{' {
		v, ok := s.value()
		return frameText{raw: v.raw, err: Errorf(CodeBadFrame, "a frame is a JSON object")}, ok
	}
	start, space, level := s.pos, s.space, s.depth
	outer := s.deepest
	s.deepest = level
	var f frameText
	var seen nameSet
	typed := false
	s.enter()
	for first := true; ; first = false {
		name, more := s.member(first)
		if !more {
			break
		}
		v, ok := s.value()
		if !ok {
			break
		}
		n := name.bytes()
		if f.err == nil {
			f.err = checkName(n, v, &seen)
		}
		typed = typed || string(n) == "type"
	}
	if s.fault != "" {
		return f, false
	}
	switch {
	case f.err != nil:
	case s.deepest-level > MaxDepth:
		f.err = Errorf(CodeBadFrame, "the frame nests deeper than %d", MaxDepth)
	case !typed:
		f.err = Errorf(CodeBadFrame, "the frame has no string \"type\"")
	}
	s.deepest = max(s.deepest, outer)
	f.raw, f.space = s.src[start:s.pos], s.space-space
	return f, true
}

// checkName holds one top-level member to P-2.
func checkName(name []byte, v value, seen *nameSet) *Error {
	if !seen.add(name) {
		return Errorf(CodeBadFrame, "the frame has the member %s twice", brief(string(name)))
	}
	if string(name) == "type" {
		if v.kind != '"' {
			return Errorf(CodeBadFrame, "the frame's \"type\" is not a string")
		}
		return nil
	}
	if word := reserved(name); word != "" {
		return Errorf(CodeBadFrame, "the member %s is or folds to %q, which is not the publisher's to set", brief(string(name)), word)
	}
	return nil
}

// reserved returns the reserved name that name is or folds to by Unicode case, "" if none. "type" itself is told apart before.
func reserved(name []byte) string {
	// Each of the words has 3 to 9 letters, and a letter that folds to one of theirs has at most 3 bytes.
	if len(name) < len("seq") || len(name) > 3*len("topic_seq") {
		return ""
	}
	switch name[0] | 0x20 {
	case 's', 't', 'f', 0xC5 | 0x20: // U+017F, the long s, begins with C5
	default:
		return ""
	}
	for _, word := range [...]string{"seq", "topic", "topic_seq", "from", "type"} {
		if bytes.EqualFold(name, []byte(word)) {
			return word
		}
	}
	return ""
}

// body returns the frame without its white space, in memory of its own.
func (f frameText) body() Body { return compact(f.raw, f.space) }

// compact copies raw, valid JSON with so many bytes of white space between its tokens, and leaves them out.
func compact(raw []byte, space int) []byte {
	out := make([]byte, len(raw)-space)
	if space == 0 {
		copy(out, raw)
		return out
	}
	n := 0
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case isSpace(c):
			i++
		case c == '"':
			end := stringEnd(raw, i)
			n += copy(out[n:], raw[i:end])
			i = end
		default:
			out[n] = c
			n++
			i++
		}
	}
	return out
}

// stringEnd returns the index behind the string that begins at i in valid JSON.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}
