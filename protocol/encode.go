package protocol

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Types of the broker's own messages. None is reserved: an application's frame with the same type has a seq in front (P-1).
const (
	TypeHello     = "hello"
	TypeReplayEnd = "replay_end"
	TypeSnapshot  = "snapshot"
	TypeGoaway    = "goaway"
	TypeReceipt   = "receipt"
	TypeError     = "error"
)

// marshal encodes v without escaping for HTML. v is a struct of this package without a member that can fail.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("protocol: " + err.Error()) // a type of this package that cannot be encoded
	}
	return bytes.Clone(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// EncodeHello returns the hello of an attach (P-6). Type is set here.
func EncodeHello(h Hello) Body {
	h.Type = TypeHello
	return marshal(h)
}

// number encodes {"type":T,"NAME":N}.
func number(kind, name string, n int64) Body {
	b := make([]byte, 0, len(kind)+len(name)+len(`{"type":"","":}`)+20)
	b = append(b, `{"type":"`...)
	b = append(b, kind...)
	b = append(b, `","`...)
	b = append(b, name...)
	b = append(b, `":`...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, '}')
}

// EncodeReplayEnd returns the message that follows a replay (P-8).
func EncodeReplayEnd(seq uint64) Body { return number(TypeReplayEnd, "seq", int64(seq)) }

// EncodePing returns the server's heartbeat (P-16).
func EncodePing(head uint64) Body { return number(TypePing, "head", int64(head)) }

// EncodePong returns the answer to a client's ping (P-16).
func EncodePong() Body { return Body(`{"type":"pong"}`) }

// EncodeGoaway returns the message that asks a client to come back after so many milliseconds (P-23).
func EncodeGoaway(retryAfterMS int64) Body { return number(TypeGoaway, "retry_after_ms", retryAfterMS) }

const snapshotPrefix = `{"type":"snapshot","as_of":`

// EncodeSnapshot returns a snapshot's message (P-9). data is one compact JSON value, as ParseSnapshotData returns it; it is copied as it is.
func EncodeSnapshot(asOf uint64, data []byte) Body {
	b := make([]byte, 0, SnapshotLen(asOf, len(data)))
	b = append(b, snapshotPrefix...)
	b = strconv.AppendUint(b, asOf, 10)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	return append(b, '}')
}

// SnapshotLen returns the length of a snapshot's message with so many bytes of data, which max_message_bytes bounds (P-20).
func SnapshotLen(asOf uint64, dataBytes int) int {
	digits := FrameLen(asOf, nil) - FrameLen(0, nil) + 1
	return len(snapshotPrefix) + digits + len(`,"data":}`) + dataBytes
}

// ParseSnapshotData checks what a provider gave as a snapshot's data: one JSON value of any kind, in valid UTF-8, no deeper than MaxDepth. It returns a
// copy without the white space between tokens. Errors are *Error: bad_json, or bad_frame for the depth. Its size is the caller's to bound, by SnapshotLen.
func ParseSnapshotData(src []byte) ([]byte, error) {
	s := scanner{src: src}
	v, ok := s.value()
	space := s.space
	if !ok || !s.end() {
		return nil, s.err("the snapshot")
	}
	if s.deepest > MaxDepth {
		return nil, Errorf(CodeBadFrame, "the snapshot nests deeper than %d", MaxDepth)
	}
	lead := 0
	for isSpace(src[lead]) {
		lead++
	}
	return compact(v.raw, space-lead), nil
}

// EncodeReceipt returns the answer to a send (P-18). Type is set here.
func EncodeReceipt(r Receipt) Body {
	b := make([]byte, 0, len(r.ID)+len(r.Status)+len(r.Epoch)+80)
	b = append(b, `{"type":"receipt","id":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"status":`...)
	b = appendString(b, r.Status)
	b = append(b, `,"epoch":`...)
	b = appendString(b, r.Epoch)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	return append(b, '}')
}

// EncodePublished returns p as the answer of a publish (the HTTP table), as encoding/json would write it.
func EncodePublished(p Published) []byte {
	b := make([]byte, 0, len(p.ClientID)+len(p.Epoch)+len(p.Status)+len(p.Reason)+160)
	b = append(b, `{"client_id":`...)
	b = appendString(b, p.ClientID)
	b = append(b, `,"epoch":`...)
	b = appendString(b, p.Epoch)
	b = append(b, `,"first_seq":`...)
	b = strconv.AppendUint(b, p.FirstSeq, 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, p.Seq, 10)
	b = append(b, `,"status":`...)
	b = appendString(b, p.Status)
	if p.Reason != "" {
		b = append(b, `,"reason":`...)
		b = appendString(b, p.Reason)
	}
	b = append(b, `,"duplicate":`...)
	b = strconv.AppendBool(b, p.Duplicate)
	return append(b, '}')
}

// EncodeError returns e as a message on a connection (P-20). id, topic and retry_after_ms are there when e has them; Line is for HTTP alone.
func EncodeError(e *Error) Body {
	b := make([]byte, 0, len(e.Code)+len(e.Message)+len(e.ID)+80)
	b = append(b, `{"type":"error","code":`...)
	b = appendString(b, string(e.Code))
	b = append(b, `,"message":`...)
	b = appendString(b, e.Message)
	if e.ID != "" {
		b = append(b, `,"id":`...)
		b = appendString(b, e.ID)
	}
	if e.Topic != "" {
		b = append(b, `,"topic":`...)
		b = appendString(b, e.Topic)
	}
	if e.RetryAfterMS > 0 {
		b = append(b, `,"retry_after_ms":`...)
		b = strconv.AppendInt(b, e.RetryAfterMS, 10)
	}
	return append(b, '}')
}

// AppendMessage appends m as a client writes it: the members that its Type has, and no others. m is not checked. A subscribe
// has "history" unless History is negative.
func AppendMessage(dst []byte, m Message) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendString(dst, m.Type)
	switch m.Type {
	case TypeAck:
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, m.Seq, 10)
	case TypeSend:
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, m.ID)
		dst = append(dst, `,"to":`...)
		dst = appendString(dst, m.To)
		dst = append(dst, `,"frame":`...)
		dst = append(dst, m.Frame...)
	case TypeSubscribe, TypeUnsubscribe:
		dst = append(dst, `,"topic":`...)
		dst = appendString(dst, m.Topic)
		if m.Type == TypeUnsubscribe {
			break
		}
		if m.Since != nil {
			dst = append(dst, `,"since":`...)
			dst = appendString(dst, m.Since.String())
		}
		if m.History >= 0 {
			dst = append(dst, `,"history":`...)
			dst = strconv.AppendInt(dst, int64(m.History), 10)
		}
	}
	return append(dst, '}')
}
