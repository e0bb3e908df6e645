package client

import "github.com/restante/restante/protocol"

// Frame is one application frame, as it came from the outbox (P-1).
type Frame struct {
	// Seq is the frame's number in the outbox, from 1.
	Seq uint64
	// Type is the frame's "type".
	Type string
	// From is the client that sent it (P-18); "" for a frame that was published.
	From string
	// Topic and TopicSeq are there for a frame that came through a topic (P-1); "" and 0 else.
	Topic    string
	TopicSeq uint64
	// Raw is the whole frame, a JSON object whose first member is "seq". It is the receiver's to keep.
	Raw []byte
}

func newFrame(m protocol.Incoming) Frame {
	return Frame{Seq: m.Seq, Type: m.Type, From: m.From, Topic: m.Topic, TopicSeq: m.TopicSeq, Raw: m.Raw}
}
