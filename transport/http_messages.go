package transport

import (
	"encoding/json"
	"net/http"

	"github.com/restante/restante/protocol"
)

// message is POST /v1/clients/{id}/messages: one of the client's own messages, for readers without a WebSocket. It needs the
// same rights as on a connection: to speak as the client, and what the message itself asks for (P-25).
func (h *Handler) message(c *call) (answer, error) {
	id, err := c.client(VerbMessage)
	if err != nil {
		return answer{}, err
	}
	src, err := c.json(h.cfg.MaxFrameBytes + protocol.MessageSlack)
	if err != nil {
		return answer{}, err
	}
	m, err := protocol.ParseMessage(src, h.cfg.MaxFrameBytes)
	if err != nil {
		return answer{}, err
	}
	if err := c.mayMessage(id, m); err != nil {
		return answer{}, err
	}
	reply, err := c.say(id, m, src)
	if err != nil {
		return answer{}, withID(err, m.ID)
	}
	if reply == nil {
		return noContent()
	}
	if e := errorReply(reply); e != nil {
		return answer{}, e
	}
	return answer{status: http.StatusOK, contentType: typeJSON, body: reply}, nil
}

// say hands m over. An ack may name the connection that it is for, which a socket's need not: without it a stream of events would hold its place where
// it began, and nothing that it has acked would go (P-11).
func (c *call) say(id string, m protocol.Message, src []byte) (reply []byte, err error) {
	if m.Type != protocol.TypeAck {
		return c.h.reg.Message(c.r.Context(), id, m)
	}
	found, err := members(src, "connection_id")
	if err != nil {
		return nil, err
	}
	connection, err := connectionOf(found)
	switch {
	case err != nil:
		return nil, err
	case connection == "":
		return c.h.reg.Message(c.r.Context(), id, m)
	}
	_, err = c.h.reg.Ack(c.r.Context(), id, Ack{Cursor: protocol.Cursor{Seq: m.Seq}, ConnectionID: connection})
	return nil, err
}

// mayMessage asks for the right that m needs besides that of speaking as the client: none follows from another.
func (c *call) mayMessage(id string, m protocol.Message) error {
	var err error
	switch m.Type {
	case protocol.TypeSend:
		err = c.also(VerbSend, m.To)
	case protocol.TypeSubscribe:
		if err = c.also(VerbSubscribe, m.Topic); err != nil {
			e := *protocol.AsError(err)
			e.Topic = m.Topic
			err = &e
		}
	case protocol.TypeAck:
		err = c.also(VerbAck, id)
	}
	return withID(err, m.ID)
}

// withID names the message that err is about, where err does not.
func withID(err error, id string) error {
	e, ok := err.(*protocol.Error)
	if !ok || id == "" || e.ID != "" {
		return err
	}
	named := *e
	named.ID = id
	return &named
}

// errorReply returns a reply of type error as the error that it is, nil for any other reply.
func errorReply(reply []byte) error {
	var m struct {
		Type         string        `json:"type"`
		Code         protocol.Code `json:"code"`
		Message      string        `json:"message"`
		ID           string        `json:"id"`
		Topic        string        `json:"topic"`
		RetryAfterMS int64         `json:"retry_after_ms"`
	}
	if json.Unmarshal(reply, &m) != nil || m.Type != "error" {
		return nil
	}
	return &protocol.Error{Code: m.Code, Message: m.Message, ID: m.ID, Topic: m.Topic, RetryAfterMS: m.RetryAfterMS}
}
