package actors

import "sync"

// CodeCounter counts by a code's name. Zero is ready for use; it is for rare events, so a lock is enough.
type CodeCounter struct {
	mu sync.Mutex
	n  map[string]int64
}

// Add counts one more of code.
func (c *CodeCounter) Add(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[code]++
}

// Snapshot returns a copy of the counts, by code.
func (c *CodeCounter) Snapshot() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int64, len(c.n))
	for k, v := range c.n {
		out[k] = v
	}
	return out
}
