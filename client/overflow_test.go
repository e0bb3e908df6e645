package client_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// TestP16_SlowHandlerKeepsItsConnection fills the queue of a handler that takes minutes: pings are answered all the same, and what
// found no room comes by a new attach.
func TestP16_SlowHandlerKeepsItsConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seqs []uint64
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", QueueFrames: 2, Handler: func(_ context.Context, fr client.Frame) error {
			<-step
			seqs = append(seqs, fr.Seq)
			return nil
		}})
		s := live(f)
		go s.frames(8, 20) // one in the handler, two queued, ten without room
		for range 10 {
			time.Sleep(50 * time.Second)
			s.say(`{"type":"ping","head":20}`)
			require.Equal(t, []string{`{"type":"pong"}`}, s.heard())
		}
		require.Equal(t, 1, f.net.tries())
		for range 2 {
			step <- struct{}{}
			synctest.Wait()
		}
		require.Equal(t, 4001, s.closed(), "its place is kept")
		require.Equal(t, []string{`{"type":"ack","seq":9}`}, s.heard())
		s.cut()
		began := time.Now()
		s = f.net.accept()
		require.Equal(t, began, time.Now(), "its own doing is no failure")
		require.Equal(t, "E1:9", s.query.Get("since"), "10 is in the handler")
		close(step)
		s.hello(protocol.ResumeReplay, "E1", 0, 20)
		s.frames(10, 20)
		require.Equal(t, "[8 9 10 11 12 13 14 15 16 17 18 19 20]", fmt.Sprint(seqs))
		f.stop()
		<-f.ended
	})
}

// TestP18_HandlerThatWaitsForAReceipt lets each frame's handler send, while more frames than the queue holds stand before the receipt.
func TestP18_HandlerThatWaitsForAReceipt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var f *fixture
		answered := make(chan error, 1)
		f = start(t, client.Config{Cursor: "E1:7", QueueFrames: 2, Handler: func(ctx context.Context, fr client.Frame) error {
			if fr.Seq == 8 {
				_, err := f.Send(ctx, "user", []byte(`{"type":"heard"}`))
				answered <- err
			}
			return nil
		}})
		s := live(f)
		s.frames(8, 8)
		id := s.oneSend()["id"]
		for seq := uint64(9); seq <= 100; seq++ {
			require.True(t, s.text(frameText(seq)))
		}
		s.say(`{"type":"receipt","id":"%s","status":"stored","epoch":"X","seq":1}`, id)
		require.NoError(t, <-answered)
	})
}

// TestP17_FullQueueThatMovesHoldsTheServerBack shows that a handler which keeps taking frames needs no second attach.
func TestP17_FullQueueThatMovesHoldsTheServerBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		f := start(t, client.Config{Cursor: "E1:7", QueueFrames: 2, Handler: func(context.Context, client.Frame) error {
			time.Sleep(900 * time.Millisecond)
			n++
			return nil
		}})
		s := live(f)
		s.frames(8, 207)
		time.Sleep(5 * time.Second)
		f.stop()
		<-f.ended
		require.Equal(t, 200, n)
		require.Equal(t, 1, f.net.tries())
	})
}

// TestP19_QueueThatEndsInRepeatsIsRefilled lets a queue that has overflowed run empty by frames that are not handed over.
func TestP19_QueueThatEndsInRepeatsIsRefilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", QueueFrames: 2, Handler: func(context.Context, client.Frame) error { <-step; return nil }})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{Since: "X:5"})
		s.subscribed("a", protocol.ResumeUpToDate, "X", 0, 5)
		go func() {
			s.text(frameText(8))
			s.topicFrames("a", 9, 4, 2)
			s.frames(11, 12) // without room
		}()
		time.Sleep(5 * time.Second)
		close(step)
		require.Equal(t, 4001, s.closed())
		s.cut()
		s = f.net.accept()
		require.Equal(t, "E1:10", s.query.Get("since"))
		f.stop()
		<-f.ended
	})
}
