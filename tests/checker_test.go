package tests

import (
	"fmt"
	"strings"
)

// checker is an application that is told each frame once: it drops what it has (P-3), and holds the rest to "exactly once
// and in order", per publisher and per epoch, content included. It belongs to one goroutine.
type checker struct {
	epoch      string
	cursor     uint64
	last       map[int]int // per publisher
	frames     int
	duplicates int
}

// work is what publisher pub sends as its n-th frame for a client: everything in it follows from the two.
func work(pub, n int) string {
	return fmt.Sprintf(`{"type":"work","pub":%d,"n":%d,"pad":"%s"}`, pub, n, strings.Repeat("w", (pub*31+n*17)%400))
}

// hello begins a connection. The epoch must not change: these tests end no life.
func (c *checker) hello(m *message) error {
	switch {
	case c.epoch == "":
		c.epoch, c.last = m.Epoch, map[int]int{}
		c.cursor = m.Floor
		if m.Floor != 0 {
			return fmt.Errorf("the first attach begins at floor %d", m.Floor)
		}
	case c.epoch != m.Epoch:
		return fmt.Errorf("the epoch changed from %s to %s", c.epoch, m.Epoch)
	case m.Resume != "replay" && m.Resume != "up_to_date":
		return fmt.Errorf("attached at %s:%d, told %s", c.epoch, c.cursor, m.Raw)
	}
	return nil
}

// frame takes one sequenced frame.
func (c *checker) frame(m *message) error {
	if m.Seq <= c.cursor {
		c.duplicates++
		return nil
	}
	if m.Seq != c.cursor+1 {
		return fmt.Errorf("%w: the application has %d, then came %d", errHole, c.cursor, m.Seq)
	}
	c.cursor = m.Seq
	if m.N != c.last[m.Pub]+1 {
		return fmt.Errorf("publisher %d: after its frame %d came %d", m.Pub, c.last[m.Pub], m.N)
	}
	c.last[m.Pub] = m.N
	if want := fmt.Sprintf(`{"seq":%d,`, m.Seq) + work(m.Pub, m.N)[1:]; m.Raw != want {
		return fmt.Errorf("frame %d is not what was published: %s", m.Seq, m.Raw)
	}
	c.frames++
	return nil
}
