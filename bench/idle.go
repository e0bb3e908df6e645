package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// warmClients connect and leave before memory is looked at: what a server makes once is not what a connection costs.
	warmClients = 200
)

// settleTime is what a server gets before it is asked to settle.
var settleTime = 3 * time.Second

// memory is what a server occupies.
type memory struct{ resident, heap int64 }

// memory has the server give back what it can, and looks.
func (p *play) memory() (m memory, err error) {
	if err := p.passing("settling", settleTime); err != nil {
		return m, err
	}
	err = p.e.call(p.ctx, func(ctx context.Context) (err error) {
		m.heap, err = p.ctl.settle(ctx)
		return err
	})
	if err == nil {
		m.resident, err = residentOf(p.PID)
	}
	return m, err
}

// per sets the figures of what has come on since, for each of n.
func (p *play) per(before, after memory, n int) {
	p.result.Figures[FigureRSSPer] = float64(after.resident-before.resident) / float64(n)
	if after.heap > 0 {
		p.result.Figures[FigureHeapPer] = float64(after.heap-before.heap) / float64(n)
	}
}

// visit has n clients from first on connect and leave in order.
func (p *play) visit(first, n int) error {
	if err := p.connectAll(first, n); err != nil {
		return err
	}
	left := 0
	p.e.onGone = func(_ *client, err error) {
		if left++; err != nil {
			p.e.fail(unfinishedf("a connection did not end in order: %v", err))
		}
	}
	defer func() { p.e.onGone = nil }()
	for i := first; i < first+n; i++ {
		p.e.clients[i].leave()
	}
	return p.e.await(p.ctx, connectTime, func() string { return fmt.Sprintf("%d of %d had left", left, n) }, func() bool { return left >= n })
}

// idle is ProfileIdle: connections that nothing is sent to.
func (p *play) idle() error {
	p.e.populate(p.prefix, "", warmClients+p.Clients)
	if err := p.visit(0, warmClients); err != nil {
		return err
	}
	before, err := p.memory()
	if err != nil {
		return err
	}
	if err := p.connectAll(warmClients, p.Clients); err != nil {
		return err
	}
	after, err := p.memory()
	if err != nil {
		return err
	}
	p.per(before, after, p.Clients)
	return nil
}
