package janitor

import (
	"time"

	"github.com/restante/restante/protocol"
)

// run is one sweep under way: which shards have been given out, which have answered, and what they said.
type run struct {
	scheduled bool
	began     time.Duration
	armed     time.Duration // what the alarm is set to, 0 for nothing
	spread    time.Duration // shard i is given out at began + i*spread/shards
	shards    int           // how many this run covers; less than all once it is cut short
	all       int
	given     int    // shards [0, given) have been given out
	answered  []bool // by shard
	left      int    // given out and not answered
	report    protocol.Sweep
	waiters   []chan<- protocol.Sweep
}

func newRun(now time.Duration, shards int, spread time.Duration) *run {
	return &run{began: now, spread: spread, shards: shards, all: shards, answered: make([]bool, shards)}
}

// due returns when the next shard is to be given out; there must be one.
func (r *run) due() time.Duration {
	return r.began + r.spread/time.Duration(r.all)*time.Duration(r.given)
}

// give gives out the next shard.
func (r *run) give() int {
	r.given++
	r.left++
	return r.given - 1
}

// answer takes the report of shard i; false if it had answered before.
func (r *run) answer(i int, s protocol.Sweep) bool {
	if r.answered[i] {
		return false
	}
	r.answered[i] = true
	r.left--
	r.report.Reaped += s.Reaped
	r.report.Kept += s.Kept
	r.report.Pruned += s.Pruned
	r.report.Clients += s.Clients
	return true
}

// cut lets the run end with what it has given out.
func (r *run) cut() { r.shards = r.given }

func (r *run) wasCut() bool { return r.shards < r.all }

func (r *run) more() bool { return r.given < r.shards }

func (r *run) ended() bool { return !r.more() && r.left == 0 }
