package dialects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/restante/restante/bench"
)

// WS is the Dialect of node/ws.mjs, a server on the ws package of npm. It is resumed by a number, and acks nothing: the server keeps the newest frames.
type WS struct{}

// wsClient is what a client of WS knows besides its cursor.
type wsClient struct {
	head, topicHead uint64 // the newest frames when it connected: it is ready when it has them
	topicSeq        uint64
	connected       bool // hello has come on this connection
	ready           bool
	followed        bool // a hello has come for the topic once, so there is a cursor in it
}

var (
	wsHello = []byte(`{"head":`)
	wsFrame = []byte(`{"seq":`)
	wsTopic = []byte(`{"topic":`)
	wsInLog = []byte(`,"topic_seq":`)
)

// Name is the package's.
func (WS) Name() string { return "ws" }

// Target says who the client is, what it has, and what it follows.
func (WS) Target(s *bench.Session) string {
	t := "/ws?client_id=" + url.QueryEscape(s.ID)
	if s.Seq > 0 {
		t += "&since=" + strconv.FormatUint(s.Seq, 10)
	}
	if s.Topic == "" {
		return t
	}
	t += "&topic=" + url.QueryEscape(s.Topic)
	if c, ok := s.State.(*wsClient); ok && c.followed {
		t += "&topic_since=" + strconv.FormatUint(c.topicSeq, 10)
	}
	return t
}

// Subprotocol is none.
func (WS) Subprotocol() string { return "" }

// Opened says nothing: the server's hello comes first.
func (WS) Opened(s *bench.Session) {
	c, ok := s.State.(*wsClient)
	if !ok {
		c = new(wsClient)
		s.State = c
	}
	c.connected, c.ready = false, false
}

// Message handles what the server sends.
func (d WS) Message(s *bench.Session, binary bool, payload []byte) error {
	c, ok := s.State.(*wsClient)
	switch {
	case binary || !ok:
		return errors.New("a binary message, or one before the handshake")
	case !c.connected:
		return d.hello(s, c, payload)
	case bytes.HasPrefix(payload, wsFrame):
		seq, _ := number(payload[len(wsFrame):])
		if seq != s.Seq+1 {
			return fmt.Errorf("seq %d after %d", seq, s.Seq)
		}
		s.Seq = seq
	case bytes.HasPrefix(payload, wsTopic):
		_, rest, _ := bytes.Cut(payload, wsInLog)
		seq, _ := number(rest)
		if seq != c.topicSeq+1 {
			return fmt.Errorf("topic_seq %d after %d", seq, c.topicSeq)
		}
		c.topicSeq = seq
	default:
		return fmt.Errorf("an unknown message: %.100q", payload)
	}
	s.Frame(payload)
	c.attached(s)
	return nil
}

// hello is the first message of a connection. What it says to be lost is skipped: the frames that come have a hole in their numbers then.
func (WS) hello(s *bench.Session, c *wsClient, payload []byte) error {
	if !bytes.HasPrefix(payload, wsHello) {
		return fmt.Errorf("the first message is no hello: %.100q", payload)
	}
	var m struct {
		Head      uint64  `json:"head"`
		Lost      uint64  `json:"lost"`
		TopicHead *uint64 `json:"topic_head"`
		TopicLost uint64  `json:"topic_lost"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	c.connected, c.head = true, m.Head
	s.Seq = skip(s.Seq, m.Head, m.Lost)
	if s.Topic != "" {
		if m.TopicHead == nil {
			return errors.New("hello of a client that follows a topic has no topic_head")
		}
		c.topicHead = *m.TopicHead
		if !c.followed {
			c.topicSeq, c.followed = c.topicHead, true
		}
		c.topicSeq = skip(c.topicSeq, c.topicHead, m.TopicLost)
	}
	c.attached(s)
	return nil
}

// skip is where a cursor stands that the server has found to lack lost frames for good. One that lies ahead comes from another life of the server.
func skip(seq, head, lost uint64) uint64 {
	if seq > head {
		seq = 0
	}
	return seq + lost
}

// attached says that s is ready, once it has what there was when it connected.
func (c *wsClient) attached(s *bench.Session) {
	if !c.ready && s.Seq >= c.head && c.topicSeq >= c.topicHead {
		c.ready = true
		s.Ready()
	}
}

// Leaving says nothing: the close frame is enough.
func (WS) Leaving(*bench.Session) {}

// Introduced is true: an outbox is made by the first frame for it.
func (WS) Introduced() bool { return true }

// Publish is the call that an application in another process would make.
func (WS) Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	return publish(client, frames)
}

// publish is POST /publish of both servers in node/.
func publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	target = "/publish?client_id=" + url.QueryEscape(client)
	if len(frames) == 1 {
		return target, "application/json", frames[0], true
	}
	return target, "application/x-ndjson", bytes.Join(frames, []byte("\n")), true
}

// number is the digits that b begins with, and what comes after them. Without digits it is 0, which is no frame's number.
func number(b []byte) (n uint64, rest []byte) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + uint64(b[i]-'0')
	}
	return n, b[i:]
}
