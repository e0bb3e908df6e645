package transport

import (
	"context"

	"github.com/restante/restante/protocol"
)

// putSnapshot is PUT /v1/clients/{id}/snapshot: the application's own summary of the client's state, stored with the client (P-9). It creates
// the client where there is none (P-29), and answers with what is stored now, without its data.
func (h *Handler) putSnapshot(c *call) (answer, error) {
	id, err := c.client(VerbSnapshot)
	if err != nil {
		return answer{}, err
	}
	return h.storeSnapshot(c, id, h.reg.PutSnapshot)
}

// putTopicSnapshot is PUT /v1/topics/{topic}/snapshot, the same for a topic (P-19).
func (h *Handler) putTopicSnapshot(c *call) (answer, error) {
	topic, err := c.topic(VerbTopicSnapshot)
	if err != nil {
		return answer{}, err
	}
	return h.storeSnapshot(c, topic, h.reg.PutTopicSnapshot)
}

func (h *Handler) storeSnapshot(c *call, name string,
	put func(ctx context.Context, name string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error),
) (answer, error) {
	src, err := c.json(h.cfg.MaxMessageBytes + protocol.MessageSlack)
	if err != nil {
		return answer{}, err
	}
	asOf, data, err := parseSnapshot(src, h.cfg.MaxMessageBytes)
	if err != nil {
		return answer{}, err
	}
	stored, err := put(c.r.Context(), name, asOf, data)
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

// topicSnapshot is GET /v1/topics/{topic}/snapshot. Whoever may read the topic may read it.
func (h *Handler) topicSnapshot(c *call) (answer, error) {
	topic, err := c.topic(VerbReadTopic)
	if err != nil {
		return answer{}, err
	}
	stored, err := h.reg.TopicSnapshot(c.r.Context(), topic)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(stored)
}

// deleteTopicSnapshot is DELETE /v1/topics/{topic}/snapshot. The topic and its log stay.
func (h *Handler) deleteTopicSnapshot(c *call) (answer, error) {
	topic, err := c.topic(VerbTopicSnapshot)
	if err != nil {
		return answer{}, err
	}
	if err := h.reg.DeleteTopicSnapshot(c.r.Context(), topic); err != nil {
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
