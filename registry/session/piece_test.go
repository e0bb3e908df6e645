package session_test

import (
	"encoding/json"
	"fmt"

	"github.com/restante/restante/protocol"
)

// piece writes one piece of a batch for a transcript.
func piece(p protocol.Piece) string {
	if p.Seq > 0 {
		return fmt.Sprintf("%d:%s", p.Seq, p.Body)
	}
	var m struct {
		protocol.Hello
		Seq          uint64          `json:"seq"`
		AsOf         uint64          `json:"as_of"`
		Data         json.RawMessage `json:"data"`
		Code         protocol.Code   `json:"code"`
		Message      string          `json:"message"`
		ID           string          `json:"id"`
		RetryAfterMS int64           `json:"retry_after_ms"`
	}
	if err := json.Unmarshal(p.Body, &m); err != nil {
		return "not JSON: " + string(p.Body)
	}
	switch m.Type {
	case protocol.TypeHello:
		return hello(m.Hello)
	case protocol.TypeReplayEnd:
		return fmt.Sprintf("replay_end(%d)", m.Seq)
	case protocol.TypeSnapshot:
		return fmt.Sprintf("snapshot(as_of=%d %s)", m.AsOf, m.Data)
	case protocol.TypeError:
		if m.ID != "" {
			return fmt.Sprintf("error(%s id=%s: %s)", m.Code, m.ID, m.Message)
		}
		return fmt.Sprintf("error(%s: %s)", m.Code, m.Message)
	case protocol.TypeGoaway:
		return fmt.Sprintf("goaway(%dms)", m.RetryAfterMS)
	case protocol.TypePing:
		return fmt.Sprintf("ping(head=%d)", m.Head)
	case protocol.TypePong:
		return "pong"
	}
	return string(p.Body)
}

func hello(h protocol.Hello) string {
	text := fmt.Sprintf("hello{%s", h.Resume)
	if h.Reason != "" {
		text += " reason=" + string(h.Reason)
	}
	text += fmt.Sprintf(" epoch=%s floor=%d head=%d", h.Epoch, h.Floor, h.Head)
	if h.Missed != nil {
		text += fmt.Sprintf(" missed=%d lost=%d", *h.Missed, *h.Lost)
	}
	if h.Snapshot {
		text += " snapshot"
	}
	return text + "}"
}
