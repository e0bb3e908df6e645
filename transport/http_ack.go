package transport

import (
	"encoding/json"

	"github.com/restante/restante/protocol"
)

// maxAckBytes bounds the body of POST …/ack, and maxConnectionID the connection_id in it: a UUID, with room.
const (
	maxAckBytes     = 4 << 10
	maxConnectionID = 64
)

// ack is POST /v1/clients/{id}/ack; it answers with the client's state after it.
func (h *Handler) ack(c *call) (answer, error) {
	id, err := c.client(VerbAck)
	if err != nil {
		return answer{}, err
	}
	src, err := c.json(maxAckBytes)
	if err != nil {
		return answer{}, err
	}
	a, err := parseAck(src)
	if err != nil {
		return answer{}, err
	}
	state, err := h.reg.Ack(c.r.Context(), id, a)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(state)
}

// parseAck reads a protocol.AckRequest.
func parseAck(src []byte) (Ack, error) {
	found, err := members(src, "cursor", "connection_id")
	if err != nil {
		return Ack{}, err
	}
	text, present, err := member(found, "cursor")
	if err != nil {
		return Ack{}, err
	}
	if !present {
		return Ack{}, badRequest("the cursor is missing")
	}
	cursor, err := protocol.ParseCursor(text)
	if err != nil {
		return Ack{}, err
	}
	connection, err := connectionOf(found)
	if err != nil {
		return Ack{}, err
	}
	return Ack{Cursor: cursor, ConnectionID: connection}, nil
}

// connectionOf returns the connection_id that an ack is for, "" for none.
func connectionOf(found map[string]json.RawMessage) (string, error) {
	id, present, err := member(found, "connection_id")
	if err == nil && present && (id == "" || len(id) > maxConnectionID) {
		err = badRequest("a connection_id has 1 to %d bytes", maxConnectionID)
	}
	return id, err
}
