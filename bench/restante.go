package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/restante/restante/protocol"
)

const (
	// restanteFrames and restanteBytes are after how much a client acks at once, restanteTicks after how many ticks at the latest, about a second each (P-12).
	restanteFrames = 500
	restanteBytes  = 256 << 10
	restanteTicks  = 4
)

// Restante is the Dialect of our own broker.
type Restante struct{}

// attachment is what a Restante client knows of its connection.
type attachment struct {
	unacked, bytes, age int
}

var (
	seqPrefix       = []byte(`{"seq":`)
	pingPrefix      = []byte(`{"type":"ping"`)
	replayEndPrefix = []byte(`{"type":"replay_end"`)
	pongMessage     = protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypePong, History: -1})
)

// Name is the broker's.
func (Restante) Name() string { return "restante" }

// Target attaches with the cursor, where the client has one (P-5).
func (Restante) Target(s *Session) string {
	t := "/v1/ws?client_id=" + url.QueryEscape(s.ID)
	if s.Epoch != "" {
		t += "&since=" + s.Epoch + ":" + strconv.FormatUint(s.Seq, 10)
	}
	return t
}

// Subprotocol is restante.v1.
func (Restante) Subprotocol() string { return protocol.Subprotocol }

// Opened says nothing: hello comes first.
func (Restante) Opened(s *Session) {
	if a, ok := s.State.(*attachment); ok {
		*a = attachment{}
		return
	}
	s.State = new(attachment)
}

// Message handles what the broker sends.
func (r Restante) Message(s *Session, binary bool, payload []byte) error {
	switch {
	case binary:
		return errors.New("a binary message")
	case bytes.HasPrefix(payload, seqPrefix):
		return r.frame(s, payload)
	case bytes.HasPrefix(payload, pingPrefix):
		s.Out = AppendText(s.Out, pongMessage)
		return nil
	case bytes.HasPrefix(payload, replayEndPrefix):
		r.attached(s)
		return nil
	}
	return r.control(s, payload)
}

// frame is a sequenced frame: its seq is the next one (P-3).
func (Restante) frame(s *Session, payload []byte) error {
	seq, i := uint64(0), len(seqPrefix)
	for ; i < len(payload) && payload[i] >= '0' && payload[i] <= '9'; i++ {
		seq = seq*10 + uint64(payload[i]-'0')
	}
	if seq != s.Seq+1 {
		return fmt.Errorf("seq %d after %d", seq, s.Seq)
	}
	s.Seq = seq
	s.Frame(payload)
	a := s.State.(*attachment)
	a.unacked++
	a.bytes += len(payload)
	if a.unacked >= restanteFrames || a.bytes >= restanteBytes {
		a.ack(s)
	}
	return nil
}

// attached is called when the client has what it missed.
func (Restante) attached(s *Session) {
	if s.Topic == "" {
		s.Ready()
		return
	}
	s.Out = AppendText(s.Out, protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypeSubscribe, Topic: s.Topic, History: -1}))
}

func (r Restante) control(s *Session, payload []byte) error {
	var m struct {
		Type, Epoch, Topic string
		Resume             protocol.Resume
		Floor              uint64
		AsOf               uint64 `json:"as_of"`
		Code               protocol.Code
		Message            string
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return err
	}
	switch m.Type {
	case protocol.TypeHello:
		s.Epoch = m.Epoch
		if m.Resume == protocol.ResumeFresh || m.Resume == protocol.ResumeTooOld {
			s.Seq = m.Floor
		}
		if m.Resume == protocol.ResumeUpToDate {
			r.attached(s) // nothing follows but what is new (P-7)
		}
	case protocol.TypeSnapshot:
		if m.Topic == "" {
			s.Seq = m.AsOf
		}
	case protocol.TypeSubscribed:
		s.Ready()
	case protocol.TypeError:
		return fmt.Errorf("%s: %s", m.Code, m.Message)
	}
	return nil
}

// Tick acks what has waited for long enough.
func (Restante) Tick(s *Session) {
	if a, ok := s.State.(*attachment); ok && a.unacked > 0 {
		if a.age++; a.age >= restanteTicks {
			a.ack(s)
		}
	}
}

// Leaving acks what is not acked yet.
func (Restante) Leaving(s *Session) {
	if a, ok := s.State.(*attachment); ok && a.unacked > 0 {
		a.ack(s)
	}
}

// ack acks everything up to the cursor (P-11).
func (a *attachment) ack(s *Session) {
	*a = attachment{}
	s.Out = AppendText(s.Out, protocol.AppendMessage(nil, protocol.Message{Type: protocol.TypeAck, Seq: s.Seq, History: -1}))
}

// Introduced is true: who has never been here has an outbox as soon as something is published to it (P-29).
func (Restante) Introduced() bool { return true }

// Publish is POST /v1/clients/{id}/frames.
func (Restante) Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	target = "/v1/clients/" + url.PathEscape(client) + "/frames"
	if len(frames) == 1 {
		return target, "application/json", frames[0], true
	}
	return target, "application/x-ndjson", append(bytes.Join(frames, []byte("\n")), '\n'), true
}
