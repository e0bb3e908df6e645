package client

import (
	"context"
	"errors"
	"time"

	"github.com/restante/restante/protocol"
)

// farewell bounds the orderly end of a client whose Run was ended by its ctx.
const farewell = time.Second

// stop lets nothing more be sent or subscribed to, and tells the last state.
func (c *Client) stop(err error) {
	if err == nil {
		err = ErrClosed
	}
	c.sends.end(err)
	c.subs.end(err)
	final := State{Phase: Stopped, Err: err}
	var stopped *StoppedError
	switch {
	case errors.As(err, &stopped):
		final.Code = stopped.Code
	case errors.Is(err, ErrClosed):
		final.Err = nil
	}
	c.setState(final)
}

// Close ends the client in order: the handler that runs may finish, what has been applied is acknowledged, the connection is closed with 1000,
// and Run returns nil. If ctx ends before, the handler's ctx is cancelled, the connection is cut and ctx's error returned. A frame that Next
// has returned counts as applied only by the next call of Next.
func (c *Client) Close(ctx context.Context) error {
	if !c.running.Load() {
		c.beginClosing()
		c.inbox.close()
		c.stop(nil)
		return nil
	}
	c.leave(ctx)
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		c.abandonOnce.Do(func() { close(c.abandoned) })
		return ctx.Err()
	}
}

// beginClosing lets nothing more be handed over, and no further attach be made.
func (c *Client) beginClosing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.closing)
		if c.undial != nil {
			c.undial()
		}
	}
}

// leave is the orderly end, within ctx.
func (c *Client) leave(ctx context.Context) {
	c.beginClosing()
	c.inbox.close()
	select {
	case <-c.handled:
	case <-ctx.Done():
	}
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.writer.end(ending{code: protocol.CloseNormal, ack: true})
	}
	select {
	case <-c.detached:
	case <-ctx.Done():
		if l != nil {
			l.conn.Close()
		}
	}
}
