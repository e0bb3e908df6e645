package main

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// TestP12_TailAcksWhatItHasPrinted attaches, and leaves by a signal: everything printed is acked then.
func TestP12_TailAcksWhatItHasPrinted(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"tail", "tab-1", "--ack", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	for _, frame := range []string{`{"type":"a"}`, `{"type":"b"}`} {
		_, err := b.Publish(t.Context(), "tab-1", []byte(frame))
		require.NoError(t, err)
		require.Contains(t, <-lines, frame[1:])
	}
	c.signals <- syscall.SIGTERM
	require.Equal(t, exitOK, <-done, c.err.String())
	require.Contains(t, c.err.String(), ":2\n")
	require.Eventually(t, func() bool { // the broker reads what the tail has written before it went
		state, err := b.Client("tab-1").State(t.Context())
		return err == nil && state.Acked == 2 && state.Places == 0
	}, 10*time.Second, 5*time.Millisecond)
}

// TestP9_AttachedTailPrintsTheSnapshot prints it as the provider wrote it.
func TestP9_AttachedTailPrintsTheSnapshot(t *testing.T) {
	b, url := realBroker(t, broker.Config{Snapshot: summary})
	for range 3 {
		_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
		require.NoError(t, err)
	}
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"tail", "tab-1", "--ack", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	require.Equal(t, `{"type":"snapshot","as_of":2,"data":{"all":"<before>"}}`+"\n", <-lines)
	require.Equal(t, `{"seq":3,"type":"x"}`+"\n", <-lines)
	c.signals <- syscall.SIGINT
	require.Equal(t, exitOK, <-done, c.err.String())
}

// TestP30_WhatCouldNotBePrintedIsNotAcked has a standard output that takes one line.
func TestP30_WhatCouldNotBePrintedIsNotAcked(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	for range 3 {
		_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
		require.NoError(t, err)
	}
	c := newCommand()
	require.Equal(t, exitFailed, run([]string{"tail", "tab-1", "--ack", "--url", url}, process{out: &narrow{room: 1}, err: &c.err, signals: c.catch}))
	require.Contains(t, c.err.String(), "no room")
	require.Eventually(t, func() bool {
		state, err := b.Client("tab-1").State(t.Context())
		return err == nil && state.Connections == 0 && state.Acked <= 1
	}, 10*time.Second, 5*time.Millisecond)
}

// narrow fails after so many writes.
type narrow struct{ room int }

func (n *narrow) Write(p []byte) (int, error) {
	if n.room--; n.room < 0 {
		return 0, errors.New("no room")
	}
	return len(p), nil
}

// TestP7_AttachedTailSaysWhatWasLost shows a cursor of another epoch.
func TestP7_AttachedTailSaysWhatWasLost(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
	require.NoError(t, err)
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"tail", "tab-1", "--ack", "--since", "other:7", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	require.Equal(t, `{"seq":1,"type":"x"}`+"\n", <-lines)
	require.Contains(t, c.err.String(), "epoch: the cursor cannot be resumed; going on after ")
	c.signals <- syscall.SIGINT
	require.Equal(t, exitOK, <-done, c.err.String())
}

// TestP24_AttachedTailSaysWhenTheBrokerIsAway says each outage once, and its end, as the other tools do.
func TestP24_AttachedTailSaysWhenTheBrokerIsAway(t *testing.T) {
	var said []string
	a := &attached{say: func(f string, args ...any) { said = append(said, fmt.Sprintf(f, args...)) }}
	gone := fmt.Errorf("client: %w", errNetwork)
	a.state(client.State{Phase: client.Connecting})
	a.state(client.State{Phase: client.Live})
	require.Empty(t, said, "nothing was wrong")
	for range 3 {
		a.failed(gone)
		a.state(client.State{Phase: client.Offline, Err: gone})
		a.state(client.State{Phase: client.Waiting, Wait: time.Second})
	}
	a.state(client.State{Phase: client.CatchingUp})
	a.state(client.State{Phase: client.Live})
	a.failed(protocol.Errorf(protocol.CodeInternal, "a word of the broker's"))
	a.state(client.State{Phase: client.Offline, Code: protocol.CloseClientDeleted, Err: errNetwork})
	require.Equal(t, []string{"connection refused; trying again", "the broker answers again", "internal: a word of the broker's"}, said)
}

// TestWindowHoldsForARealReader publishes twenty windows to a reader that acks as libraries do, and stays within a few seconds.
func TestWindowHoldsForARealReader(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	tail, ended := newCommand(), make(chan int)
	lines := make(chan string, 1)
	go func() {
		ended <- run([]string{"tail", "tab-1", "--ack", "--url", url}, process{out: lineChan(lines), err: &tail.err, signals: tail.catch})
	}()
	_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"first"}`))
	require.NoError(t, err)
	require.Contains(t, <-lines, "first")

	const all = 40_000
	input, _ := frames(all)
	pub, published := newCommand(), make(chan int)
	go func() { published <- pub.run(input, "publish", "tab-1", "--url", url) }()
	began := time.Now()
	for range all {
		<-lines
	}
	require.Equal(t, exitOK, <-published, pub.err.String())
	require.Less(t, time.Since(began), 20*time.Second)
	require.NotContains(t, pub.err.String(), "pruned", "the outbox holds a quarter of it")
	tail.signals <- syscall.SIGINT
	require.Equal(t, exitOK, <-ended)
	require.Eventually(t, func() bool {
		state, err := b.Client("tab-1").State(t.Context())
		return err == nil && state.Acked == all+1
	}, 10*time.Second, 5*time.Millisecond)
}
