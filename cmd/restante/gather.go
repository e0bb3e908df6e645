package main

import "sync"

// maxGathered and maxGatheredBytes bound what has been read and not been published yet.
const (
	maxGathered      = 4000
	maxGatheredBytes = 2 << 20
)

// gather holds the frames between the reader of the input and the publisher: whatever has come while one call was under way makes
// the next batch. It is safe for one putter and one taker.
type gather struct {
	mu     sync.Mutex
	change sync.Cond
	lines  []frameLine
	bytes  int
	ended  bool
}

func newGather() *gather {
	g := new(gather)
	g.change.L = &g.mu
	return g
}

// put adds l, and waits for room. It reports false when the gathering has ended.
func (g *gather) put(l frameLine) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.ended && (len(g.lines) >= maxGathered || g.bytes >= maxGatheredBytes) {
		g.change.Wait()
	}
	if g.ended {
		return false
	}
	g.lines = append(g.lines, l)
	g.bytes += len(l.body)
	g.change.Broadcast()
	return true
}

// end says that no more will come, or be taken in; what has been gathered can still be taken.
func (g *gather) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	g.change.Broadcast()
}

// take waits for a frame, and returns those that are there, at most frames of them and weighing at most weight unless a single
// one weighs more; nil at the end.
func (g *gather) take(frames, weight int) []frameLine {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.ended && len(g.lines) == 0 {
		g.change.Wait()
	}
	n, used := 0, 0
	for n < len(g.lines) && n < max(frames, 1) {
		if used += g.lines[n].weight(); used > weight && n > 0 {
			break
		}
		g.bytes -= len(g.lines[n].body)
		n++
	}
	if n == 0 {
		return nil
	}
	batch := append([]frameLine(nil), g.lines[:n]...)
	rest := copy(g.lines, g.lines[n:])
	clear(g.lines[rest:])
	g.lines = g.lines[:rest]
	g.change.Broadcast()
	return batch
}

// left is how many frames have been gathered and not been taken.
func (g *gather) left() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.lines)
}
