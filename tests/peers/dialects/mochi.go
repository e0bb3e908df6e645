package dialects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/restante/restante/bench"
)

// Mochi is the dialect of servers/mochi: MQTT 3.1.1 in WebSocket messages. A client has a session that stays when it is away, subscribes once, with QoS 1, and acks
// each frame by itself at once, as MQTT's clients do. It has no cursor: what is not acked the server sends again.
type Mochi struct{}

// mqttClient is what a client knows of its connection.
type mqttClient struct {
	asked bool   // it has sent SUBSCRIBE
	ready bool   // it has its session, and so its subscriptions
	quiet int    // ticks since it has said that it is there
	rest  []byte // what has come of a packet that is not whole
}

// Kinds of packets: the upper half of the first byte.
const (
	mqttConnect, mqttConnack, mqttPublish, mqttPuback, mqttSubscribe, mqttSuback, mqttPingreq, mqttPingresp, mqttDisconnect = 1, 2, 3, 4, 8, 9, 12, 13, 14
)

const (
	// mqttKeepalive is after how many seconds of silence the server may take a client for gone (it waits half as long again), and mqttQuiet after how many ticks
	// the client says that it is there.
	mqttKeepalive, mqttQuiet = 60, 50
	// mqttMost is the longest packet that is taken, in bytes.
	mqttMost = 1 << 20
)

// Name is the server's.
func (Mochi) Name() string { return "mochi" }

// Target is the same for all.
func (Mochi) Target(*bench.Session) string { return "/" }

// Subprotocol is that of MQTT.
func (Mochi) Subprotocol() string { return "mqtt" }

// Opened sends CONNECT.
func (Mochi) Opened(s *bench.Session) {
	s.State = new(mqttClient)
	b := mqttString(nil, "MQTT")
	b = append(b, 4, 0, 0, mqttKeepalive) // 3.1.1; a session that stays
	s.Out = bench.AppendBinary(s.Out, mqttPacket(mqttConnect<<4, mqttString(b, s.ID)))
}

// mqttPacket is a packet of less than 128 bytes, or of more.
func mqttPacket(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

func mqttString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// Message handles what has come. A packet may be in several messages, and a message may hold several.
func (d Mochi) Message(s *bench.Session, isBinary bool, payload []byte) error {
	c, ok := s.State.(*mqttClient)
	if !isBinary || !ok {
		return errors.New("a text message, or one before the handshake")
	}
	if len(c.rest) > 0 {
		payload = append(c.rest, payload...)
		c.rest = nil
	}
	for len(payload) > 1 {
		length, n := binary.Uvarint(payload[1:min(len(payload), 5)]) // of at most four bytes
		if length > mqttMost || n < 0 || n == 0 && len(payload) >= 5 {
			return fmt.Errorf("a packet that is too long: %.20x", payload)
		}
		end := 1 + n + int(length)
		if n == 0 || end > len(payload) {
			break
		}
		if err := d.packet(s, c, payload[0], payload[1+n:end]); err != nil {
			return fmt.Errorf("%w: %.100x", err, payload[:end])
		}
		payload = payload[end:]
	}
	if len(payload) > 0 {
		c.rest = bytes.Clone(payload)
	}
	return nil
}

func (d Mochi) packet(s *bench.Session, c *mqttClient, first byte, body []byte) error {
	switch first >> 4 {
	case mqttConnack:
		if len(body) != 2 || body[1] != 0 || c.ready || c.asked {
			return errors.New("the server has refused the client")
		}
		if body[0]&1 != 0 {
			c.attached(s) // the session has the subscriptions
			return nil
		}
		c.subscribe(s)
	case mqttSuback:
		want := 3
		if s.Topic != "" {
			want++
		}
		if len(body) != want || body[2] != 1 || body[want-1] != 1 || !c.asked || c.ready {
			return errors.New("the server has refused a subscription")
		}
		c.attached(s)
	case mqttPublish:
		return d.frame(s, first, body)
	case mqttPingresp:
	default:
		return errors.New("a packet that a server does not send")
	}
	return nil
}

func (c *mqttClient) attached(s *bench.Session) {
	c.ready = true
	s.Ready()
}

// subscribe asks for what is for the client, and for its topic.
func (c *mqttClient) subscribe(s *bench.Session) {
	c.asked = true
	b := append(mqttString([]byte{0, 1}, "c/"+s.ID), 1)
	if s.Topic != "" {
		b = append(mqttString(b, "t/"+s.Topic), 1)
	}
	s.Out = bench.AppendBinary(s.Out, mqttPacket(mqttSubscribe<<4|2, b))
}

// frame is one frame: its topic, its id, and what was published. One that has come before may come again, with another id even: who counts sees it.
func (Mochi) frame(s *bench.Session, first byte, body []byte) error {
	const qosBits, qosOne = 0x06, 0x02
	if first&qosBits != qosOne || len(body) < 2 {
		return errors.New("a frame without QoS 1")
	}
	at := 2 + int(binary.BigEndian.Uint16(body))
	if len(body) < at+2 {
		return errors.New("a frame that is too short")
	}
	s.Out = bench.AppendBinary(s.Out, []byte{mqttPuback << 4, 2, body[at], body[at+1]})
	s.Frame(body[at+2:])
	return nil
}

// Tick says that the client is there.
func (Mochi) Tick(s *bench.Session) {
	c, ok := s.State.(*mqttClient)
	if !ok {
		return
	}
	if c.quiet++; c.quiet >= mqttQuiet {
		c.quiet = 0
		s.Out = bench.AppendBinary(s.Out, []byte{mqttPingreq << 4, 0})
	}
}

// Leaving disconnects. The session stays.
func (Mochi) Leaving(s *bench.Session) {
	s.Out = bench.AppendBinary(s.Out, []byte{mqttDisconnect << 4, 0})
}

// Introduced is false: a session is there once its client has been.
func (Mochi) Introduced() bool { return false }

// Publish is not there: MQTT is published to by its own protocol.
func (Mochi) Publish(string, [][]byte) (target, contentType string, body []byte, ok bool) {
	return "", "", nil, false
}
