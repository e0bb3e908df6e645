package bench

import "fmt"

// visitors is how many clients of ProfileChurn come and go at once.
const visitors = 64

// churn is ProfileChurn: clients connect with their cursor, and leave as soon as they are there.
func (p *play) churn() error {
	p.e.populate(p.prefix, "", p.Clients)
	for first := 0; first < p.Clients; first += introduced { // so that each has a cursor to come back with
		if err := p.visit(first, min(introduced, p.Clients-first)); err != nil {
			return err
		}
	}
	visits, over := 0, false
	resting := make([]int32, 0, p.Clients) // who is away, the longest first
	p.e.onReady = func(c *client) { c.leave() }
	p.e.onGone = func(c *client, err error) {
		if err != nil {
			p.e.fail(unfinishedf("a connection did not end in order: %v", err))
		}
		visits++
		if resting = append(resting, c.index); !over {
			p.e.connect(int(resting[0]), 1)
			resting = resting[1:]
		}
	}
	for i := visitors; i < p.Clients; i++ {
		resting = append(resting, int32(i))
	}
	p.e.connect(0, min(visitors, p.Clients))
	if err := p.passing("warming up", p.Warmup); err != nil {
		return err
	}
	cpu, err := cpuOf(p.PID)
	if err != nil {
		return err
	}
	before, began := visits, p.e.now()
	if err := p.e.pass(p.ctx, p.Duration); err != nil {
		return err
	}
	used, err := cpuOf(p.PID)
	if err != nil {
		return err
	}
	n, seconds := float64(visits-before), float64(p.e.now()-began)/1e9
	p.result.Figures[FigureCPUVisit], p.result.Figures[FigureRate] = ratio((used-cpu)*1e3, n), n/seconds
	over = true
	return p.e.await(p.ctx, connectTime, func() string { return fmt.Sprintf("%d connections had not ended", p.e.open()) }, func() bool { return p.e.open() == 0 })
}

// open is how many connections there are.
func (e *engine) open() (n int) {
	for i := range e.clients {
		if e.clients[i].fd >= 0 {
			n++
		}
	}
	return n + len(e.dialing)
}
