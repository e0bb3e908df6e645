package demo

import (
	"context"
	"math/rand/v2"
	"time"
)

// fault is one way to break a connection.
type fault int

const (
	faultReset fault = iota
	faultInFrame
	faultStall
	faultHalfClient
	faultHalfServer
	faultRefuse
	faults // how many there are that the proxy does

	// faultKill is not the proxy's: the broker's process is killed, and another started.
	faultKill
)

// killShare is how often a deck holds the kill: so often that there are a few in a run, and not so often that nothing else happens.
const killShare = 2

// chaos breaks the connections of a proxy, at moments and in ways that its seed decides.
type chaos struct {
	proxy *Proxy
	rng   *rand.Rand
	// flowing holds a token when a frame has come through since it was last emptied.
	flowing <-chan struct{}
	// kill kills the broker and returns when another one serves; nil where that is no fault of this run.
	kill func() error
	// beat is the mean time between frames flowing again and the next fault.
	beat time.Duration
	deck []fault
}

func newChaos(p *Proxy, seed uint64, flowing <-chan struct{}, beat time.Duration) *chaos {
	return &chaos{proxy: p, rng: rand.New(rand.NewPCG(seed, 0)), flowing: flowing, beat: beat}
}

// next draws the next fault: a deck of all is used up before the next one is shuffled. It holds each kind of the proxy's once.
func (c *chaos) next() fault {
	if len(c.deck) == 0 {
		for i := range faults {
			c.deck = append(c.deck, i)
		}
		for range killShare {
			if c.kill != nil {
				c.deck = append(c.deck, faultKill)
			}
		}
		c.rng.Shuffle(len(c.deck), func(i, j int) { c.deck[i], c.deck[j] = c.deck[j], c.deck[i] })
	}
	f := c.deck[0]
	c.deck = c.deck[1:]
	return f
}

// run goes on until ctx ends, and leaves the proxy whole. It lets frames flow before each fault. The error is of a broker that did not come back.
func (c *chaos) run(ctx context.Context) error {
	defer func() {
		c.proxy.Stall(false)
		c.proxy.Refuse(false)
	}()
	for {
		c.settle()
		if !c.awaitFlow(ctx) || !sleep(ctx, c.between(0, 2*c.beat)) {
			return nil
		}
		f := c.next()
		if f != faultKill {
			c.strike(ctx, f)
		} else if err := c.kill(); err != nil {
			return err
		}
	}
}

// awaitFlow waits for a frame, but not for long: a program that says little is cut while it is silent. false: ctx has ended.
func (c *chaos) awaitFlow(ctx context.Context) bool {
	timer := time.NewTimer(c.beat)
	defer timer.Stop()
	select {
	case <-c.flowing:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// settle forgets what has flowed so far.
func (c *chaos) settle() {
	select {
	case <-c.flowing:
	default:
	}
}

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)+1))
}

// strike lets the proxy break the connection in one way. Each ends with every connection of that moment gone.
func (c *chaos) strike(ctx context.Context, f fault) {
	const short = 100 * time.Millisecond
	switch f {
	case faultReset:
		c.proxy.Cut()
	case faultInFrame:
		before := c.proxy.Cuts()
		c.proxy.CutInFrame(1 + c.rng.IntN(12))
		for range 20 { // frames come all the time; if none does, the reset below has to do
			if !sleep(ctx, short/2) || c.proxy.Cuts() > before {
				return
			}
		}
		c.proxy.Cut()
	case faultStall:
		c.proxy.Stall(true)
		sleep(ctx, c.between(short, 5*short))
		c.proxy.Cut()
		c.proxy.Stall(false)
	case faultHalfClient:
		c.proxy.HalfClose(ToClient)
		sleep(ctx, c.between(short, 2*short))
		c.proxy.Finish()
	case faultHalfServer:
		c.proxy.HalfClose(ToServer)
		sleep(ctx, c.between(short, 2*short))
		c.proxy.Finish()
	case faultRefuse:
		c.proxy.Refuse(true)
		c.proxy.Cut()
		sleep(ctx, c.between(short, 3*short))
		c.proxy.Refuse(false)
	}
}

// sleep waits for d; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
