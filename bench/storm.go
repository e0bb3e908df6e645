package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// stormMissed is how many frames each client of a storm lacks.
	stormMissed = 100
	// stormTime is what a storm may take.
	stormTime = 90 * time.Second
)

// noticeTime is what a server gets to notice that everybody is gone.
var noticeTime = 2 * time.Second

// fill has the server take per frames for each of so many clients.
func (p *play) fill(clients, per int) error {
	return p.e.call(p.ctx, func(ctx context.Context) error {
		published, err := p.ctl.fill(ctx, p.prefix, clients, per)
		if want := uint64(clients) * uint64(per); err == nil && published != want {
			err = unfinishedf("the server has taken %d frames of %d", published, want)
		}
		return err
	})
}

// storm is ProfileStorm: everybody loses the network, misses frames, and comes back at once.
func (p *play) storm() error {
	p.e.populate(p.prefix, "", p.Clients)
	if err := p.connectAll(0, p.Clients); err != nil {
		return err
	}
	for i := range p.e.clients {
		p.e.clients[i].reset()
	}
	if err := p.passing("everybody is gone", noticeTime); err != nil {
		return err
	}
	if err := p.fill(p.Clients, stormMissed); err != nil {
		return err
	}
	cpu, err := cpuOf(p.PID)
	if err != nil {
		return err
	}
	began, want := p.e.now(), uint64(p.Clients)*stormMissed
	p.e.connect(0, p.Clients)
	missing := func() string {
		return fmt.Sprintf("%d of %d clients were back, and %d of %d frames had come", p.e.attached, p.Clients, p.e.got, want)
	}
	err = p.e.await(p.ctx, stormTime, missing, func() bool {
		p.say("%d are back, %d of %d frames have come", p.e.attached, p.e.got, want)
		return p.e.attached == p.Clients && p.e.got >= want
	})
	p.result.Lost = want - min(want, p.e.got)
	if err != nil {
		return err
	}
	used, err := cpuOf(p.PID)
	if err != nil {
		return err
	}
	f := p.result.Figures
	f[FigureCPUTotal], f[FigureTook], f[FigureDelivered] = used-cpu, float64(p.e.now()-began)/1e9, float64(p.e.got)
	return p.later()
}

// later has one more frame published to everybody who is there: what comes live after a replay comes once as well.
func (p *play) later() error {
	credits, err := p.e.newCreditors()
	if err != nil {
		return err
	}
	before := p.e.got
	if err := p.start(workUnicast, 0); err != nil {
		return err
	}
	credits.give(p.Clients)
	if err := p.rest(before + uint64(p.Clients)); err != nil {
		return err
	}
	return p.e.call(p.ctx, func(ctx context.Context) error {
		_, err := p.ctl.stop(ctx)
		return err
	})
}
