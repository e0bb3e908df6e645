package stand

import (
	"time"

	"golang.org/x/sys/unix"
)

// newClock returns the machine's monotonic clock, which all its processes share. Go's own reads the same one, from a zero that it does not tell: so that is
// found here, as closely as reading both allows.
func newClock() clock {
	c, best := &processClock{}, time.Hour
	for range 100 {
		var ts unix.Timespec
		before := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			panic("the monotonic clock of Linux cannot be read: " + err.Error())
		}
		if took := time.Since(before); took < best {
			c.zero, c.began, best = ts.Nano()-int64(took/2), before, took
		}
	}
	return c
}

// wait sleeps in the kernel: Go's timers are a millisecond late on an idle processor, which is a whole tick.
func (c *processClock) wait(t int64) {
	for ts := unix.NsecToTimespec(t); unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR; {
	}
}
