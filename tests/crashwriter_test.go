package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// crashWriter is one publisher. By its number it publishes over HTTP, one frame or many a call, with a key or without, or sends over a
// WebSocket. With a key or an id it repeats what was not answered until it is.
type crashWriter struct {
	w      *world
	n      int
	rnd    *rand.Rand
	epochs map[int]string // by client, of the receipts
	calls  int
}

func (p *crashWriter) id() string  { return fmt.Sprintf("p%d", p.n) }
func (p *crashWriter) sends() bool { return p.n%8 >= 6 }
func (p *crashWriter) keyed() bool { return p.n%8 == 2 || p.n%8 == 3 || p.n%8 == 5 }
func (p *crashWriter) many() bool  { return p.n%8 == 4 || p.n%8 == 5 }

func (p *crashWriter) run() error {
	if p.sends() {
		return p.send()
	}
	return p.publish()
}

// call is one call over HTTP.
type call struct {
	client int
	key    string
	frames []string
	answer protocol.Published
	life   int // of the server that answered
}

// publish makes one call after the other until the world's time is over.
func (p *crashWriter) publish() error {
	var last *call
	for p.w.ctx.Err() == nil {
		if last != nil && last.key != "" && last.life != p.w.number() {
			if err := p.repeat(last); err != nil {
				return err
			}
		}
		c := p.next()
		if p.keyed() {
			p.calls++
			c.key = fmt.Sprintf("%s-%d", p.id(), p.calls)
		}
		answered, err := p.call(c)
		if err != nil {
			return err
		}
		if answered {
			last = c
			if err := p.confirm(c.client, len(p.w.ledger.orders[p.n][c.client])-1, c.answer.Epoch, c.answer.FirstSeq); err != nil {
				return err
			}
		}
	}
	return nil
}

// next enters the next call in the ledger, before anybody can have seen it.
func (p *crashWriter) next() *call {
	c := &call{client: p.w.target(p.rnd)}
	count := 1
	if p.many() {
		count += p.rnd.IntN(12)
	}
	from := p.w.ledger.next(p.n, c.client)
	for i := range count {
		c.frames = append(c.frames, deed(p.n, from+i))
	}
	orders := &p.w.ledger.orders[p.n][c.client]
	*orders = append(*orders, order{from: from, count: count})
	return c
}

// confirm enters in the ledger what a receipt says.
func (p *crashWriter) confirm(client, at int, epoch string, first uint64) error {
	if was := p.epochs[client]; was != "" && was != epoch {
		return fmt.Errorf("client %d: the epoch of receipts changed from %s to %s", client, was, epoch)
	}
	p.epochs[client] = epoch
	o := &p.w.ledger.orders[p.n][client][at]
	o.confirmed, o.first = true, first
	p.w.answered()
	return nil
}

// call makes c until it is answered, or once where it has no key. Of one with a key it loses some answers itself.
func (p *crashWriter) call(c *call) (answered bool, err error) {
	for {
		ctx, cancel := p.w.all, context.CancelFunc(func() {})
		if c.key != "" && p.rnd.IntN(40) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(p.rnd.IntN(4000))*time.Microsecond)
		}
		err = p.try(ctx, c)
		lost := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return true, nil
		case p.w.all.Err() != nil:
			return false, nil // the test has failed elsewhere
		case !lost && !broke(err):
			return false, err
		}
		if !lost {
			p.w.again(p.rnd)
		}
		if c.key == "" {
			return false, nil
		}
	}
}

// broke reports whether err is the end of a connection, so that nobody knows what became of the call.
func broke(err error) bool {
	var u *url.Error
	return isEnd(err) || errors.As(err, &u) && !u.Timeout()
}

func (p *crashWriter) try(ctx context.Context, c *call) error {
	id, headers := p.w.readers[c.client].id, []string{"Content-Type", "application/x-ndjson"}
	if len(c.frames) == 1 {
		headers[1] = "application/json"
	}
	if c.key != "" {
		headers = append(headers, "Idempotency-Key", c.key)
	}
	life := p.w.number()
	r, err := p.w.e.try(ctx, "POST", framesPath(id), []byte(strings.Join(c.frames, "\n")), headers...)
	if err != nil {
		return err
	}
	if r.status != 200 {
		return fmt.Errorf("publish to %s: %s", id, r)
	}
	c.answer, c.life = protocol.Published{}, life
	if err := json.Unmarshal(r.body, &c.answer); err != nil {
		return err
	}
	if c.answer.Seq-c.answer.FirstSeq+1 != uint64(len(c.frames)) || c.answer.ClientID != id {
		return fmt.Errorf("publish of %d frames to %s: %s", len(c.frames), id, r)
	}
	if c.answer.Duplicate {
		p.w.repeats.Add(1)
	}
	return nil
}

// repeat makes a call again that an earlier server has answered: it is a duplicate, with the same answer.
func (p *crashWriter) repeat(c *call) error {
	was := c.answer
	answered, err := p.call(c)
	if err != nil || !answered {
		return err
	}
	if got := c.answer; !got.Duplicate || got.Epoch != was.Epoch || got.FirstSeq != was.FirstSeq || got.Seq != was.Seq {
		return fmt.Errorf("a repeat of what was answered with %+v is answered with %+v", was, got)
	}
	return nil
}
