package protocol

// fields are the members of a client's message that some type of message reads. All others are passed over.
type fields struct {
	kind, seq, id, to, topic, since, history value
	frame                                    frameText
	framed                                   bool
}

// fields scans a whole message. What it found before a fault is in the result also when there is an error.
func (s *scanner) fields() (f fields, fault *Error) {
	if s.skip() != '{' {
		if _, ok := s.value(); !ok || !s.end() {
			return f, s.err("the message")
		}
		return f, Errorf(CodeBadFrame, "a message is a JSON object")
	}
	var seen nameSet
	s.enter()
	for first := true; ; first = false {
		t, more := s.member(first)
		if !more {
			break
		}
		name := t.bytes()
		if !seen.add(name) {
			if fault == nil {
				fault = Errorf(CodeBadJSON, "the message has the member %s twice", brief(string(name)))
			}
			switch string(name) { // the refusal names only what is not in doubt
			case "id":
				f.id = value{}
			case "type":
				f.kind = value{}
			case "topic":
				f.topic = value{}
			}
			s.value()
			continue
		}
		s.field(&f, name)
	}
	if s.fault != "" || !s.end() {
		return f, s.err("the message")
	}
	if fault == nil && s.deepest > MaxDepth+1 {
		fault = Errorf(CodeBadFrame, "the message nests deeper than %d", MaxDepth+1)
	}
	return f, fault
}

// field scans the value of the member name into its place.
func (s *scanner) field(f *fields, name []byte) {
	if string(name) == "frame" {
		f.frame, f.framed = s.frame()
		return
	}
	v, ok := s.value()
	if !ok {
		return
	}
	switch string(name) {
	case "type":
		f.kind = v
	case "seq":
		f.seq = v
	case "id":
		f.id = v
	case "to":
		f.to = v
	case "topic":
		f.topic = v
	case "since":
		f.since = v
	case "history":
		f.history = v
	}
}
