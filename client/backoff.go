package client

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Backoff rules the delays between attaches (P-24): the first try is made at once, and before each further one the client waits
// for a random time between zero and a bound that begins with Min and doubles up to Max. The count begins anew when a connection
// has lived for Settle past its replay.
type Backoff struct {
	// Min (0.5 s) is the bound of the second try's delay, Max (30 s) that of late ones.
	Min, Max time.Duration
	// Settle (30 s) is how long a connection must have been live to forget the failures before it.
	Settle time.Duration
}

func (b Backoff) filled() (Backoff, error) {
	if b.Min < 0 || b.Max < 0 || b.Settle < 0 {
		return b, errors.New("client: no part of Backoff can be off")
	}
	if b.Min == 0 {
		b.Min = 500 * time.Millisecond
	}
	if b.Max == 0 {
		b.Max = max(30*time.Second, b.Min)
	}
	if b.Settle == 0 {
		b.Settle = 30 * time.Second
	}
	if b.Max < b.Min {
		return b, errors.New("client: Backoff.Max is less than Backoff.Min")
	}
	return b, nil
}

// tries counts the tries since the last success.
type tries struct {
	Backoff
	n int
}

// next returns the delay before the next try, and counts it.
func (t *tries) next() time.Duration {
	t.n++
	if t.n == 1 {
		return 0
	}
	bound := t.Min
	for i := 2; i < t.n && bound < t.Max; i++ {
		bound *= 2
	}
	return rand.N(min(bound, t.Max) + 1)
}

// ended takes note of a connection that was live for d; 0 for one that never was.
func (t *tries) ended(d time.Duration) {
	if d >= t.Settle {
		t.n = 0
	}
}
