// Package stand is the server's side of the bench: an HTTP handler that the load generator controls a server by, and a publisher within that server. So no
// server is slowed by how frames are brought to it, and each is given the same ones.
package stand

import (
	"net/http"
	"sync"
)

// Target is the server under test, as its publisher sees it. Its methods are called by one goroutine at a time. They must not keep frame after they have
// returned, unless they copy it: it is used again for the next one. An error ends the publishing, and is told to the load generator.
type Target interface {
	// Unicast publishes frame to one client, the index-th of those that are published to, whether it is connected or not.
	Unicast(index int, client string, frame []byte) error
	// Fanout publishes frame to all that follow topic.
	Fanout(topic string, frame []byte) error
}

// Gatherer is a target that takes several frames to one client at a time. The round through the clients then stops at each for Gather frames.
type Gatherer interface {
	Target
	// Gather is how many frames; at least 1.
	Gather() int
	// Flush is called when there is nothing more to publish for now: what has been gathered must go out.
	Flush() error
}

// Handler serves the control calls, all below /bench/, for the server of that name and version. The server mounts it beside its own handler. A publisher that
// was started runs until it is stopped by a call.
func Handler(name, version string, t Target) http.Handler {
	return newStand(name, version, t, newClock()).handler()
}

// stand is what the control calls work on.
type stand struct {
	name, version string
	clock         clock

	mu  sync.Mutex // held while a publisher is replaced or stopped
	job *job       // the publisher under way, or the one that has ended last but was not stopped; nil for none

	press press
}

func newStand(name, version string, t Target, c clock) *stand {
	return &stand{name: name, version: version, clock: c, press: press{target: t, clients: map[string][]uint32{}, topics: map[string]uint32{}}}
}

// start lets a new publisher take the place of the old.
func (s *stand) start(w work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		s.job.end()
	}
	s.job = newJob(w, &s.press, s.clock)
	go s.job.run()
}

// credit lets the publisher publish n more.
func (s *stand) credit(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job == nil {
		return errNoPublisher
	}
	return s.job.credit(n)
}

// stop ends the publisher and returns how many frames it has published: none where there is no publisher.
func (s *stand) stop() (published uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job == nil {
		return 0, nil
	}
	published, err = s.job.end()
	s.job = nil
	return published, err
}
