package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/restante/restante/protocol"
)

// Send puts frame, one JSON object with a string "type" (P-2), into the outbox of the client to, and returns when the broker has
// confirmed it. Until then it is kept in Config.Sends and repeated with its id: after each attach, and with backoff where the
// broker answers overloaded, rate_limited, draining or internal. Sends to one client are under way one at a time and are stored in the order of
// their calls.
//
// The error is a *protocol.Error for what the broker refused for good and for a frame or a name that it would refuse; ErrUnknown
// after 24 h without an answer; ErrTooManySends; what the client ended with. If ctx ends, its error is returned and the send goes
// on: Config.OnSent is told what becomes of it. Send may be called before Run, and waits for it.
func (c *Client) Send(ctx context.Context, to string, frame []byte) (protocol.Receipt, error) {
	if err := protocol.CheckClientID(to); err != nil {
		return protocol.Receipt{}, err
	}
	body, err := protocol.ParseBody(frame, -1) // hello says what the bound is
	if err != nil {
		return protocol.Receipt{}, err
	}
	if err := c.sends.room(); err != nil {
		return protocol.Receipt{}, err
	}
	p := &pending{
		PendingSend: PendingSend{ID: uuid.NewString(), To: to, Frame: body, At: time.Now()},
		done:        make(chan SendResult, 1),
	}
	if err := c.keep(ctx, p); err != nil {
		return protocol.Receipt{}, err
	}
	c.wakeWriter()
	select {
	case r := <-p.done:
		return r.Receipt, r.Err
	case <-ctx.Done():
		return protocol.Receipt{}, ctx.Err()
	}
}

// keep puts p into the store and the list, in the same order in both.
func (c *Client) keep(ctx context.Context, p *pending) error {
	select {
	case c.keeping <- struct{}{}:
		defer func() { <-c.keeping }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.set.Sends.Put(ctx, p.PendingSend); err != nil {
		return fmt.Errorf("client: the send cannot be kept: %w", err)
	}
	if err := c.sends.add(p); err != nil {
		return errors.Join(err, c.set.Sends.Delete(ctx, p.ID))
	}
	return nil
}

// loadSends takes up what an earlier process has left in the store.
func (c *Client) loadSends(ctx context.Context) error {
	c.keeping <- struct{}{}
	defer func() { <-c.keeping }()
	kept, err := c.set.Sends.All(ctx)
	if err != nil {
		return fmt.Errorf("client: the sends that were kept cannot be read: %w", err)
	}
	c.sends.load(kept)
	return nil
}

// finish ends a send: it is forgotten by the store, then those who wait are told.
func (c *Client) finish(p *pending, r protocol.Receipt, err error) {
	if dropped := c.set.Sends.Delete(context.Background(), p.ID); dropped != nil {
		c.report(fmt.Errorf("client: a send that is done cannot be forgotten: %w", dropped))
	}
	result := SendResult{PendingSend: p.PendingSend, Receipt: r, Err: err}
	if p.done != nil {
		p.done <- result
	}
	if c.set.OnSent != nil {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.set.OnSent(result)
	}
}

// receipt reads the broker's answer to a send.
func (c *Client) receipt(raw []byte) {
	var r protocol.Receipt
	if err := json.Unmarshal(raw, &r); err != nil {
		c.report(protocol.Errorf(protocol.CodeBadFrame, "the server sent a receipt that cannot be read: %v", err))
		return
	}
	if p := c.sends.remove(r.ID); p != nil {
		c.finish(p, r, nil)
		c.wakeWriter()
	}
}

// refused reads an error with an id; false if it is no send's.
func (c *Client) refused(e *protocol.Error) bool {
	if retried(e.Code) {
		if !c.sends.again(e.ID, retryAfter(e.RetryAfterMS), time.Now()) {
			return false
		}
		c.wakeWriter()
		return true
	}
	p := c.sends.remove(e.ID)
	if p == nil {
		return false
	}
	c.finish(p, protocol.Receipt{}, e)
	c.wakeWriter()
	return true
}

// expire gives up the sends that have had no answer for 24 h, until ctx ends.
func (c *Client) expire(ctx context.Context) {
	for {
		gone, next := c.sends.expired(time.Now())
		for _, p := range gone {
			c.finish(p, protocol.Receipt{}, ErrUnknown)
		}
		var due <-chan time.Time
		var timer *time.Timer
		if !next.IsZero() {
			timer = time.NewTimer(time.Until(next))
			due = timer.C
		}
		select {
		case <-due:
		case <-c.sends.changed:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
	}
}
