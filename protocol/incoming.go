package protocol

// Incoming is one message of the broker as a client library reads it. With Seq > 0 it is a sequenced frame, the application's,
// and From, Topic and TopicSeq are what the broker put in front of it. With Seq 0 it is the broker's own, and Raw is read by its Type.
type Incoming struct {
	Seq         uint64
	Type        string
	From, Topic string
	TopicSeq    uint64
	// Raw is the whole message. It is the memory that ParseIncoming was given.
	Raw []byte
}

// ParseIncoming reads a message of the broker. It looks at seq before it looks at the type, since an application may use any
// type: a message whose first member is "seq" is a sequenced frame (P-1). A seq further behind, as a receipt and a replay_end
// have one, belongs to the broker's message and leaves Seq 0. Unknown members are ignored. The strings are copies, Raw is not.
//
// Errors are *Error: bad_json for what is no JSON, bad_frame for what is no message of the broker's.
func ParseIncoming(src []byte) (Incoming, error) {
	s := scanner{src: src}
	in, err := s.incoming()
	if err != nil {
		return Incoming{}, err
	}
	in.Raw = src
	return in, nil
}

func (s *scanner) incoming() (in Incoming, err *Error) {
	if s.skip() != '{' {
		if _, ok := s.value(); !ok || !s.end() {
			return in, s.err("the message")
		}
		return in, Errorf(CodeBadFrame, "a message is a JSON object")
	}
	var kind value
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
		bad := false
		switch string(name.bytes()) {
		case "seq":
			if first {
				in.Seq, bad = v.seq()
			}
		case "topic_seq":
			in.TopicSeq, bad = v.seq()
		case "from":
			in.From, bad = v.valid()
		case "topic":
			in.Topic, bad = v.valid()
		case "type":
			kind = v
		}
		if bad && err == nil {
			err = Errorf(CodeBadFrame, "the message has a \"%s\" that the broker does not write", name.raw)
		}
	}
	if s.fault != "" || !s.end() {
		return in, s.err("the message")
	}
	if err != nil {
		return in, err
	}
	var bad bool
	if in.Type, bad = kind.valid(); bad {
		return in, Errorf(CodeBadFrame, "the message has no string \"type\"")
	}
	return in, nil
}

// seq returns the seq that v is, and whether it is none.
func (v value) seq() (n uint64, bad bool) {
	if v.kind != '0' {
		return 0, true
	}
	n, ok := parseSeq(v.raw)
	return n, !ok || n == 0
}

// valid returns the string that v is, in valid UTF-8, with U+FFFD for half a surrogate pair, and whether it is none.
func (v value) valid() (s string, bad bool) {
	if v.kind != '"' {
		return "", true
	}
	return string(v.text.valid()), false
}
