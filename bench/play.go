package bench

import (
	"context"
	"fmt"
	"time"
)

// play is one run under way.
type play struct {
	Run
	e      *engine
	ctl    *control
	ctx    context.Context
	lat    *latencies
	prefix string // of the clients' ids; no other run has it
	result Result
	said   int64
}

// topic is what the clients of a fan-out follow, as the stand names it.
func (p *play) topic() string { return p.prefix[:len(p.prefix)-1] }

// say tells how far it is, once a second.
func (p *play) say(format string, args ...any) {
	if now := p.e.now(); p.Say != nil && now-p.said >= int64(time.Second) {
		p.said = now
		p.Say("%s: "+format, append([]any{p.Profile}, args...)...)
	}
}

// connectAll has the clients from first on connect, n of them, and returns when they are ready.
func (p *play) connectAll(first, n int) error {
	want := p.e.attached + n
	p.e.connect(first, n)
	missing := func() string { return fmt.Sprintf("%d of %d clients were not ready", want-p.e.attached, want) }
	return p.e.await(p.ctx, connectTime, missing, func() bool {
		p.say("%d of %d clients are ready", p.e.attached, want)
		return p.e.attached >= want
	})
}

// window is what has been used and got while something was measured.
type window struct {
	cpu     float64 // seconds
	got     uint64
	seconds float64
}

// measure lets what goes on go on for the time of the run, after its warm-up, and returns what the server has used for it. Latencies are those of the frames
// that were due in that time.
func (p *play) measure() (w window, err error) {
	if err := p.passing("warming up", p.Warmup); err != nil {
		return w, err
	}
	cpu, err := cpuOf(p.PID)
	if err != nil {
		return w, err
	}
	got, began := p.e.got, p.e.now()
	p.lat.from, p.lat.to = began, began+int64(p.Duration)
	if err := p.passing("measuring", p.Duration); err != nil {
		return w, err
	}
	used, err := cpuOf(p.PID)
	return window{cpu: used - cpu, got: p.e.got - got, seconds: float64(p.e.now()-began) / 1e9}, err
}

// passing lets d pass, and says how many frames come a second.
func (p *play) passing(what string, d time.Duration) error {
	end := p.e.now() + int64(d)
	last := p.e.got
	p.said = p.e.now()
	return p.e.await(p.ctx, d+time.Minute, func() string { return "time stood still" }, func() bool {
		if now := p.e.now(); now-p.said >= int64(time.Second) {
			p.say("%s: %d frames a second", what, (p.e.got-last)*uint64(time.Second)/uint64(max(now-p.said, 1)))
			last = p.e.got
		}
		return p.e.now() >= end
	})
}

// finish ends the publisher, waits until what it has published has come to each of so many receivers, and counts what has not.
func (p *play) finish(receivers uint64) error {
	var published uint64
	err := p.e.call(p.ctx, func(ctx context.Context) (err error) {
		published, err = p.ctl.stop(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return p.rest(published * receivers)
}

// rest waits until want frames have come in all, and counts what has not. It goes on as long as something comes: who is slow has lost nothing.
func (p *play) rest(want uint64) error {
	got, since := p.e.got, p.e.now()
	missing := func() string { return fmt.Sprintf("%d of %d frames had come", p.e.got, want) }
	err := p.e.await(p.ctx, connectTime, missing, func() bool {
		p.say("%d frames are still to come", want-min(want, p.e.got))
		if p.e.got != got {
			got, since = p.e.got, p.e.now()
		}
		return p.e.got >= want || p.e.now()-since >= int64(restTime)
	})
	if err != nil {
		return err
	}
	p.result.Lost = want - min(want, p.e.got)
	if p.e.got > want {
		return unfinishedf("%d frames have come, and only %d were published", p.e.got, want)
	}
	return nil
}

// paid sets the figures of what was delivered in w.
func (p *play) paid(w window) {
	f := p.result.Figures
	f[FigureCPU], f[FigureRate], f[FigureDelivered] = ratio(w.cpu*1e6, float64(w.got)), ratio(float64(w.got), w.seconds), float64(w.got)
}

// ratio is a/b, 0 where b is.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
