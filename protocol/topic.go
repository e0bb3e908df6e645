package protocol

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// AllTopic is the topic that every client follows from its birth: broadcast is a publish to it (P-32). It is no name that CheckTopic takes.
const AllTopic = "_all"

// Types that concern a topic.
const (
	TypeSubscribed   = "subscribed"
	TypeUnsubscribed = "unsubscribed"
	// TypeTopicClosed is the last frame of a closed topic (P-32). It has a seq, as an application's frame has.
	TypeTopicClosed = "topic_closed"
)

const topicPrefix = `{"topic":`

// WithTopic returns b as a topic's log and its followers' outboxes hold it: with "topic":"T","topic_seq":M as its first members, so that a follower's frame reads
// {"seq":N,"topic":"T","topic_seq":M,… (P-1, P-19). The result is a Body in memory of its own, which all receivers share; b is not changed.
func WithTopic(b Body, topic string, seq uint64) Body {
	out := make([]byte, 0, topicLen(topic, seq)+len(b)-1)
	out = append(out, topicPrefix...)
	out = appendString(out, topic)
	out = append(out, `,"topic_seq":`...)
	out = strconv.AppendUint(out, seq, 10)
	out = append(out, ',')
	return append(out, b[1:]...)
}

// topicLen is how many bytes WithTopic puts in front. A topic's name holds nothing that JSON escapes.
func topicLen(topic string, seq uint64) int {
	digits := FrameLen(seq, nil) - FrameLen(0, nil) + 1
	return len(topicPrefix) + len(topic) + 2 + len(`,"topic_seq":`) + digits + 1
}

// OfTopic reports whether b, as an outbox holds it, is a topic's frame: no publisher may set a member "topic" (P-2).
func OfTopic(b Body) bool { return bytes.HasPrefix(b, []byte(topicPrefix)) }

// TopicOf returns which frame of which topic b is, as WithTopic made it. The error, a bad_frame, says why it is none.
func TopicOf(b Body) (topic string, seq uint64, err error) {
	topic, seq, _, e := cutTopic(b)
	if e != nil {
		return "", 0, e
	}
	return topic, seq, nil
}

// cutTopic undoes WithTopic; rest is in memory of its own.
func cutTopic(b Body) (topic string, seq uint64, rest Body, err *Error) {
	text, of := bytes.CutPrefix(b, []byte(topicPrefix+`"`))
	name, text, named := bytes.Cut(text, []byte(`","topic_seq":`)) // a topic's name holds no quote
	digits, text, numbered := bytes.Cut(text, []byte{','})
	if !of || !named || !numbered {
		return "", 0, nil, Errorf(CodeBadFrame, "it does not begin with a topic and a topic_seq")
	}
	topic = string(name)
	if bad := CheckTopic(topic); bad != nil && topic != AllTopic {
		return "", 0, nil, Errorf(CodeBadFrame, "%s", AsError(bad).Message)
	}
	seq, ok := parseSeq(digits)
	if !ok || seq == 0 {
		return "", 0, nil, Errorf(CodeBadFrame, "its topic_seq is none")
	}
	return topic, seq, append(Body{'{'}, text...), nil
}

// TopicClosed is the body of a closed topic's last frame, before WithTopic (P-32).
func TopicClosed() Body { return Body(`{"type":"` + TypeTopicClosed + `"}`) }

// Matches reports whether the pattern takes in the topic: "*" any one level, ">" one level or more at the end, and a plain name itself (P-32).
// Both are valid.
func Matches(pattern, topic string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		if p == ">" {
			return true
		}
		t, restT, moreT := strings.Cut(topic, ".")
		if p != "*" && p != t || moreP != moreT {
			return false
		}
		if !moreP {
			return true
		}
		pattern, topic = restP, restT
	}
}

// IsPattern reports whether what is subscribed to is more than one topic's name (P-32).
func IsPattern(s string) bool { return strings.ContainsAny(s, "*>") }

// Subscribed answers a subscribe (P-19). Epoch, Floor and Head are those of the decision; all are absent for a pattern, which has no one log.
type Subscribed struct {
	Type     string  `json:"type"`
	Topic    string  `json:"topic"`
	Epoch    string  `json:"epoch,omitempty"`
	Resume   Resume  `json:"resume"`
	Reason   Reason  `json:"reason,omitempty"`
	Floor    *uint64 `json:"floor,omitempty"`
	Head     *uint64 `json:"head,omitempty"`
	Snapshot bool    `json:"snapshot,omitempty"`
	Closed   bool    `json:"closed,omitempty"`
}

// EncodeSubscribed returns the answer to a subscribe (P-19). Type is set here.
func EncodeSubscribed(s Subscribed) Body {
	s.Type = TypeSubscribed
	return marshal(s)
}

// EncodeUnsubscribed returns the answer to an unsubscribe: no frame that it covered comes after it (P-19).
func EncodeUnsubscribed(topic string) Body {
	return append(appendString([]byte(`{"type":"`+TypeUnsubscribed+`","topic":`), topic), '}')
}

// EncodeTopicSnapshot returns a topic's snapshot as a subscriber gets it (P-9, P-19): EncodeSnapshot with the topic.
func EncodeTopicSnapshot(topic string, asOf uint64, data []byte) Body {
	b := append([]byte(`{"type":"`+TypeSnapshot+`","topic":`), appendString(nil, topic)...)
	b = append(b, `,"as_of":`...)
	b = strconv.AppendUint(b, asOf, 10)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	return append(b, '}')
}

// TopicPublished answers a publish to a topic, its closing, and a broadcast.
type TopicPublished struct {
	Topic     string `json:"topic"`
	Epoch     string `json:"epoch"`
	FirstSeq  uint64 `json:"first_seq"`
	Seq       uint64 `json:"seq"`
	Status    string `json:"status"`
	Duplicate bool   `json:"duplicate"`
}

// TopicPage answers GET /v1/topics/{t}/frames. Frames are as followers get them, without their seq: "topic" and "topic_seq" come first.
type TopicPage struct {
	Topic    string            `json:"topic"`
	Resume   Resume            `json:"resume"`
	Reason   Reason            `json:"reason,omitempty"`
	Epoch    string            `json:"epoch"`
	Floor    uint64            `json:"floor"`
	Head     uint64            `json:"head"`
	Closed   bool              `json:"closed"`
	Snapshot json.RawMessage   `json:"snapshot,omitempty"`
	Frames   []json.RawMessage `json:"frames"`
	Cursor   string            `json:"cursor"`
	More     bool              `json:"more"`
}

// TopicState describes one topic. Followers says who follows it, in byte order of their ids, a page at a time; Cursor asks for the next, "" on the last.
// Both are absent in a list of topics.
type TopicState struct {
	Topic      string     `json:"topic"`
	Epoch      string     `json:"epoch"`
	Floor      uint64     `json:"floor"`
	Head       uint64     `json:"head"`
	Frames     uint64     `json:"frames"`
	Bytes      int64      `json:"bytes"`
	Closed     bool       `json:"closed"`
	LastActive string     `json:"last_active"`
	Followers  []Follower `json:"followers,omitempty"`
	Cursor     string     `json:"cursor,omitempty"`
}

// Follower is a client that follows a topic, by its name or by a pattern.
type Follower struct {
	ClientID string `json:"client_id"`
}

// TopicList is one page of topics. Cursor is "" on the last one.
type TopicList struct {
	Topics []TopicState `json:"topics"`
	Cursor string       `json:"cursor"`
}
