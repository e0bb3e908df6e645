package bench

// The frames of a fan-out that are under way at once.
const fanoutFlight = 4

// rate is ProfileRate: frames to each client in turn, by the clock.
func (p *play) rate() error {
	p.e.populate(p.prefix, "", p.Clients)
	if err := p.connectAll(0, p.Clients); err != nil {
		return err
	}
	p.e.onFrame = func(_ *client, _ uint64, due int64) { p.lat.add(due, p.e.seen) }
	if err := p.start(workUnicast, pacedRate); err != nil {
		return err
	}
	w, err := p.measure()
	if err != nil {
		return err
	}
	p.paid(w)
	err = p.finish(1)
	p.lat.into(p.result.Figures)
	return err
}

// pacedRate is how many frames a second ProfileRate publishes.
const pacedRate = 10_000

// fanout is ProfileFanout: the latencies are each follower's.
func (p *play) fanout() error { return p.toAll(fanoutFlight, false) }

// fanoutOne is ProfileFanoutOne: the latencies are the last follower's.
func (p *play) fanoutOne() error { return p.toAll(1, true) }

// toAll publishes frames to all clients, so many at once: a frame that has reached everybody lets the next one be published.
func (p *play) toAll(flight int, last bool) error {
	p.e.populate(p.prefix, p.topic(), p.Clients)
	credits, err := p.e.newCreditors()
	if err != nil {
		return err
	}
	if err := p.connectAll(0, p.Clients); err != nil {
		return err
	}
	reached := map[uint64]int{} // frames under way, and how many have them
	p.e.onFrame = func(_ *client, number uint64, due int64) {
		n := reached[number] + 1
		if reached[number] = n; n == p.Clients {
			delete(reached, number)
			if !credits.over {
				credits.give(1)
			}
		}
		if !last || n == p.Clients {
			p.lat.add(due, p.e.seen)
		}
	}
	if err := p.start(workFanout, 0); err != nil {
		return err
	}
	credits.give(flight)
	w, err := p.measure()
	if err != nil {
		return err
	}
	p.paid(w)
	credits.over = true
	err = p.finish(uint64(p.Clients))
	p.lat.into(p.result.Figures)
	return err
}
