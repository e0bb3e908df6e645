package stand

import "time"

// clock is the time that frames are stamped with, in nanoseconds, and a way to wait.
type clock interface {
	now() int64
	// wait waits until t, or a little longer.
	wait(t int64)
}

// processClock counts from zero, which is what the machine's clock showed at began. Reading it makes no system call.
type processClock struct {
	zero  int64
	began time.Time
}

func (c *processClock) now() int64 { return c.zero + int64(time.Since(c.began)) }
