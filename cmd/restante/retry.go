package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/restante/restante/protocol"
)

// The backoff between tries: full jitter below a ceiling that doubles (P-24).
const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// retrier repeats a call until it succeeds, is refused for good, or has failed for too long.
type retrier struct {
	// patience is how long a call may go on failing; negative: for ever.
	patience time.Duration
	// say tells the user that something failed and is tried again; once for each row of failures.
	say func(format string, args ...any)
	// jitter picks a delay below its argument; nil means at random.
	jitter func(ceiling time.Duration) time.Duration
}

// do calls f until it succeeds. It returns f's last error, or why ctx ended.
func (r *retrier) do(ctx context.Context, f func() error) error {
	began := time.Now()
	for n := 0; ; n++ {
		err := f()
		switch {
		case err == nil:
			if n > 0 {
				r.say("the broker answers again")
			}
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !retryable(err):
			return err
		}
		delay := r.delay(n, err)
		if r.patience >= 0 {
			left := r.patience - time.Since(began)
			if left <= 0 {
				return fmt.Errorf("gave up after %s: %w", roughly(time.Since(began)), err)
			}
			delay = min(delay, left) // the last try comes at the end of the patience, not before it
		}
		if n == 0 {
			r.say("%v; trying again", err)
		}
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// roughly rounds d as far as somebody who waited for it cares.
func roughly(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// delay is how long to stay away after the n-th failure in a row, counted from 0.
func (r *retrier) delay(n int, err error) time.Duration {
	ceiling := lastBackoff
	if n < 6 { // 0.5 s doubled six times is above the ceiling
		ceiling = firstBackoff << n
	}
	jitter := r.jitter
	if jitter == nil {
		jitter = rand.N[time.Duration]
	}
	var e *protocol.Error
	if errors.As(err, &e) && e.RetryAfterMS > 0 {
		return min(time.Duration(e.RetryAfterMS)*time.Millisecond, lastBackoff) + jitter(firstBackoff)
	}
	return jitter(ceiling)
}

// sleep waits for d, or returns why ctx ended before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
