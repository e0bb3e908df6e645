package dialects

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/restante/restante/bench"
)

// NATS is the dialect of servers/nats: NATS' own protocol in WebSocket messages. A client has an ordered consumer of JetStream for its own frames, as the clients
// of NATS make it: ephemeral, pushed to a subject of its own, without acks, with heartbeats and flow control, made anew after a hole. Its topic is a plain
// subject. Seq is the last sequence of the stream.
type NATS struct{}

// natsClient is what a client knows of its connection.
type natsClient struct {
	inbox    string // what its subjects begin with
	round    int    // of consumers on this connection: sid and names have it
	consumer uint64 // the last sequence of the consumer
	ready    bool
	rest     []byte // what has come of something that is not whole; a message of the protocol may be in several of WebSocket's
}

// natsStream is the server's stream.
const natsStream = "FRAMES"

const (
	// natsTopicSID is that of the topic; those of consumers are above it.
	natsTopicSID = 1
	// natsMost is the longest line or message that is taken, in bytes: the server's own bound.
	natsMost = 1 << 20
)

var (
	natsEnd  = []byte("\r\n")
	natsInfo = []byte("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1,\"lang\":\"bench\",\"version\":\"1\"}\r\nPING\r\n")
	natsPong = []byte("PONG\r\n")
)

// Name is the server's.
func (NATS) Name() string { return "nats" }

// Target is the same for all.
func (NATS) Target(*bench.Session) string { return "/" }

// Subprotocol is none.
func (NATS) Subprotocol() string { return "" }

// Opened says nothing: the server's INFO comes first.
func (NATS) Opened(s *bench.Session) { s.State = &natsClient{inbox: "_INBOX." + rand.Text()} }

// Message handles what has come of the protocol.
func (d NATS) Message(s *bench.Session, binary bool, payload []byte) error {
	c, ok := s.State.(*natsClient)
	if !binary || !ok {
		return errors.New("a text message, or one before the handshake")
	}
	if len(c.rest) > 0 {
		payload = append(c.rest, payload...)
		c.rest = nil
	}
	for len(payload) > 0 {
		n, err := d.operation(s, c, payload)
		if err != nil {
			return fmt.Errorf("%w: %.200q", err, payload)
		}
		if n == 0 {
			c.rest = bytes.Clone(payload)
			return nil
		}
		payload = payload[n:]
	}
	return nil
}

// operation handles one operation, and returns its length: 0 where it is not whole.
func (d NATS) operation(s *bench.Session, c *natsClient, b []byte) (size int, err error) {
	line, body, whole := bytes.Cut(b, natsEnd)
	if !whole {
		if len(b) > natsMost {
			return 0, errors.New("a line without an end")
		}
		return 0, nil
	}
	size = len(line) + len(natsEnd)
	verb, args, _ := bytes.Cut(line, []byte(" "))
	switch string(verb) {
	case "MSG", "HMSG":
		m, n, err := cutNATS(args, body, len(verb) == len("HMSG"))
		if err != nil || n == 0 {
			return 0, err
		}
		return size + n, d.message(s, c, m)
	case "INFO":
		if c.round == 0 {
			s.Out = bench.AppendBinary(s.Out, natsInfo)
			d.attach(s, c)
		}
	case "PING":
		s.Out = bench.AppendBinary(s.Out, natsPong)
	case "PONG", "+OK":
	default:
		return 0, errors.New("an error, or an unknown operation")
	}
	return size, nil
}

// natsMessage is one message.
type natsMessage struct {
	sid              int
	reply            string
	headers, payload []byte
}

// cutNATS reads a message: what stands in its line behind the verb, and what b begins with. size is what it takes of b, 0 while that is not whole.
func cutNATS(args, b []byte, headed bool) (m natsMessage, size int, err error) {
	fields := bytes.Fields(args)
	counts := 1
	if headed {
		counts = 2
	}
	if n := len(fields) - counts; n != 2 && n != 3 {
		return m, 0, errors.New("a message's line with too few or too many fields")
	}
	sid, _ := number(fields[1])
	m.sid = int(sid)
	if len(fields)-counts == 3 {
		m.reply = string(fields[2])
	}
	total, _ := number(fields[len(fields)-1])
	if total > natsMost {
		return m, 0, errors.New("a message that is too long")
	}
	head := uint64(0)
	if headed {
		if head, _ = number(fields[len(fields)-2]); head > total {
			return m, 0, errors.New("headers that are longer than their message")
		}
	}
	if uint64(len(b)) < total+2 {
		return m, 0, nil
	}
	m.headers, m.payload = b[:head], b[head:total]
	return m, int(total) + 2, nil
}

// attach subscribes to the topic, and makes the first consumer.
func (d NATS) attach(s *bench.Session, c *natsClient) {
	if s.Topic != "" {
		s.Out = bench.AppendBinary(s.Out, fmt.Appendf(nil, "SUB t.%s %d\r\n", s.Topic, natsTopicSID))
	}
	d.consume(s, c)
}

