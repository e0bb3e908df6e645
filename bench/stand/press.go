package stand

import (
	"strings"
	"sync"
)

// press numbers frames and hands them to the target. A number is taken and published in one turn, so that each receiver gets its numbers in order whoever
// publishes.
type press struct {
	target Target

	turn    sync.Mutex
	clients map[string][]uint32 // by prefix: the last number of each client
	topics  map[string]uint32   // the last number of each topic
}

// numbers returns the counters of the first n clients of prefix, which the caller may use during its turn only.
func (p *press) numbers(prefix string, n int) []uint32 {
	counts := p.clients[prefix]
	if lacks := n - len(counts); lacks > 0 {
		counts = append(counts, make([]uint32, lacks)...)
		p.clients[prefix] = counts
	}
	return counts
}

// unicast publishes the next frame of one client. counts are those of its prefix.
func (p *press) unicast(counts []uint32, index int, client string, f frame, t int64) error {
	k := counts[index] + 1
	if err := p.target.Unicast(index, client, f.stamp(k, t)); err != nil {
		return err
	}
	counts[index] = k
	return nil
}

// fanout publishes the next frame of a topic.
func (p *press) fanout(topic string, f frame, t int64) error {
	k := p.topics[topic] + 1
	if err := p.target.Fanout(topic, f.stamp(k, t)); err != nil {
		return err
	}
	p.topics[topic] = k
	return nil
}

// flush has a target write what it has gathered.
func (p *press) flush() error {
	if g, ok := p.target.(Gatherer); ok {
		return g.Flush()
	}
	return nil
}

// topic is what the clients of a prefix follow.
func topic(prefix string) string { return strings.TrimSuffix(prefix, "-") }
