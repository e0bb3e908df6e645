//go:build !linux

package stand

import "time"

// newClock returns a clock that began with it: no other process knows its zero.
func newClock() clock { return &processClock{began: time.Now()} }

func (c *processClock) wait(t int64) { time.Sleep(time.Duration(t - c.now())) }
