package registry

import (
	"context"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// snapshotCall is what a snapshotMail asks for.
type snapshotCall uint8

const (
	putSnapshot snapshotCall = iota
	getSnapshot
	dropSnapshot
)

// get is somebody who waits for the stored snapshot's data.
type get struct {
	token uint64
	to    *waiter
}

// getBit tells the token of a get from those of the session's asks.
const getBit = 1 << 63

// PutSnapshot stores data, one JSON value as protocol.ParseSnapshotData returns it, as clientID's state as of a seq, making the client
// where there is none (P-9, P-29). Errors are epoch_mismatch, conflict, too_large and overloaded.
func (r *Registry) PutSnapshot(ctx context.Context, clientID string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error) {
	flying, e := r.admit([]protocol.Body{data})
	if e != nil {
		return protocol.StoredSnapshot{}, e
	}
	w := &waiter{inFlight: flying}
	c, e := r.tell(clientID, (*client).do, &snapshotMail{to: w, do: putSnapshot, asOf: asOf, data: data})
	if e != nil {
		w.release(r)
	}
	return w.snapshot(ctx, c, e)
}

// Snapshot returns the stored snapshot; not_found where there is none.
func (r *Registry) Snapshot(ctx context.Context, clientID string) (protocol.StoredSnapshot, error) {
	w := new(waiter)
	c, e := r.tellKnown(clientID, (*client).do, &snapshotMail{to: w, do: getSnapshot})
	return w.snapshot(ctx, c, e)
}

// DeleteSnapshot forgets the stored snapshot; not_found where there is none.
func (r *Registry) DeleteSnapshot(ctx context.Context, clientID string) error {
	w := new(waiter)
	c, e := r.tellKnown(clientID, (*client).do, &snapshotMail{to: w, do: dropSnapshot})
	_, err := w.snapshot(ctx, c, e)
	return err
}

func (w *waiter) snapshot(ctx context.Context, c *client, e *protocol.Error) (protocol.StoredSnapshot, error) {
	if e != nil {
		return protocol.StoredSnapshot{}, e
	}
	if _, err := w.wait(ctx, c, 0); err != nil {
		return protocol.StoredSnapshot{}, err
	}
	if w.stored == nil {
		return protocol.StoredSnapshot{}, nil
	}
	return *w.stored, nil
}

// snapshot handles one call for the stored snapshot.
func (c *client) snapshot(now time.Duration, m *snapshotMail, fx *session.Effects) {
	switch m.do {
	case putSnapshot:
		asOf := protocol.Cursor{Epoch: c.session.Epoch().String(), Seq: m.asOf.Seq}
		m.to.stored = &protocol.StoredSnapshot{ClientID: c.id, AsOf: asOf.String()}
		c.session.PutSnapshot(now, m.asOf, m.data, m.to, fx)
	case dropSnapshot:
		c.session.DropSnapshot(now, m.to, fx)
	case getSnapshot:
		asOf, _, data, ok := c.session.Stored()
		switch {
		case !ok:
			m.to.answer(c, noSnapshot())
		case data != nil:
			c.give(m.to, asOf, data, nil)
		default:
			c.more.got++
			token := getBit | c.more.got
			c.more.gets = append(c.more.gets, get{token, m.to})
			c.reg.disk.ReadSnapshot(c, token)
		}
	}
}

// answered passes a snapshot on to whoever asked: the session, or a get.
func (c *client) answered(now time.Duration, m *answeredMail, fx *session.Effects) {
	if m.token&getBit == 0 {
		c.session.Answered(now, m.token, m.asOf, m.data, m.err, fx)
		return
	}
	for i, g := range c.more.gets {
		if g.token == m.token {
			c.more.gets = append(c.more.gets[:i], c.more.gets[i+1:]...)
			c.give(g.to, m.asOf, m.data, m.err)
			return
		}
	}
}

func (c *client) give(to *waiter, asOf uint64, data []byte, err error) {
	switch {
	case err != nil:
		to.answer(c, session.Reply{Err: protocol.AsError(err)})
	case data == nil: // it was dropped while the store was asked
		to.answer(c, noSnapshot())
	default:
		cursor := protocol.Cursor{Epoch: c.session.Epoch().String(), Seq: asOf}
		to.stored = &protocol.StoredSnapshot{ClientID: c.id, AsOf: cursor.String(), Data: data}
		to.answer(c, session.Reply{})
	}
}

// endGets answers those who wait for the snapshot of a life that has ended.
func (c *client) endGets() {
	if c.more == nil || c.more.kept == nil {
		return
	}
	for _, g := range c.more.gets {
		g.to.answer(c, noSnapshot())
	}
	c.more.gets = nil
}

func noSnapshot() session.Reply {
	return session.Reply{Err: protocol.Errorf(protocol.CodeNotFound, "there is no stored snapshot")}
}
