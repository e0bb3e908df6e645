package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// brokenBroker is a broker whose store fails when fail is called. Its Drain takes as long as it may.
type brokenBroker struct {
	failed chan struct{}
	cause  atomic.Pointer[protocol.Error]

	drained time.Duration // how long Drain was given
	closed  bool
}

func (b *brokenBroker) fail() {
	b.cause.Store(protocol.Errorf(protocol.CodeInternal, "the store cannot write to /data: no space left on device; free some and start again"))
	close(b.failed)
}

func (b *brokenBroker) Failed() <-chan struct{} { return b.failed }

func (b *brokenBroker) Err() error {
	if e := b.cause.Load(); e != nil {
		return e
	}
	return nil
}

func (b *brokenBroker) Drain(ctx context.Context) error {
	until, ok := ctx.Deadline()
	if !ok {
		return errors.New("a drain without an end")
	}
	b.drained = time.Until(until)
	<-ctx.Done()
	return ctx.Err()
}

func (b *brokenBroker) Close() error {
	b.closed = true
	return b.Err()
}

// waiting runs the second half of serve with b, and returns what ends it and what it came to.
func waiting(t *testing.T, b *brokenBroker, log *output) (chan os.Signal, <-chan error) {
	signals, done := make(chan os.Signal, 2), make(chan error, 1)
	c := &serveCmd{DrainTime: duration(time.Minute)}
	go func() {
		done <- c.until(b, &http.Server{}, make(chan error), signals, strings.NewReader(""), slog.New(slog.NewTextHandler(log, nil)))
	}()
	synctest.Wait()
	require.Empty(t, done)
	return signals, done
}

// TestP26_AFailedStoreEndsServe: its connections are told to come back later, for a short time, and the exit status is 1 with the cause.
func TestP26_AFailedStoreEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := &brokenBroker{failed: make(chan struct{})}, new(output)
		_, done := waiting(t, b, log)
		b.fail()
		err := <-done
		require.Equal(t, failTime, b.drained)
		require.True(t, b.closed)
		require.Contains(t, log.String(), "the store has failed")
		var stderr strings.Builder
		require.Equal(t, exitFailed, report(err, "restante serve", &stderr))
		require.Equal(t, 1, strings.Count(stderr.String(), "no space left on device"), "the cause, once: %s", &stderr)
	})
}

// A store that fails under a drain has lost what the drain was for: that is no orderly end.
func TestP26_AStoreThatFailsUnderADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokenBroker{failed: make(chan struct{})}
		signals, done := waiting(t, b, new(output))
		signals <- syscall.SIGTERM
		synctest.Wait()
		require.Equal(t, time.Minute, b.drained)
		b.fail()
		require.Equal(t, exitFailed, report(<-done, "restante serve", new(strings.Builder)))
		require.True(t, b.closed)
	})
}

func TestASignalCutsTheEndOfAFailedStoreShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokenBroker{failed: make(chan struct{})}
		signals, done := waiting(t, b, new(output))
		b.fail()
		synctest.Wait()
		begin := time.Now()
		signals <- syscall.SIGTERM
		err := <-done
		require.Zero(t, time.Since(begin))
		require.Equal(t, exitFailed, report(err, "restante serve", new(strings.Builder)), "how it ended is not the signal's doing")
		time.Sleep(failTime) // the fake clock: the drain that nobody waits for ends
	})
}

func TestServeReportsItsListenersEnd(t *testing.T) {
	b := &brokenBroker{failed: make(chan struct{})}
	listening := make(chan error, 1)
	listening <- net.ErrClosed
	err := new(serveCmd).until(b, &http.Server{}, listening, nil, nil, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, net.ErrClosed)
	require.True(t, b.closed)
}
