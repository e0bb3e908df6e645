package broker

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
)

// Client is a handle on one client of the broker, from within the process. It costs nothing to make and holds nothing: when
// the client is reaped or deleted, the next call finds or makes its next life. It is safe for concurrent use.
type Client struct {
	b  *Broker
	id string
}

// Client returns the handle of id (P-4). Nothing is created before it is used.
func (b *Broker) Client(id string) *Client { return &Client{b, id} }

// ID is the client_id.
func (c *Client) ID() string { return c.id }

// Publish appends frame to the client's outbox and returns when it is confirmed. frame is copied.
func (c *Client) Publish(ctx context.Context, frame []byte) (protocol.Published, error) {
	body, err := c.body(frame)
	if err != nil {
		return protocol.Published{}, err
	}
	one := [...]protocol.Body{body}
	return c.b.registry.Publish(ctx, c.id, registry.Publish{Bodies: one[:]})
}

// Post is Publish for whoever has no use for the answer: it takes frame and does not wait for the store, though one in memory has usually confirmed it when
// Post returns. Frames that one goroutine posts to a client are stored in that order, also among those that it publishes. The error says what is known at once:
// a frame that P-2 refuses, overloaded, draining. What goes wrong later is counted, as restante_refused_total and restante_dropped_total, and told to nobody.
func (c *Client) Post(frame []byte) error {
	body, err := c.body(frame)
	if err != nil {
		return err
	}
	one := [...]protocol.Body{body}
	return c.b.registry.Post(c.id, one[:])
}

// body checks the handle's name and the frame.
func (c *Client) body(frame []byte) (protocol.Body, error) {
	if err := protocol.CheckClientID(c.id); err != nil {
		return nil, err
	}
	return protocol.ParseBody(frame, c.b.cfg.MaxFrameBytes)
}

// PublishOptions say how to publish. The zero value is a plain publish.
type PublishOptions struct {
	// Key makes a repeat of the same frames with the same key a duplicate (P-18), 1 to 128 characters; "" for none.
	Key string
	// Wait is how far the frames must have come: protocol.StatusStored (also ""), StatusSent or StatusAcked. How long it
	// waits is up to the context.
	Wait string
}

// PublishWith appends frames, all or none, and returns when they have come as far as o says. When ctx ends first, the error is internal
// and the frames may have been stored.
func (c *Client) PublishWith(ctx context.Context, o PublishOptions, frames ...[]byte) (protocol.Published, error) {
	if err := protocol.CheckClientID(c.id); err != nil {
		return protocol.Published{}, err
	}
	p, err := c.b.publish(o, frames)
	if err != nil {
		return protocol.Published{}, err
	}
	return c.b.registry.Publish(ctx, c.id, p)
}

// publish is a call's frames, checked.
func (b *Broker) publish(o PublishOptions, frames [][]byte) (registry.Publish, error) {
	if len(frames) == 0 {
		return registry.Publish{}, protocol.Errorf(protocol.CodeBadRequest, "there is nothing to publish")
	}
	p := registry.Publish{Bodies: make([]protocol.Body, 0, len(frames)), Credential: inProcess, Key: o.Key, Wait: o.Wait}
	for i, f := range frames {
		body, err := protocol.ParseBody(f, b.cfg.MaxFrameBytes)
		if err != nil {
			e := *protocol.AsError(err)
			if len(frames) > 1 {
				e.Line = i + 1
			}
			return registry.Publish{}, &e
		}
		p.Bodies = append(p.Bodies, body)
	}
	return p, nil
}

// message is one of the client's own messages, checked as if it had come over a wire; the reply goes into into, unless that is nil.
func (c *Client) message(ctx context.Context, m protocol.Message, into any) error {
	if err := protocol.CheckClientID(c.id); err != nil {
		return err
	}
	checked, err := protocol.ParseMessage(protocol.AppendMessage(nil, m), c.b.cfg.MaxFrameBytes)
	if err != nil {
		return err
	}
	reply, err := c.b.registry.Message(ctx, c.id, checked)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(reply, into)
}

// inProcess is the credential of the embedding program's idempotency keys.
const inProcess = registry.InProcess

// Send appends frame to another client's outbox with "from" this client, and returns its receipt (P-18). Under id a repeat is stored
// once; "" draws a new id.
func (c *Client) Send(ctx context.Context, to, id string, frame []byte) (protocol.Receipt, error) {
	for _, name := range []string{c.id, to} {
		if err := protocol.CheckClientID(name); err != nil {
			return protocol.Receipt{}, err
		}
	}
	body, err := protocol.ParseBody(frame, c.b.cfg.MaxFrameBytes)
	if err != nil {
		return protocol.Receipt{}, err
	}
	if id == "" {
		id = uuid.NewString()
	}
	return c.b.registry.Send(ctx, c.id, to, id, body)
}

// State describes the client; not_found where there is none.
func (c *Client) State(ctx context.Context) (protocol.State, error) {
	return c.b.registry.State(ctx, c.id)
}

// Delete closes the client's connections with 4504 and forgets it; not_found where there is none.
func (c *Client) Delete(ctx context.Context) error { return c.b.registry.Delete(ctx, c.id) }

// PutSnapshot stores data, one JSON value, as the client's state as of a cursor of the epoch now (P-9): a reader that attaches fresh or too
// late gets it, and then the frames behind it. Acks prune nothing above it while it is stored. data is copied. Errors are
// epoch_mismatch, conflict for a seq below the floor, above the head or below the stored one's, too_large, bad_json.
func (c *Client) PutSnapshot(ctx context.Context, asOf protocol.Cursor, data []byte) error {
	if err := protocol.CheckClientID(c.id); err != nil {
		return err
	}
	compact, err := protocol.ParseSnapshotData(data)
	if err != nil {
		return err
	}
	_, err = c.b.registry.PutSnapshot(ctx, c.id, asOf, compact)
	return err
}

// Snapshot returns the stored snapshot; not_found where there is none.
func (c *Client) Snapshot(ctx context.Context) (protocol.StoredSnapshot, error) {
	return c.b.registry.Snapshot(ctx, c.id)
}

// DeleteSnapshot forgets the stored snapshot; not_found where there is none.
func (c *Client) DeleteSnapshot(ctx context.Context) error {
	return c.b.registry.DeleteSnapshot(ctx, c.id)
}
