package bench

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
)

// caller is one HTTP connection that stays open. Requests on it may be sent before earlier ones are answered. The engine's goroutine owns it.
type caller struct {
	e     *engine
	id    int32
	fd    int
	full  bool // the socket was full, or is not connected yet
	out   []byte
	early []byte // what has come of an answer that is not whole
	// pending is how many requests have no answer yet.
	pending int
	// answered is told of each answer; an error of it ends the run.
	answered func(status int, answer []byte) error
}

// newCaller opens a connection.
func (e *engine) newCaller(answered func(status int, answer []byte) error) (*caller, error) {
	fd, err := e.poll.dial(netip.Addr{}, e.to)
	if err != nil {
		return nil, err
	}
	c := &caller{e: e, id: int32(-1 - len(e.callers)), fd: fd, full: true, answered: answered}
	e.callers = append(e.callers, c)
	return c, e.poll.watch(fd, c.id, 0, true)
}

// post sends a request. The body may be used again when it returns.
func (c *caller) post(target, contentType string, body []byte) {
	b := append(c.out, "POST "...)
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.e.host...)
	if contentType != "" {
		b = append(b, "\r\nContent-Type: "...)
		b = append(b, contentType...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.out = append(b, body...)
	c.pending++
	c.flush()
}

func (c *caller) flush() {
	if c.full || len(c.out) == 0 {
		return
	}
	n, err := c.e.poll.write(c.fd, c.out)
	if err != nil && err != errBlocked {
		c.e.fail(unfinishedf("the HTTP connection ended: %v", err))
		return
	}
	n = max(n, 0)
	c.out = c.out[:copy(c.out, c.out[n:])]
	if len(c.out) > 0 {
		c.full = true
		if err := c.e.poll.rewatch(c.fd, c.id, 0, true); err != nil {
			c.e.fail(err)
		}
	}
}

func (c *caller) event(ev *event) {
	if ev.out {
		c.full = false
		c.flush()
		if !c.full {
			if err := c.e.poll.rewatch(c.fd, c.id, 0, false); err != nil {
				c.e.fail(err)
			}
		}
	}
	if ev.in {
		if err := c.receive(); err != nil {
			c.e.fail(err)
		}
	}
}

func (c *caller) receive() error {
	if len(c.early)+readSize/2 > len(c.e.buf) {
		return unfinishedf("an HTTP answer is longer than %d bytes", len(c.early))
	}
	kept := copy(c.e.buf, c.early)
	n, err := c.e.poll.read(c.fd, c.e.buf[kept:])
	switch {
	case err == errBlocked:
		return nil
	case err == nil && n == 0:
		err = io.EOF
	}
	if err != nil {
		return unfinishedf("the HTTP connection ended: %v", err)
	}
	b := c.e.buf[:kept+n]
	for len(b) > 0 {
		status, size, err := cutAnswer(b)
		if err != nil {
			return unfinishedf("%v", err)
		}
		if size == 0 {
			break
		}
		if c.pending--; c.pending < 0 {
			return unfinishedf("the server answers what nobody has asked")
		}
		if err := c.answered(status, b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	c.early = append(c.early[:0], b...)
	return nil
}

// creditors lets the publisher inside the server go on, over two connections in turn.
type creditors struct {
	all  [2]*caller
	next int
	over bool // the publisher is being stopped: that it takes no more is no fault
}

var errCredit = errors.New("the server has not taken a credit")

func (e *engine) newCreditors() (*creditors, error) {
	cr := new(creditors)
	for i := range cr.all {
		c, err := e.newCaller(func(status int, answer []byte) error {
			if status != 204 && !cr.over {
				return unfinishedf("%v: %.300q", errCredit, answer)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		cr.all[i] = c
	}
	return cr, nil
}

// give lets n more frames be published.
func (cr *creditors) give(n int) {
	cr.all[cr.next].post(fmt.Sprintf("/bench/credit?n=%d", n), "", nil)
	cr.next = (cr.next + 1) % len(cr.all)
}
