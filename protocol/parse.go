package protocol

import (
	"math"
	"unicode/utf8"
)

// ParseMessage reads one message of a client (P-11, P-16, P-18, P-19): ack, send, ping, pong, subscribe, unsubscribe. Members
// that the type does not read are ignored, whatever they are; names are matched exactly. A send's Frame is checked by P-2 and
// bounded by maxFrameBytes as ParseBody does it; the message may be MessageSlack longer (P-20). Nothing in the result points into src.
//
// Errors are *Error, with ID set whenever the message had a readable string id (1 to MaxSendIDChars characters, not twice):
//   - bad_json: no JSON, not UTF-8, or a top-level name twice
//   - bad_frame: no object, nested too deep, no string type, a member that the type needs is absent or of the wrong kind, a frame that P-2 refuses
//   - unknown_type: a type that no client sends
//   - bad_cursor: a since that P-5 refuses
//   - bad_request: an id, to, topic or history outside its rule
//   - too_large: the frame, or the whole message
func ParseMessage(src []byte, maxFrameBytes int) (Message, error) {
	limit := frameLimit(maxFrameBytes)
	if limit <= math.MaxInt-MessageSlack && len(src) > limit+MessageSlack {
		return Message{}, Errorf(CodeTooLarge, "the message has %d bytes, the limit is %d", len(src), limit+MessageSlack)
	}
	s := scanner{src: src}
	f, err := s.fields()
	m := Message{History: -1}
	if err == nil {
		err = m.read(&f, limit)
	}
	if err != nil {
		err.ID, _ = f.sendID()
		err.Topic = f.subscriptionTo()
		return Message{}, err
	}
	return m, nil
}

// sendID returns the id, "" and what is wrong with it if it cannot be one.
func (f *fields) sendID() (string, *Error) {
	if f.id.kind != '"' {
		return "", missing("id")
	}
	id := string(f.id.text.bytes())
	if !utf8.ValidString(id) {
		return "", Errorf(CodeBadRequest, "the id has half of a surrogate pair")
	}
	if n := utf8.RuneCountInString(id); n == 0 || n > MaxSendIDChars {
		return "", Errorf(CodeBadRequest, "an id has 1 to %d characters, this one %d", MaxSendIDChars, n)
	}
	return id, nil
}

// subscriptionTo is the topic or pattern that a subscribe or unsubscribe is about, "" if it has none that is legal.
func (f *fields) subscriptionTo() string {
	if f.kind.kind != '"' || f.topic.kind != '"' {
		return ""
	}
	if k := string(f.kind.text.bytes()); k != TypeSubscribe && k != TypeUnsubscribe {
		return ""
	}
	t := string(f.topic.text.bytes())
	if CheckPattern(t) != nil {
		return ""
	}
	return t
}

func missing(name string) *Error {
	return Errorf(CodeBadFrame, "the message has no string %q", name)
}

// str returns a copy of the string that v is; a bad_frame where v is absent or something else.
func (v value) str(name string) (string, *Error) {
	if v.kind != '"' {
		return "", missing(name)
	}
	return string(v.text.bytes()), nil
}

// integer returns the integer that v is, as P-5 writes it.
func (v value) integer(name string) (uint64, *Error) {
	if v.kind == '0' {
		if n, ok := parseSeq(v.raw); ok {
			return n, nil
		}
	}
	return 0, Errorf(CodeBadFrame, "the message has no %q that is a plain integer from 0 to 2^53-1", name)
}

// read fills m by its type.
func (m *Message) read(f *fields, limit int) (err *Error) {
	if f.kind.kind != '"' {
		return missing("type")
	}
	switch kind := f.kind.text.bytes(); string(kind) {
	case TypeAck:
		m.Type = TypeAck
		m.Seq, err = f.seq.integer("seq")
	case TypePing:
		m.Type = TypePing
	case TypePong:
		m.Type = TypePong
	case TypeSend:
		m.Type = TypeSend
		err = m.readSend(f, limit)
	case TypeSubscribe:
		m.Type = TypeSubscribe
		err = m.readSubscribe(f)
	case TypeUnsubscribe:
		m.Type = TypeUnsubscribe
		err = m.readTopic(f)
	default:
		err = Errorf(CodeUnknownType, "no message of a client has the type %s", brief(string(kind)))
	}
	return err
}

func (m *Message) readSend(f *fields, limit int) (err *Error) {
	if m.ID, err = f.sendID(); err != nil {
		return err
	}
	if m.To, err = f.to.str("to"); err != nil {
		return err
	}
	if bad := CheckClientID(m.To); bad != nil {
		return AsError(bad)
	}
	switch {
	case !f.framed:
		return Errorf(CodeBadFrame, "a send has no \"frame\"")
	case len(f.frame.raw) > limit:
		return tooLarge(len(f.frame.raw), limit)
	case f.frame.err != nil:
		return f.frame.err
	}
	m.Frame = f.frame.body()
	return nil
}

func (m *Message) readTopic(f *fields) (err *Error) {
	if m.Topic, err = f.topic.str("topic"); err != nil {
		return err
	}
	if bad := CheckPattern(m.Topic); bad != nil {
		return AsError(bad)
	}
	return nil
}

func (m *Message) readSubscribe(f *fields) *Error {
	if err := m.readTopic(f); err != nil {
		return err
	}
	if f.since.kind != 0 {
		since, err := f.since.str("since")
		if err != nil {
			return Errorf(CodeBadCursor, "\"since\" is not a string")
		}
		c, bad := ParseCursor(since)
		if bad != nil {
			return AsError(bad)
		}
		m.Since = &c
	}
	if f.history.kind != 0 {
		n, err := f.history.integer("history")
		if err != nil {
			return err
		}
		m.History = int(min(n, math.MaxInt32)) // more than any log holds
	}
	if m.Since == nil && m.History < 0 {
		return nil
	}
	if m.Since != nil && m.History >= 0 {
		return Errorf(CodeBadRequest, "a subscribe has \"since\" or \"history\", not both")
	}
	if bad := CheckTopic(m.Topic); bad != nil {
		return Errorf(CodeBadRequest, "\"since\" and \"history\" need the exact name of one topic, and %s is a pattern", brief(m.Topic))
	}
	return nil
}
