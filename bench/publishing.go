package bench

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	// publishers is how many HTTP connections publish at once, each of them one call after the other.
	publishers = 64
	// manyFrames is how many frames a call of ProfilePublishMany holds.
	manyFrames = 50
)

var errNoPublish = errors.New("the server takes no frames over HTTP")

func (p *play) publishOne() error { return p.publish(1) }

func (p *play) publishMany() error { return p.publish(manyFrames) }

// publish has frames published over HTTP, per a call, to clients that are connected. Each publisher has clients of its own, so that their frames are in order.
func (p *play) publish(per int) error {
	if _, _, _, ok := p.Dialect.Publish(p.prefix, [][]byte{frameOf(1, 0)}); !ok {
		return unfinished(errNoPublish.Error())
	}
	p.e.populate(p.prefix, "", p.Clients)
	if err := p.connectAll(0, p.Clients); err != nil {
		return err
	}
	p.e.onFrame = func(_ *client, _ uint64, due int64) { p.lat.add(due, p.e.seen) }
	over, pending, published := false, 0, uint64(0)
	frames := make([][]byte, per)
	for w := range min(publishers, p.Clients) {
		at, counts := w, make([]uint64, (p.Clients+publishers-1)/publishers)
		var c *caller
		call := func() error {
			due := p.e.now()
			for i := range frames {
				counts[at/publishers]++
				frames[i] = frameOf(counts[at/publishers], due)
			}
			target, contentType, body, ok := p.Dialect.Publish(p.e.clients[at].ID, frames)
			if !ok {
				return unfinished(errNoPublish.Error())
			}
			if at += publishers; at >= p.Clients {
				at = w
			}
			pending++
			published += uint64(per)
			c.post(p.e.path+target, contentType, body)
			return nil
		}
		c, err := p.e.newCaller(func(status int, answer []byte) error {
			pending--
			if status/100 != 2 {
				return unfinishedf("a publish was answered by %.300q", answer)
			}
			if over {
				return nil
			}
			return call()
		})
		if err != nil {
			return err
		}
		if err := call(); err != nil {
			return err
		}
	}
	w, err := p.measure()
	if err != nil {
		return err
	}
	p.paid(w)
	over = true
	if err := p.e.await(p.ctx, restTime, func() string { return fmt.Sprintf("%d calls had no answer", pending) }, func() bool { return pending == 0 }); err != nil {
		return err
	}
	err = p.rest(published)
	p.lat.into(p.result.Figures)
	return err
}

// frameOf is a frame as the stand makes them.
func frameOf(number uint64, due int64) []byte {
	b := fmt.Appendf(make([]byte, 0, Frame), `{"type":"b","k":"%010d","t":"%019d","p":"`, number, due)
	return append(append(b, bytes.Repeat([]byte("x"), Frame-len(b)-2)...), frameEnd...)
}
