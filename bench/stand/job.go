package stand

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

var (
	errNoPublisher = errors.New("there is no publisher: POST /bench/start first")
	errPaced       = errors.New("the publisher is paced: credits are for one that was started with rate 0")
)

// tick is what a paced publisher sleeps for.
const tick = time.Millisecond

// job is one publisher: a goroutine that runs until it is ended or the target fails.
type job struct {
	work
	press *press
	clock clock
	frame frame
	topic string
	names names
	next  int // whose turn it is
	turns int // how many frames he has had in this turn
	each  int // how many he gets

	credits atomic.Int64
	wake    chan struct{} // holds one: there are credits, or stopping has been set
	ending  atomic.Bool
	done    chan struct{}

	published uint64 // of the goroutine, until done is closed; so is err
	err       error
}

func newJob(w work, p *press, c clock) *job {
	j := &job{work: w, press: p, clock: c, frame: newFrame(w.Bytes), topic: topic(w.Prefix), each: 1, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if g, ok := p.target.(Gatherer); ok {
		j.each = g.Gather()
	}
	if w.Work == unicast {
		j.names = newNames(w.Prefix, w.Clients)
	}
	return j
}

// credit lets n more be published.
func (j *job) credit(n int) error {
	select {
	case <-j.done:
		return j.err
	default:
	}
	if j.Rate != 0 {
		return errPaced
	}
	j.credits.Add(int64(n))
	j.rouse()
	return nil
}

func (j *job) rouse() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// end stops the goroutine, and returns what has come of it when it has stopped.
func (j *job) end() (uint64, error) {
	j.ending.Store(true)
	j.rouse()
	<-j.done
	return j.published, j.err
}

func (j *job) run() {
	defer close(j.done)
	if j.Rate == 0 {
		j.credited()
	} else {
		j.paced()
	}
}

// credited publishes as credits come.
func (j *job) credited() {
	for range j.wake {
		if n := j.credits.Swap(0); n > 0 && !j.publish(n, -1) || j.ending.Load() {
			return
		}
	}
}

// paced publishes at its rate, counted in ticks. What a tick that was slept through lacks is caught up with at once, and carries the time of that tick.
func (j *job) paced() {
	began := j.clock.now()
	for n := int64(1); ; n++ {
		due := began + n*int64(tick)
		for j.clock.now() < due && !j.ending.Load() {
			j.clock.wait(due)
		}
		if j.ending.Load() || !j.publish(j.until(n)-j.until(n-1), due) {
			return
		}
	}
}

// until is how many frames are published by the end of the n-th tick.
func (j *job) until(n int64) int64 {
	const ticks = int64(time.Second / tick)
	return n/ticks*int64(j.Rate) + n%ticks*int64(j.Rate)/ticks
}

// publish publishes n frames that are due at t; if t is negative, each when it is published. It returns false where the job is to end.
func (j *job) publish(n, t int64) bool {
	if n == 0 {
		return true
	}
	j.press.turn.Lock()
	defer j.press.turn.Unlock()
	var counts []uint32
	if j.Work == unicast {
		counts = j.press.numbers(j.Prefix, j.Clients)
	}
	for ; n > 0 && !j.ending.Load(); n-- {
		due := t
		if due < 0 {
			due = j.clock.now()
		}
		if err := j.one(counts, due); err != nil {
			j.err = fmt.Errorf("the server failed at its publisher's frame %d: %w", j.published+1, err)
			return false
		}
		j.published++
	}
	if err := j.press.flush(); err != nil { // what has been gathered counts as published, also of a job that is ended
		j.err = fmt.Errorf("the server failed after its publisher's frame %d: %w", j.published, err)
		return false
	}
	return n == 0
}

// one publishes one frame, to whose turn it is.
func (j *job) one(counts []uint32, due int64) error {
	if j.Work == fanout {
		return j.press.fanout(j.topic, j.frame, due)
	}
	if err := j.press.unicast(counts, j.next, j.names.id(j.next), j.frame, due); err != nil {
		return err
	}
	if j.turns++; j.turns < j.each {
		return nil
	}
	j.turns = 0
	if j.next++; j.next == j.Clients {
		j.next = 0
	}
	return nil
}
