package agent

import (
	"bytes"
	"encoding/json"
)

// Topic is the topic that the session is published to, and ID the client_id of the agent, whom frames are sent to.
const (
	Topic = "session"
	ID    = "agent"
)

// The frames of the session, as they stand in the topic. Numbers of turns, calls, questions and of what people said begin at 1 and are the agent's own.
type (
	// userFrame is what somebody typed, in the order in which the agent took it. Send is the page's own name for it.
	userFrame struct {
		Type   string `json:"type"`
		ID     int    `json:"id"`
		Text   string `json:"text"`
		Device string `json:"device"`
		Send   string `json:"send,omitempty"`
	}
	// turnFrame begins or ends the agent's answer to what the user with that number said.
	turnFrame struct {
		Type  string `json:"type"`
		Turn  int    `json:"turn"`
		State string `json:"state"`
		User  int    `json:"user"`
	}
	// textFrame is a piece of what the agent says; pieces are joined as they are.
	textFrame struct {
		Type string `json:"type"`
		Turn int    `json:"turn"`
		Text string `json:"text"`
	}
	toolFrame struct {
		Type    string   `json:"type"`
		Turn    int      `json:"turn"`
		Call    int      `json:"call"`
		Name    string   `json:"name"`
		Args    []string `json:"args"`
		LimitMS int64    `json:"limit_ms"`
	}
	outputFrame struct {
		Type   string `json:"type"`
		Call   int    `json:"call"`
		Text   string `json:"text"`
		Stream string `json:"stream"`
	}
	progressFrame struct {
		Type  string `json:"type"`
		Call  int    `json:"call"`
		Done  int    `json:"done"`
		Of    int    `json:"of"`
		Label string `json:"label"`
	}
	// doneFrame ends a call. Exit is -1 where there is none, and Error says why. Omitted is how many bytes of output were not shown.
	doneFrame struct {
		Type    string `json:"type"`
		Call    int    `json:"call"`
		Exit    int    `json:"exit"`
		MS      int64  `json:"ms"`
		Error   string `json:"error,omitempty"`
		Omitted int64  `json:"omitted,omitempty"`
	}
	questionFrame struct {
		Type     string   `json:"type"`
		Question int      `json:"question"`
		Turn     int      `json:"turn"`
		Text     string   `json:"text"`
		Choices  []string `json:"choices"`
		Command  string   `json:"command"`
	}
	answeredFrame struct {
		Type     string `json:"type"`
		Question int    `json:"question"`
		Choice   string `json:"choice"`
		Device   string `json:"device"`
	}
	floodFrame struct {
		Type string `json:"type"`
		N    int    `json:"n"`
		Of   int    `json:"of"`
	}
)

// The states of a turn, the choices of a question, the streams of an output, and what a call may end with besides an exit status.
const (
	turnStart   = "start"
	turnDone    = "done"
	turnStopped = "stopped"

	allow = "allow"
	deny  = "deny"

	stdout = "stdout"
	stderr = "stderr"

	errTimeout = "timeout"
	errStopped = "stopped"
)

// encode returns v as compact JSON, with < and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // the shapes above cannot fail
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