// consume makes a consumer that begins after what the client has. There are two sids to it: its frames, and the answer to this.
func (NATS) consume(s *bench.Session, c *natsClient) {
	var out []byte
	if c.round > 0 {
		out = fmt.Appendf(out, "UNSUB %d\r\nUNSUB %d\r\n", c.sid(), c.sid()+1)
	}
	c.round++
	c.consumer = 0
	policy := `"deliver_policy":"all"`
	if s.Seq > 0 {
		policy = fmt.Sprintf(`"deliver_policy":"by_start_sequence","opt_start_seq":%d`, s.Seq+1)
	}
	// Names need no escapes: ids are of the stand's pattern.
	request := fmt.Sprintf(`{"stream_name":%q,"config":{"name":%q,%s,"deliver_subject":"%s.%d","ack_policy":"none","ack_wait":79200000000000,"max_deliver":1,`+
		`"filter_subject":"c.%s","replay_policy":"instant","flow_control":true,"idle_heartbeat":5000000000,"num_replicas":1,"mem_storage":true},"action":""}`,
		natsStream, c.name(), policy, c.inbox, c.sid(), s.ID)
	out = fmt.Appendf(out, "SUB %s.%d %d\r\nSUB %s.%d %d\r\n", c.inbox, c.sid(), c.sid(), c.inbox, c.sid()+1, c.sid()+1)
	out = fmt.Appendf(out, "PUB $JS.API.CONSUMER.CREATE.%s.%s.c.%s %s.%d %d\r\n%s\r\n", natsStream, c.name(), s.ID, c.inbox, c.sid()+1, len(request), request)
	s.Out = bench.AppendBinary(s.Out, out)
}

func (c *natsClient) sid() int { return 2 * c.round }

func (c *natsClient) name() string {
	return strings.TrimPrefix(c.inbox, "_INBOX.") + strconv.Itoa(c.round)
}

func (d NATS) message(s *bench.Session, c *natsClient, m natsMessage) error {
	switch {
	case m.sid == natsTopicSID:
		s.Frame(m.payload)
		return nil
	case m.sid == c.sid()+1:
		return d.created(s, c, m)
	case m.sid != c.sid():
		return nil // of a consumer that is given up
	case len(m.headers) > 0:
		return d.status(s, c, m)
	}
	stream, consumer, err := natsSequences(m.reply)
	if err != nil {
		return err
	}
	if consumer != c.consumer+1 {
		d.consume(s, c)
		return nil
	}
	c.consumer = consumer
	if stream <= s.Seq {
		return fmt.Errorf("sequence %d of the stream after %d", stream, s.Seq)
	}
	s.Seq = stream
	s.Frame(m.payload)
	return nil
}

// created is the answer to the request for a consumer.
func (NATS) created(s *bench.Session, c *natsClient, m natsMessage) error {
	var answer struct {
		Name  string
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.payload, &answer); err != nil {
		return fmt.Errorf("the answer to CONSUMER.CREATE: %w", err)
	}
	if answer.Error != nil || answer.Name == "" {
		return errors.New("the server makes no consumer")
	}
	if !c.ready {
		c.ready = true
		s.Ready()
	}
	return nil
}

// status is a word of the consumer. A request for flow control is answered, as is a heartbeat of a consumer that waits for such an answer. A heartbeat also says
// which message was the last.
func (d NATS) status(s *bench.Session, c *natsClient, m natsMessage) error {
	if !bytes.HasPrefix(m.headers, []byte("NATS/1.0 100")) {
		return errors.New("the consumer has ended")
	}
	to := m.reply
	if stalled := natsHeader(m.headers, "Nats-Consumer-Stalled:"); to == "" {
		to = string(stalled)
	}
	if to != "" {
		s.Out = bench.AppendBinary(s.Out, fmt.Appendf(nil, "PUB %s 0\r\n\r\n", to))
	}
	if last, _ := number(natsHeader(m.headers, "Nats-Last-Consumer:")); last > c.consumer {
		d.consume(s, c)
	}
	return nil
}

// natsHeader is what stands behind a name and its colon; nil where that is not there.
func natsHeader(headers []byte, name string) []byte {
	for line := range bytes.SplitSeq(headers, natsEnd) {
		if v, found := bytes.CutPrefix(line, []byte(name)); found {
			return bytes.TrimSpace(v)
		}
	}
	return nil
}

// natsSequences reads the reply subject of a message of JetStream: $JS.ACK.STREAM.CONSUMER.DELIVERED.SSEQ.CSEQ.TIME.PENDING.
func natsSequences(reply string) (stream, consumer uint64, err error) {
	tokens := strings.Split(reply, ".")
	if len(tokens) != 9 || tokens[0] != "$JS" || tokens[1] != "ACK" {
		return 0, 0, errors.New("a message that is not of a consumer")
	}
	stream, err = strconv.ParseUint(tokens[5], 10, 64)
	if err == nil {
		consumer, err = strconv.ParseUint(tokens[6], 10, 64)
	}
	return stream, consumer, err
}

// Leaving deletes the consumer, as unsubscribing does; else the server would keep it for some seconds.
func (NATS) Leaving(s *bench.Session) {
	if c, ok := s.State.(*natsClient); ok && c.round > 0 {
		s.Out = bench.AppendBinary(s.Out, fmt.Appendf(nil, "UNSUB %d\r\nPUB $JS.API.CONSUMER.DELETE.%s.%s 0\r\n\r\n", c.sid(), natsStream, c.name()))
	}
}

// Introduced is true: the stream takes frames for whoever.
func (NATS) Introduced() bool { return true }

// Publish is not there: NATS is published to by its own protocol.
func (NATS) Publish(string, [][]byte) (target, contentType string, body []byte, ok bool) {
	return "", "", nil, false
}
