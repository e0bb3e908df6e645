package transport

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

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

// parseAck reads a protocol.AckRequest. encoding/json alone would fold names by case and take the last of two; here a name
// is matched exactly, the two that count may stand there once, and others are ignored.
func parseAck(src []byte) (Ack, error) {
	if !utf8.Valid(src) || !json.Valid(src) {
		return Ack{}, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON in UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Ack{}, badRequest("the body is not a JSON object")
	}
	seen := map[string]string{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return Ack{}, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON")
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return Ack{}, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON")
		}
		if name != "cursor" && name != "connection_id" {
			continue
		}
		text, isString := value.(string)
		if _, twice := seen[name.(string)]; twice || !isString {
			return Ack{}, badRequest("%s is a string and stands there once", name)
		}
		seen[name.(string)] = text
	}
	return ackOf(seen)
}

func ackOf(members map[string]string) (Ack, error) {
	text, ok := members["cursor"]
	if !ok {
		return Ack{}, badRequest("the cursor is missing")
	}
	cursor, err := protocol.ParseCursor(text)
	if err != nil {
		return Ack{}, err
	}
	connection, ok := members["connection_id"]
	if ok && (connection == "" || len(connection) > maxConnectionID) {
		return Ack{}, badRequest("a connection_id has 1 to %d bytes", maxConnectionID)
	}
	return Ack{Cursor: cursor, ConnectionID: connection}, nil
}
