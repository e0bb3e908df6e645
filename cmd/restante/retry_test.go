package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

var errNetwork = errors.New("connection refused")

func TestP24_RetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		r := &retrier{patience: -1, say: func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }, jitter: func(c time.Duration) time.Duration { return c }}
		var at []time.Duration
		began := time.Now()
		require.NoError(t, r.do(t.Context(), func() error {
			if at = append(at, time.Since(began)); len(at) < 10 {
				return errNetwork
			}
			return nil
		}))
		half := 500 * time.Millisecond
		require.Equal(t, []time.Duration{0, half, 3 * half, 7 * half, 15 * half, 31 * half, 63 * half, 63*half + 30*time.Second, 63*half + 60*time.Second, 63*half + 90*time.Second}, at)
		require.Equal(t, []string{"connection refused; trying again", "the broker answers again"}, said)
	})
}

func TestP30_RetriesWhatMaySucceedLater(t *testing.T) {
	for _, c := range protocol.Codes() {
		synctest.Test(t, func(t *testing.T) {
			r := &retrier{patience: -1, say: func(string, ...any) {}}
			tries := 0
			err := r.do(t.Context(), func() error {
				if tries++; tries == 1 {
					return fmt.Errorf("wrapped: %w", protocol.Errorf(c, "no"))
				}
				return nil
			})
			switch c {
			case protocol.CodeOverloaded, protocol.CodeRateLimited, protocol.CodeDraining, protocol.CodeInternal:
				require.NoError(t, err, c)
			default:
				require.Equal(t, c, protocol.AsError(err).Code)
				require.Equal(t, 1, tries)
			}
		})
	}
}

func TestRetryStaysAwayAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &retrier{patience: -1, say: func(string, ...any) {}, jitter: func(time.Duration) time.Duration { return 0 }}
		began, tries := time.Now(), 0
		require.NoError(t, r.do(t.Context(), func() error {
			if tries++; tries == 1 {
				return &protocol.Error{Code: protocol.CodeOverloaded, RetryAfterMS: 7000}
			}
			return nil
		}))
		require.Equal(t, 7*time.Second, time.Since(began))
	})
}

// TestRetryGivesUp uses the whole of its patience, and has its last try at the end of it.
func TestRetryGivesUp(t *testing.T) {
	for patience, want := range map[time.Duration]string{
		0: "gave up after 0s: ", 200 * time.Millisecond: "gave up after 200ms: ", 2700 * time.Millisecond: "gave up after 2.7s: ", time.Minute: "gave up after 1m0s: ",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &retrier{patience: patience, say: func(string, ...any) {}, jitter: func(c time.Duration) time.Duration { return c }}
			began := time.Now()
			var last time.Duration
			err := r.do(t.Context(), func() error { last = time.Since(began); return errNetwork })
			require.ErrorIs(t, err, errNetwork)
			require.ErrorContains(t, err, want)
			require.Equal(t, patience, last)
			require.Equal(t, patience, time.Since(began))
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(status(130)) })
		r := &retrier{patience: -1, say: func(string, ...any) {}}
		require.Equal(t, status(130), r.do(ctx, func() error { return errNetwork }))
	})
}
