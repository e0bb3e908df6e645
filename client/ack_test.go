package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func TestP12_AcksEveryIntervalWhileThereIsSomethingNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.frames(8, 9)
		require.Empty(t, s.heard(), "nothing is hurried")
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":9}`}, s.heard())
		time.Sleep(20 * time.Second)
		require.Empty(t, s.heard(), "nothing new, nothing said")
		s.frames(10, 10)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":10}`}, s.heard())
	})
}

func TestP12_AckIntervalIsHellos(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 8, func(h *protocol.Hello) { h.AckIntervalMS = 1000 })
		s.frames(8, 8)
		time.Sleep(time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
	})
}

func TestP12_AcksThoughNoConnectionLivesForTheInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", Backoff: client.Backoff{Min: time.Millisecond, Max: time.Millisecond}})
		began := time.Now()
		quiet := began // when the broker was last told everything
		acks, told := 0, uint64(7)
		for seq := uint64(7); seq < 27; {
			s := f.net.accept()
			require.Equal(t, fmt.Sprintf("E1:%d", seq), s.query.Get("since"))
			s.hello(protocol.ResumeUpToDate, "E1", 0, seq)
			seq++
			s.frames(seq, seq)
			time.Sleep(2500 * time.Millisecond)
			for _, text := range s.heard() {
				m, err := protocol.ParseMessage([]byte(text), 0)
				require.NoError(t, err)
				require.Equal(t, protocol.TypeAck, m.Type)
				require.Greater(t, m.Seq, told, "nothing is acked twice")
				require.LessOrEqual(t, m.Seq, seq, "nothing is acked ahead")
				acks, told, quiet = acks+1, m.Seq, time.Now()
			}
			require.Less(t, time.Since(quiet), 7600*time.Millisecond, "an interval, and the connection that hears it")
			s.cut()
		}
		require.InDelta(t, time.Since(began)/(5*time.Second), acks, 3, "no more often than the interval says, either")
		require.GreaterOrEqual(t, told, uint64(25))
	})
}

func TestP12_OverdueAckWaitsForNothingButHello(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", Backoff: client.Backoff{Min: time.Hour, Max: time.Hour}})
		s := live(f)
		s.frames(8, 8)
		require.Empty(t, s.heard())
		s.cut()
		time.Sleep(10 * time.Second)
		f.Online()
		s = f.net.accept()
		require.Empty(t, s.heard(), "not before hello")
		s.hello(protocol.ResumeUpToDate, "E1", 0, 8)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
		s.cut()
		time.Sleep(10 * time.Second)
		f.Online()
		s = f.net.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 8)
		time.Sleep(10 * time.Second)
		require.Empty(t, s.heard(), "once is enough")
	})
}

func TestP12_AcksAtOnceAfter500Frames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.frames(8, 506)
		require.Empty(t, s.heard())
		s.frames(507, 507)
		require.Equal(t, []string{`{"type":"ack","seq":507}`}, s.heard())
	})
}

func TestP12_AcksAtOnceAfter256KiB(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		big := strings.Repeat("x", 60<<10)
		for seq := 8; seq <= 11; seq++ {
			s.say(`{"seq":%d,"type":"t","x":"%s"}`, seq, big)
		}
		require.Empty(t, s.heard())
		s.say(`{"seq":12,"type":"t","x":"%s"}`, big)
		require.Equal(t, []string{`{"type":"ack","seq":12}`}, s.heard())
	})
}

func TestP12_AckComesAfterTheHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(context.Context, client.Frame) error { <-step; return nil }})
		s := live(f)
		s.frames(8, 9)
		step <- struct{}{}
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
		step <- struct{}{}
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":9}`}, s.heard())
	})
}

func TestP11_NothingIsAckedThatTheConnectionHasNotBrought(t *testing.T) {
	bubble(t, func(t *testing.T) {
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(context.Context, client.Frame) error { <-step; return nil }})
		s := live(f)
		s.frames(8, 8)
		s.cut()
		s = f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 8)
		step <- struct{}{}
		time.Sleep(20 * time.Second)
		require.Empty(t, s.heard(), "8 was applied, but an ack here would be ahead of what was sent")
		s.frames(8, 8)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
	})
}

