package bench

import "context"

const (
	// inFlight is how many frames to single clients are published and not received yet; they are let go on by so many at a time.
	inFlight   = 4_000
	creditStep = 100
)

// unicast is ProfileUnicast: frames to each client in turn, as many as the server can bring.
func (p *play) unicast() error {
	p.e.populate(p.prefix, "", p.Clients)
	credits, err := p.e.newCreditors()
	if err != nil {
		return err
	}
	if err := p.connectAll(0, p.Clients); err != nil {
		return err
	}
	owed := 0
	p.e.onFrame = func(_ *client, _ uint64, due int64) {
		p.lat.add(due, p.e.seen)
		if owed++; owed == creditStep && !credits.over {
			owed = 0
			credits.give(creditStep)
		}
	}
	if err := p.start(workUnicast, 0); err != nil {
		return err
	}
	credits.give(inFlight)
	w, err := p.measure()
	if err != nil {
		return err
	}
	p.paid(w)
	credits.over = true
	err = p.finish(1)
	p.lat.into(p.result.Figures)
	return err
}

// start starts the publisher inside the server.
func (p *play) start(kind string, rate int) error {
	return p.e.call(p.ctx, func(ctx context.Context) error {
		return p.ctl.start(ctx, work{Work: kind, Prefix: p.prefix, Clients: p.Clients, Bytes: Frame, Rate: rate})
	})
}
