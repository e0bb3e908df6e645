package transport

import (
	"sync"

	"github.com/restante/restante/protocol"
)

// gate decides whether the socket is read. The client's turn, the connection's turn and the reader meet here, so it has a
// lock of its own, held for a few assignments. Where a method returns wake, it has marked the reader as running, and the
// caller has to start one: a reader that is stopped is no goroutine at all, so that a poller can do without one, too.
type gate struct {
	mu      sync.Mutex
	waiting int // messages passed on and not yet handled
	bytes   int // of the messages passed on since waiting was last 0
	opened  bool
	paused  bool // by Peer.Pause
	shut    bool // nothing more is passed on; so there is no bound either, and the socket is read to its end
	ended   bool // nothing will be read any more
	running bool // a reader is at work
	passing bool // the reader is passing a message on
	asked   bool // shut came meanwhile, and the turn waits to hear of the passing's end
}

// full is P-27's bound on what waits to be handled.
func (g *gate) full() bool {
	return g.paused || g.waiting >= protocol.MaxReplies || g.bytes >= protocol.MaxReplyBytes
}

func (g *gate) wake() bool {
	if g.running || g.ended || !g.opened || g.full() && !g.shut {
		return false
	}
	g.running = true
	return true
}

// open lets reading begin.
func (g *gate) open() (wake bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = true
	return g.wake()
}

// pause stops reading, or lets it go on.
func (g *gate) pause(stop bool) (wake bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = stop
	return g.wake()
}

// handled takes n messages off those that wait. Bytes are taken off when none waits any more, which needs no list of sizes.
func (g *gate) handled(n int) (wake bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting = max(g.waiting-n, 0); g.waiting == 0 {
		g.bytes = 0
	}
	return g.wake()
}

// close lets no message pass from here on; whatever comes is read and thrown away. passing says that one is just passing:
// the reader's passed will return told.
func (g *gate) close() (wake, passing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened, g.shut, g.asked = true, true, g.passing
	return g.wake(), g.passing
}

// pass is asked by the reader before it passes on a message of size bytes.
func (g *gate) pass(size int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.passing = true
	g.waiting++
	g.bytes += size
	return true
}

// passed is said by the reader after pass. more: it may parse on. told: the turn waits for it.
func (g *gate) passed() (more, told bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing = false
	return g.shut || !g.full(), g.asked
}

// barred reports whether the reader would be stopped now. It may save what it has before it asks stop.
func (g *gate) barred() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full() && !g.shut
}

// stop is asked by the reader before it reads or parses on; true: it has to end without touching anything, since another one
// may be at work already.
func (g *gate) stop() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full() && !g.shut {
		g.running = false
		return true
	}
	return false
}

// end is the reader's last word: there will be no other.
func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.ended = false, true
}

// finish lets no reader start any more; it reports whether one is running, which will say its last word.
func (g *gate) finish() (running bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	g.ended = g.ended || !g.running
	return g.running
}

// reading reports whether the socket is being read: else silence is not the peer's.
func (g *gate) reading() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}