func TestP12_NoAckCrossesIntoAnotherEpoch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:100", Handler: func(context.Context, client.Frame) error { <-step; return nil }})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 101)
		s.frames(101, 101)
		s.cut()
		s = f.net.accept()
		s.hello(protocol.ResumeTooOld, "E2", 0, 5, withReason(protocol.ReasonEpoch))
		s.frames(1, 5)
		time.Sleep(20 * time.Second)
		require.Empty(t, s.heard(), "101 of E1 does not cover 5 of E2")
		step <- struct{}{} // 101 of E1 is done, the reset comes, and 1 of E2 goes into its handler
		time.Sleep(20 * time.Second)
		require.Empty(t, s.heard())
		step <- struct{}{}
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":1}`}, s.heard())
		f.stop()
		close(step)
		<-f.ended
	})
}

func TestP12_CloseAcksAndSays1000(t *testing.T) {
	bubble(t, func(t *testing.T) {
		step := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(context.Context, client.Frame) error { <-step; return nil }})
		s := live(f)
		s.frames(8, 9)
		done := make(chan error, 1)
		go func() { done <- f.Close(context.Background()) }()
		synctest.Wait()
		require.Zero(t, s.closed(), "the handler may finish")
		s.frames(10, 10)
		close(step)
		require.Equal(t, 1000, s.closed())
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard(), "8 was in its handler, 9 was not handed over any more")
		s.cut()
		require.NoError(t, <-done)
		require.NoError(t, <-f.ended)
		require.Equal(t, "stopped", f.State().String())
		require.NoError(t, f.Close(context.Background()), "twice is harmless")
	})
}

func TestP12_EndOfContextAcksToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.frames(8, 8)
		f.stop()
		require.Equal(t, 1000, s.closed())
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
		s.cut()
		require.ErrorIs(t, <-f.ended, context.Canceled)
	})
}

func TestP30_HandlerThatGivesUpAtTheEndIsNotAcked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(ctx context.Context, _ client.Frame) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		s := live(f)
		s.frames(8, 8)
		f.stop()
		require.Equal(t, 1000, s.closed())
		require.Empty(t, s.heard())
		s.cut()
		<-f.ended
	})
}

func TestClose_CutsWhenItsTimeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cancelled := false
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(ctx context.Context, _ client.Frame) error {
			<-ctx.Done()
			cancelled = true
			return nil
		}})
		s := live(f)
		s.frames(8, 8)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, f.Close(ctx), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(began))
		require.NoError(t, <-f.ended)
		require.True(t, cancelled)
	})
}

func TestClose_DoesNotWaitForAServerThatNeverAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		live(f)
		began := time.Now()
		require.NoError(t, f.Close(context.Background()))
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
		require.NoError(t, <-f.ended)
	})
}

func TestClose_InterruptsADialAndAWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		synctest.Wait() // it has dialed, and nobody answers the upgrade
		began := time.Now()
		require.NoError(t, f.Close(context.Background()))
		require.Equal(t, began, time.Now())

		f = start(t, client.Config{Cursor: "E1:7", Backoff: client.Backoff{Min: time.Hour, Max: time.Hour}})
		live(f).cut()
		require.NoError(t, f.Close(context.Background()))
		require.Equal(t, began, time.Now())
	})
}

func TestNext_SaysByItsNextCallThatTheFrameIsApplied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newPipes(t)
		c, err := client.New(client.Config{URL: "http://b.test", ClientID: "a", Cursor: "E1:7", Dial: net.dial})
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		s := net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 9)
		s.frames(8, 9)
		require.Equal(t, "E1:7", c.Cursor(), "nothing has been asked for")
		fr, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(8), fr.Seq)
		time.Sleep(10 * time.Second)
		require.Empty(t, s.heard())
		fr, err = c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(9), fr.Seq)
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, c.Close(t.Context()))
		require.Equal(t, []string{`{"type":"ack","seq":9}`}, s.heard())
		_, err = c.Next(t.Context())
		require.ErrorIs(t, err, client.ErrClosed)
		require.NoError(t, <-ended)
	})
}
