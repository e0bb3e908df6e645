package bench

const (
	// backlogPer is how many frames each client of ProfileBacklog has waiting, offlinePer each of ProfileOffline.
	backlogPer = 100
	offlinePer = 1
	// sampled is how many of them come afterwards for what is theirs, one in so many of all.
	sampled = 1_000
)

func (p *play) backlog() error { return p.waiting(backlogPer, p.Clients*backlogPer) }

func (p *play) offline() error { return p.waiting(offlinePer, p.Clients) }

// waiting has frames kept for clients that are away, and looks what each of n things has cost: frames, or clients. Some of the clients then come for their frames:
// what is counted has to be there.
func (p *play) waiting(per, n int) error {
	p.e.populate(p.prefix, "", p.Clients)
	for first := 0; first < p.Clients && !p.Dialect.Introduced(); first += introduced {
		if err := p.visit(first, min(introduced, p.Clients-first)); err != nil {
			return err
		}
	}
	before, err := p.memory()
	if err != nil {
		return err
	}
	if err := p.fill(p.Clients, per); err != nil {
		return err
	}
	after, err := p.memory()
	if err != nil {
		return err
	}
	p.per(before, after, n)
	sample := min(sampled, p.Clients)
	for i := range sample {
		p.e.connect(i*p.Clients/sample, 1)
	}
	err = p.rest(uint64(sample) * uint64(per))
	p.result.Figures[FigureDelivered] = float64(p.e.got)
	return err
}

// introduced is how many clients are introduced at once.
const introduced = 1000
