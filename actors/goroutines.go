package actors

import "sync"

// goroutines counts what System.Go has started. Unlike a sync.WaitGroup it allows an add while a wait is under way at zero.
type goroutines struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // made by a wait, closed when n falls to zero
}

func (g *goroutines) add() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
}

func (g *goroutines) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// wait returns when none is left.
func (g *goroutines) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	<-idle
}
