package dialects

import (
	"bytes"
	"net/url"

	"github.com/restante/restante/bench"
)

// Floor is the dialect of servers/floor: frames as they are published, and nothing else. It cannot resume.
type Floor struct{}

// Name is the server's.
func (Floor) Name() string { return "floor" }

// Target names the client and what it follows.
func (Floor) Target(s *bench.Session) string {
	q := url.Values{"client_id": {s.ID}}
	if s.Topic != "" {
		q.Set("topic", s.Topic)
	}
	return "/ws?" + q.Encode()
}

// Subprotocol is none.
func (Floor) Subprotocol() string { return "" }

// Opened says nothing.
func (Floor) Opened(*bench.Session) {}

// Message is a frame, or the word that the client may be written to.
func (Floor) Message(s *bench.Session, _ bool, payload []byte) error {
	if bytes.Equal(payload, readyMessage) {
		s.Ready()
		return nil
	}
	s.Frame(payload)
	return nil
}

// Leaving says nothing.
func (Floor) Leaving(*bench.Session) {}

// Introduced is false: nothing is kept for anybody.
func (Floor) Introduced() bool { return false }

// Publish is not there.
func (Floor) Publish(string, [][]byte) (target, contentType string, body []byte, ok bool) {
	return "", "", nil, false
}
