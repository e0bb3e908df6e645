package session

import (
	"time"

	"github.com/restante/restante/protocol"
)

// Message handles one message of connection gen, or the error that it was refused with.
func (s *Session) Message(now time.Duration, gen uint64, m protocol.Message, bad *protocol.Error, fx *Effects) {
	defer s.settle(now, fx)
	a := s.x.find(gen)
	if a == nil && s.x != nil {
		if w := s.x.ending.of(gen); w != nil {
			w.messages = append(w.messages, earlyMessage{m, bad})
			return
		}
	}
	if a == nil || a.closing != 0 {
		fx.event(EventStale, 1)
		return
	}
	a.seen, s.active = now, now
	if bad != nil {
		s.refuse(now, a, bad, fx)
		return
	}
	switch m.Type {
	case protocol.TypeAck:
		s.ack(now, a, m.Seq, fx)
	case protocol.TypePing:
		s.reply(now, a, protocol.EncodePong(), fx)
	case protocol.TypePong:
	case protocol.TypeSend:
		if s.x.drain != nil {
			s.refuse(now, a, s.x.drain.refusal(m.ID), fx)
			return
		}
		a.sending++
		s.pause(a, fx)
		fx.Forwards = append(fx.Forwards, Forward{Gen: gen, To: m.To, ID: m.ID, Frame: m.Frame})
	case protocol.TypeSubscribe:
		s.Subscribe(now, Subscribe{Topic: m.Topic, Since: m.Since, History: m.History, Gen: gen}, fx)
	case protocol.TypeUnsubscribe:
		s.Unsubscribe(now, Subscribe{Topic: m.Topic, Gen: gen}, fx)
	default:
		s.refuse(now, a, UnknownType(m.Type), fx)
	}
}

// Touch notes that the client's own side did something without a connection (P-28).
func (s *Session) Touch(now time.Duration) { s.active = now }

// Outcome is the answer to a Forward of connection gen: a receipt or an error, encoded. It is dropped when the
// connection is gone: the client repeats its send and gets a duplicate's receipt (P-18).
func (s *Session) Outcome(now time.Duration, gen uint64, b protocol.Body, fx *Effects) {
	if a := s.x.find(gen); a != nil && a.closing == 0 {
		a.sending--
		s.reply(now, a, b, fx)
	} else {
		fx.event(EventStale, 1)
	}
	s.settle(now, fx)
}

// refuse answers a message with an error; the 20th of the counted codes within 10 s is the connection's last word (P-20).
func (s *Session) refuse(now time.Duration, a *attachment, e *protocol.Error, fx *Effects) {
	fx.Events = append(fx.Events, Event{Kind: EventRefused, N: 1, Code: e.Code})
	if e.Code.Info().Counts {
		x := a.rarely()
		recent := x.violations[:0]
		for _, t := range x.violations {
			if now-t < protocol.ViolationWindow {
				recent = append(recent, t)
			}
		}
		if x.violations = append(recent, now); len(x.violations) >= protocol.MaxViolations {
			a.closing = protocol.CloseProtocolViolation
		}
	}
	s.reply(now, a, protocol.EncodeError(e), fx)
}

// UnknownType is the refusal of a message that this broker does not know (P-20).
func UnknownType(t string) *protocol.Error {
	return protocol.Errorf(protocol.CodeUnknownType, "this broker does not know messages of type %q", t)
}

func drainingError(id string) *protocol.Error {
	return &protocol.Error{Code: protocol.CodeDraining, Message: "the broker is draining; send it again after reconnecting", ID: id, RetryAfterMS: 1000}
}
