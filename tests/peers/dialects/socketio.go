package dialects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/bench"
)

// SocketIO is the Dialect of node/socketio.mjs: Engine.IO 4 over WebSocket alone, and Socket.IO 5 in it.
type SocketIO struct {
	// Recovery is for a server that was started with --recovery, which resumes by the library's connectionStateRecovery instead of the application's outbox.
	// Such a server has nothing for a client that has never been there, nor for one that said that it leaves.
	Recovery bool
}

// sioClient is what a client knows besides its cursor: with Recovery the session's secret is in Epoch, and the last event's offset here.
type sioClient struct {
	offset    []byte
	topicSeq  uint64
	followed  bool // it has been told where its topic stands, so there is a cursor in it
	connected bool // CONNECT has been answered on this connection
}

// What packets begin with: a digit for Engine.IO, and for its messages, which are 4, one for Socket.IO.
const (
	eioOpen, eioClose, eioPing, eioMessage, eioNoop     = '0', '1', '2', '4', '6'
	sioConnect, sioDisconnect, sioEvent, sioConnectFail = '0', '1', '2', '4'
)

var (
	eioPong      = []byte("3")
	sioFarewell  = []byte("41")
	sioFrame     = []byte(`["frame",`)
	sioTopic     = []byte(`["topic",`)
	sioFollowing = []byte(`["following",`)
	sioAttached  = []byte(`["attached",`)
)

// Name is the package's, and what the server resumes by where that is not the application's outbox.
func (d SocketIO) Name() string {
	if d.Recovery {
		return "socketio-recovery"
	}
	return "socketio"
}

// Target is the same for all: who the client is comes with CONNECT.
func (SocketIO) Target(*bench.Session) string { return "/socket.io/?EIO=4&transport=websocket" }

// Subprotocol is none.
func (SocketIO) Subprotocol() string { return "" }

// Opened says nothing: the server's open packet comes first.
func (SocketIO) Opened(s *bench.Session) {
	c, ok := s.State.(*sioClient)
	if !ok {
		c = new(sioClient)
		s.State = c
	}
	c.connected = false
}

// Message handles one packet.
func (d SocketIO) Message(s *bench.Session, binary bool, payload []byte) error {
	c, ok := s.State.(*sioClient)
	if binary || !ok || len(payload) == 0 {
		return errors.New("a binary or empty message, or one before the handshake")
	}
	switch rest := payload[1:]; payload[0] {
	case eioOpen:
		return d.connect(s, c)
	case eioPing:
		s.Out = bench.AppendText(s.Out, eioPong)
		return nil
	case eioNoop:
		return nil
	case eioClose:
		return errors.New("the server closed the transport")
	case eioMessage:
		if len(rest) > 0 {
			return d.packet(s, c, rest[0], rest[1:])
		}
	}
	return fmt.Errorf("an unknown packet: %.100q", payload)
}

// connect sends CONNECT with what the client has.
func (d SocketIO) connect(s *bench.Session, c *sioClient) error {
	auth := struct {
		ClientID     string  `json:"client_id"`
		ServerOffset *uint64 `json:"serverOffset,omitempty"`
		Topic        string  `json:"topic,omitempty"`
		TopicOffset  *uint64 `json:"topicOffset,omitempty"`
		PID          string  `json:"pid,omitempty"`
		Offset       string  `json:"offset,omitempty"`
	}{ClientID: s.ID, Topic: s.Topic}
	if d.Recovery {
		auth.PID, auth.Offset = s.Epoch, string(c.offset)
	} else {
		auth.ServerOffset = &s.Seq
		if c.followed {
			auth.TopicOffset = &c.topicSeq
		}
	}
	packet, err := json.Marshal(auth)
	if err != nil {
		return err
	}
	s.Out = bench.AppendText(s.Out, append([]byte{eioMessage, sioConnect}, packet...))
	return nil
}

func (d SocketIO) packet(s *bench.Session, c *sioClient, kind byte, body []byte) error {
	switch kind {
	case sioConnect:
		return d.connected(s, c, body)
	case sioEvent:
		return d.event(s, c, body)
	case sioDisconnect:
		return errors.New("the server disconnected the client")
	case sioConnectFail:
		return fmt.Errorf("the server refused the client: %.200s", body)
	}
	return fmt.Errorf("an unknown packet of kind %q: %.100q", kind, body)
}

// connected is the answer to CONNECT. A session that was recovered has its rooms and what it missed; a new one joins its rooms, and is told of it.
func (d SocketIO) connected(s *bench.Session, c *sioClient, body []byte) error {
	var m struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("the answer to CONNECT: %w", err)
	}
	if m.SID == "" || d.Recovery && m.PID == "" {
		return fmt.Errorf("the answer to CONNECT names no session: %.100q", body)
	}
	c.connected = true
	// A new session is told when its rooms are joined: by "attached" with Recovery, and by "following" of its topic where it had no cursor in that.
	if d.Recovery && m.PID == s.Epoch || !d.Recovery && (s.Topic == "" || c.followed) {
		s.Ready()
	}
	s.Epoch = m.PID
	return nil
}

func (d SocketIO) event(s *bench.Session, c *sioClient, body []byte) error {
	if d.Recovery {
		return d.recoverable(s, c, body)
	}
	frame, topic, following := bytes.HasPrefix(body, sioFrame), bytes.HasPrefix(body, sioTopic), bytes.HasPrefix(body, sioFollowing)
	if !c.connected || !frame && !topic && !following {
		return fmt.Errorf("an event that is unknown or out of place: %.100q", body)
	}
	seq, rest := number(body[bytes.LastIndexByte(body, ',')+1:])
	if string(rest) != "]" {
		return fmt.Errorf("an event without a number: %.100q", body)
	}
	// What the server no longer had shows as a hole: the client goes on behind it, and the engine counts it by the frames' own numbers.
	if following {
		c.topicSeq, c.followed = seq, true
		s.Ready()
		return nil
	}
	last := &s.Seq
	if topic {
		last = &c.topicSeq
	}
	if seq <= *last {
		return fmt.Errorf("number %d after %d: %.100q", seq, *last, body)
	}
	*last = seq
	s.Frame(body)
	return nil
}

// recoverable is an event of a server with connectionStateRecovery: its last argument is an offset. What was missed comes before the answer to CONNECT.
func (SocketIO) recoverable(s *bench.Session, c *sioClient, body []byte) error {
	end := bytes.LastIndexByte(body, '"')
	if end < 0 || string(body[end:]) != `"]` {
		return fmt.Errorf("an event without an offset: %.100q", body)
	}
	begin := bytes.LastIndexByte(body[:end], '"')
	if begin < 1 {
		return fmt.Errorf("an event without an offset: %.100q", body)
	}
	c.offset = append(c.offset[:0], body[begin+1:end]...)
	switch {
	case bytes.HasPrefix(body, sioFrame) || bytes.HasPrefix(body, sioTopic):
		s.Frame(body)
	case bytes.HasPrefix(body, sioAttached) && c.connected:
		s.Ready()
	default:
		return fmt.Errorf("an event that is unknown or out of place: %.100q", body)
	}
	return nil
}

// Leaving disconnects as the library's client does. With Recovery it does not: the session would be gone.
func (d SocketIO) Leaving(s *bench.Session) {
	if !d.Recovery {
		s.Out = bench.AppendText(s.Out, sioFarewell)
	}
}

// Introduced says whether the server keeps frames for who has never been there.
func (d SocketIO) Introduced() bool { return !d.Recovery }

// Publish is the call that an application in another process would make.
func (SocketIO) Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	return publish(client, frames)
}
