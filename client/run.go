package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

// Run attaches and comes back, by P-22 and P-24, until the client ends; only one Run is allowed. It returns
//   - nil after Close,
//   - ctx's error when ctx has ended: what has been applied is acknowledged and the connection closed with 1000, within a second,
//   - a *StoppedError when the broker has told the client not to come back,
//   - the error of a SendStore that cannot be read at the start.
//
// It returns when the last handler has, and leaves no goroutine behind.
func (c *Client) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer close(c.ended)
	handling, abandon := context.WithCancel(ctx)
	defer abandon()
	if err := c.loadSends(ctx); err != nil {
		c.inbox.close()
		c.stop(err)
		close(c.detached)
		close(c.handled)
		return err
	}
	expiring, stopExpiring := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { c.expire(expiring) })
	all.Go(func() {
		defer close(c.handled)
		if c.set.Handler != nil {
			c.handle(handling)
		}
	})
	all.Go(func() {
		select {
		case <-c.abandoned:
			abandon()
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			c.leave(end)
		case <-expiring.Done():
		}
	})
	err := c.attachLoop(ctx)
	close(c.detached)
	var stopped *StoppedError
	if !errors.As(err, &stopped) {
		c.inbox.close()
	}
	c.stop(err)
	<-c.handled
	stopExpiring()
	all.Wait()
	return err
}

// attachLoop attaches again and again, and returns why it must not any more; nil after Close.
func (c *Client) attachLoop(ctx context.Context) error {
	t := tries{Backoff: c.set.Backoff}
	var after time.Duration
	for {
		if err := c.wait(ctx, max(after, t.next())); err != nil {
			return c.why(ctx)
		}
		o := c.attach(ctx)
		c.inbox.lost()
		if c.isClosing() {
			return c.why(ctx)
		}
		t.ended(o.lived)
		if o.dry {
			t.n = 0 // its own doing, and no more often than the handler empties a queue
		}
		after = o.after
		c.setState(State{Phase: Offline, Code: o.code, Err: o.err})
		switch {
		case !o.code.Stops():
		case o.code == protocol.CloseBadRequest && o.since && o.refused != nil && o.refused.Code == protocol.CodeBadCursor:
			after = 0 // once, since the next attach has no cursor that could be refused
			c.inbox.startOver(ReasonRefused)
			t.n = 0
		default:
			if o.code == protocol.CloseClientDeleted {
				c.inbox.finish() // nobody else will bring what it holds
			} else {
				c.inbox.close()
			}
			return &StoppedError{Code: o.code, Reason: o.refused}
		}
	}
}

// why is what Run returns once the client is closing.
func (c *Client) why(ctx context.Context) error { return ctx.Err() }

func (c *Client) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// wait lets d pass, or less if Online is called; an error ends the client.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if d > 0 {
		c.setState(State{Phase: Waiting, Wait: d})
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.online:
		case <-c.closing:
		case <-ctx.Done():
		}
	}
	if c.isClosing() {
		return ErrClosed
	}
	return ctx.Err()
}

// attach makes one attach and returns when it has ended.
func (c *Client) attach(ctx context.Context) outcome {
	c.setState(State{Phase: Connecting})
	dialing, undial := context.WithCancel(ctx)
	defer undial()
	c.mu.Lock()
	c.undial = undial
	c.mu.Unlock()
	if c.isClosing() {
		return outcome{err: ErrClosed}
	}
	a := &attachment{c: c, from: c.inbox.begin()}
	c.inbox.await(c.subs.lost()...)
	var token string
	if c.set.Token != nil {
		var err error
		if token, err = c.set.Token(dialing); err != nil {
			err = fmt.Errorf("client: no token: %w", err)
			c.report(err)
			return outcome{err: err}
		}
	}
	url := attachURL(c.set.address, c.ClientID(), a.from.since, c.set.Takeover, c.set.Ping)
	conn, early, err := c.set.dial(dialing, url, token)
	if err != nil {
		return c.undialed(err)
	}
	a.link = newLink(conn, early)
	a.link.writer = newWriter(a.link, c.set.WriteTimeout, a)
	return c.serve(a)
}

// undialed is the outcome of an attach that found no connection.
func (c *Client) undialed(err error) outcome {
	o := outcome{err: err}
	var r *refusal
	if errors.As(err, &r) {
		o.refused, o.after = r.reason, r.after
	}
	if !c.isClosing() {
		c.report(err)
	}
	return o
}

// serve reads a connection until it ends. When it returns the connection is closed, and nobody uses it any more.
func (c *Client) serve(a *attachment) outcome {
	l := a.link
	c.mu.Lock()
	c.attaches++
	a.id, c.link = c.attaches, l
	closed := c.closed
	c.mu.Unlock()
	if closed {
		l.writer.end(ending{code: protocol.CloseNormal})
	}
	go l.writer.run()
	var err error
	for err == nil {
		var raw []byte
		if raw, err = l.read(); err == nil {
			err = a.on(raw)
		}
	}
	o := a.ended(err)
	l.end()
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	return o
}
