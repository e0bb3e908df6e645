package dialects

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/restante/restante/bench"
)

// HandRolled is the dialect of servers/handrolled: a client's own frames are {"seq":N,"data":{…}}, a topic's {"topic":T,"topic_seq":M,"data":{…}}, and {"ready":true}
// says that what was missed has come.
type HandRolled struct{}

// Name is the server's.
func (HandRolled) Name() string { return "handrolled" }

// Target names the client, what it has, and what it follows.
func (HandRolled) Target(s *bench.Session) string {
	q := url.Values{"client_id": {s.ID}, "since": {strconv.FormatUint(s.Seq, 10)}}
	if s.Topic != "" {
		q.Set("topic", s.Topic)
	}
	return "/ws?" + q.Encode()
}

// Subprotocol is none.
func (HandRolled) Subprotocol() string { return "" }

// Opened says nothing.
func (HandRolled) Opened(*bench.Session) {}

var (
	readyMessage = []byte(`{"ready":true}`)
	ownFrame     = []byte(`{"seq":`)
)

// Message handles a frame or the word that all is there.
func (HandRolled) Message(s *bench.Session, binary bool, payload []byte) error {
	if bytes.Equal(payload, readyMessage) {
		s.Ready()
		return nil
	}
	s.Seq++ // a topic's frames count among the client's, and do not say as which
	if own, is := bytes.CutPrefix(payload, ownFrame); is || binary {
		if seq, _ := number(own); seq != s.Seq {
			return fmt.Errorf("not frame %d, which is next: %.100q", s.Seq, payload)
		}
	}
	s.Frame(payload)
	return nil
}

// Leaving says nothing.
func (HandRolled) Leaving(*bench.Session) {}

// Introduced is true: a publish makes the client.
func (HandRolled) Introduced() bool { return true }

// Publish is POST /publish, one frame a call.
func (HandRolled) Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	if len(frames) != 1 || !json.Valid(frames[0]) {
		return "", "", nil, false
	}
	return "/publish?client_id=" + url.QueryEscape(client), "application/json", frames[0], true
}
