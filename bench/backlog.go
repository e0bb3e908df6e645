package bench

const (
	// backlogPer is how many frames each client of ProfileBacklog has waiting, offlinePer each of ProfileOffline.
	backlogPer = 100
	offlinePer = 1
	// sampled is how many of them come afterwards for what is theirs.
	sampled = 100
)

func (p *play) backlog() error { return p.waiting(backlogPer, p.Clients*backlogPer) }

func (p *play) offline() error { return p.waiting(offlinePer, p.Clients) }

// waiting has frames kept for clients that are away, and looks what each of n things has cost: frames, or clients. Some of the clients then come for their frames:
// what is counted has to be there.
func (p *play) waiting(per, n int) error {
	sample := min(sampled, p.Clients)
	known := sample
	if !p.Dialect.Introduced() {
		known = p.Clients
	}
	p.e.populate(p.prefix, "", known)
	if !p.Dialect.Introduced() {
		for first := 0; first < known; first += introduced {
			if err := p.visit(first, min(introduced, known-first)); err != nil {
				return err
			}
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
	p.e.connect(0, sample)
	return p.rest(uint64(sample) * uint64(per))
}

// introduced is how many clients are introduced at once.
const introduced = 1000
