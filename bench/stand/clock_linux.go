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

// wait sleeps in the kernel: Go's timers are a millisecond late on an idle processor, which is a whole tick. The kernel's own are late by the thread's slack,
// which is 50 µs unless something else is said, and a goroutine may be on another thread each time.
func (c *processClock) wait(t int64) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // where it is refused, frames are a little later than their time
	for ts := unix.NsecToTimespec(t); unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR; {
	}
}
