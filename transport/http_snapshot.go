package transport

import "github.com/restante/restante/protocol"

// putSnapshot is PUT /v1/clients/{id}/snapshot: the application's own summary of the client's state, stored with the client (P-9). It creates
// the client where there is none (P-29), and answers with what is stored now, without its data.
func (h *Handler) putSnapshot(c *call) (answer, error) {
	id, err := c.client(VerbSnapshot)
	if err != nil {
		return answer{}, err
	}
	src, err := c.json(h.cfg.MaxMessageBytes + protocol.MessageSlack)
	if err != nil {
		return answer{}, err
	}
	asOf, data, err := parseSnapshot(src, h.cfg.MaxMessageBytes)
	if err != nil {
		return answer{}, err
	}
	stored, err := h.reg.PutSnapshot(c.r.Context(), id, asOf, data)
	if err != nil {
		return answer{}, err
	}
	stored.Data = nil // the caller has it
	return jsonAnswer(stored)
}

// snapshot is GET /v1/clients/{id}/snapshot: looking creates nothing (P-29).
func (h *Handler) snapshot(c *call) (answer, error) {
	id, err := c.client(VerbSnapshot)
	if err != nil {
		return answer{}, err
	}
	stored, err := h.reg.Snapshot(c.r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(stored)
}

// deleteSnapshot is DELETE /v1/clients/{id}/snapshot. The client and its frames stay.
func (h *Handler) deleteSnapshot(c *call) (answer, error) {
	id, err := c.client(VerbSnapshot)
	if err != nil {
		return answer{}, err
	}
	if err := h.reg.DeleteSnapshot(c.r.Context(), id); err != nil {
		return answer{}, err
	}
	return noContent()
}

// parseSnapshot reads the body of a PUT …/snapshot: what the data is as of, and the data in memory of its own, without the white space between its
// tokens. maxMessageBytes bounds the message that a client will get of it (P-20).
func parseSnapshot(src []byte, maxMessageBytes int) (asOf protocol.Cursor, data []byte, err error) {
	found, err := members(src, "as_of", "data")
	if err != nil {
		return asOf, nil, err
	}
	text, present, err := member(found, "as_of")
	if err != nil {
		return asOf, nil, err
	}
	raw, withData := found["data"]
	if !present || !withData {
		return asOf, nil, badRequest(`a snapshot is {"as_of":"epoch:seq","data":…}, both of them`)
	}
	if asOf, err = protocol.ParseCursor(text); err != nil {
		return protocol.Cursor{}, nil, err
	}
	if data, err = protocol.ParseSnapshotData(raw); err != nil {
		return protocol.Cursor{}, nil, err
	}
	if n := protocol.SnapshotLen(asOf.Seq, len(data)); n > maxMessageBytes {
		return protocol.Cursor{}, nil, protocol.Errorf(protocol.CodeTooLarge, "the snapshot makes a message of %d bytes, the limit is %d", n, maxMessageBytes)
	}
	return asOf, data, nil
}
