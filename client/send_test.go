package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// sent is the outcome of a Send.
type sent struct {
	receipt protocol.Receipt
	err     error
}

func (f *fixture) send(ctx context.Context, to, frame string) <-chan sent {
	c := make(chan sent, 1)
	go func() {
		r, err := f.Send(ctx, to, []byte(frame))
		c <- sent{r, err}
	}()
	synctest.Wait()
	return c
}

// oneSend returns the only message heard, which must be a send.
func (s *session) oneSend() map[string]any {
	s.t.Helper()
	h := s.heard()
	require.Len(s.t, h, 1)
	m := decoded(s.t, h[0])
	require.Equal(s.t, "send", m["type"])
	return m
}

func (s *session) receipt(m map[string]any, seq int) {
	s.t.Helper()
	s.say(`{"type":"receipt","id":"%s","status":"stored","epoch":"X","seq":%d}`, m["id"], seq)
}

func TestP18_SendIsAnsweredByItsReceipt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		r := f.send(t.Context(), "agent", ` { "type": "say", "text": "hi" } `)
		m := s.oneSend()
		require.Equal(t, "agent", m["to"])
		require.Equal(t, map[string]any{"type": "say", "text": "hi"}, m["frame"])
		require.Len(t, m["id"], 36)
		s.receipt(m, 3)
		got := <-r
		require.NoError(t, got.err)
		require.Equal(t, uint64(3), got.receipt.Seq)
		require.Equal(t, protocol.StatusStored, got.receipt.Status)
	})
}

func TestP30_SendIsRepeatedWithItsIDAfterEachAttach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		r := f.send(t.Context(), "agent", `{"type":"say"}`)
		s := f.net.accept()
		require.Empty(t, s.heard(), "not before hello")
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		first := s.oneSend()
		s.cut()
		s = live(f)
		second := s.oneSend()
		require.Equal(t, first["id"], second["id"])
		s.receipt(second, 1)
		require.NoError(t, (<-r).err)
		s.cut()
		require.Empty(t, live(f).heard(), "done is done")
	})
}

func TestP30_SendIsRepeatedWithBackoff(t *testing.T) {
	for _, code := range []string{"overloaded", "rate_limited", "draining", "internal"} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				r := f.send(t.Context(), "agent", `{"type":"say"}`)
				m := s.oneSend()
				for range 5 {
					s.say(`{"type":"error","code":"%s","message":"x","id":"%s","retry_after_ms":2000}`, code, m["id"])
					time.Sleep(1900 * time.Millisecond)
					require.Empty(t, s.heard())
					time.Sleep(30 * time.Second)
					s.say(`{"type":"ping","head":7}`)
					h := s.heard()
					require.Equal(t, m["id"], decoded(t, h[0])["id"])
					require.Len(t, h, 2, "once, and the pong")
				}
				s.receipt(m, 1)
				require.NoError(t, (<-r).err)
				require.Empty(t, f.errs, "that is no news")
			})
		})
	}
}

func TestP30_AnyOtherErrorIsFinal(t *testing.T) {
	for _, code := range []string{"forbidden", "bad_frame", "id_reused", "too_large", "a_code_of_tomorrow"} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var results []client.SendResult
				f := start(t, client.Config{Cursor: "E1:7", OnSent: func(r client.SendResult) { results = append(results, r) }})
				s := live(f)
				r := f.send(t.Context(), "agent", `{"type":"say"}`)
				s.say(`{"type":"error","code":"%s","message":"x","id":"%s"}`, code, s.oneSend()["id"])
				var e *protocol.Error
				require.ErrorAs(t, (<-r).err, &e)
				require.Equal(t, protocol.Code(code), e.Code)
				time.Sleep(40 * time.Second)
				require.Empty(t, s.heard())
				require.Len(t, results, 1)
				require.ErrorIs(t, results[0].Err, e)
			})
		})
	}
}

func TestP30_AfterADayASendIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		f.net.accept().cut()
		f.net.mu.Lock()
		f.net.down = true
		f.net.mu.Unlock()
		began := time.Now()
		r := f.send(t.Context(), "agent", `{"type":"say"}`)
		require.ErrorIs(t, (<-r).err, client.ErrUnknown)
		require.Equal(t, 24*time.Hour, time.Since(began))
		f.stop()
		<-f.ended
	})
}

func TestP03_SendsToOneTargetKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		a := f.send(t.Context(), "agent", `{"type":"a"}`)
		b := f.send(t.Context(), "agent", `{"type":"b"}`)
		other := f.send(t.Context(), "other", `{"type":"o"}`)
		h := s.heard()
		require.Len(t, h, 2, "b waits for a, other waits for nobody")
		ma, mo := decoded(t, h[0]), decoded(t, h[1])
		s.receipt(mo, 1)
		require.NoError(t, (<-other).err)
		s.say(`{"type":"error","code":"overloaded","message":"x","id":"%s"}`, ma["id"])
		time.Sleep(time.Second)
		require.Equal(t, ma["id"], s.oneSend()["id"], "b does not overtake a")
		s.receipt(ma, 1)
		require.NoError(t, (<-a).err)
		s.receipt(s.oneSend(), 2)
		require.NoError(t, (<-b).err)
	})
}

func TestP02_WhatTheBrokerWouldRefuseIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7, func(h *protocol.Hello) { h.MaxFrameBytes = 100 })
		for _, c := range []struct {
			to, frame string
			code      protocol.Code
		}{
			{"agent", `{"type":`, protocol.CodeBadJSON},
			{"agent", `{"x":1}`, protocol.CodeBadFrame},
			{"agent", `{"type":"t","seq":1}`, protocol.CodeBadFrame},
			{"no blanks", `{"type":"t"}`, protocol.CodeBadRequest},
			{"agent", `{"type":"` + strings.Repeat("x", 100) + `"}`, protocol.CodeTooLarge},
		} {
			got := <-f.send(t.Context(), c.to, c.frame)
			var e *protocol.Error
			require.ErrorAs(t, got.err, &e)
			require.Equal(t, c.code, e.Code)
		}
		require.Empty(t, s.heard())
		require.Zero(t, s.closed())
	})
}

func TestP30_SendGoesOnWhenItsCallerDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var results []client.SendResult
		f := start(t, client.Config{Cursor: "E1:7", OnSent: func(r client.SendResult) { results = append(results, r) }})
		s := live(f)
		ctx, cancel := context.WithCancel(t.Context())
		r := f.send(ctx, "agent", `{"type":"say"}`)
		m := s.oneSend()
		cancel()
		require.ErrorIs(t, (<-r).err, context.Canceled)
		s.cut()
		s = live(f)
		require.Equal(t, m["id"], s.oneSend()["id"])
		s.receipt(m, 9)
		require.Len(t, results, 1)
		require.Equal(t, uint64(9), results[0].Receipt.Seq)
	})
}

// shelf is a SendStore that outlives its client, and fails when told to.
type shelf struct {
	mu   sync.Mutex
	kept []client.PendingSend
	fail error
}

func (s *shelf) Put(_ context.Context, p client.PendingSend) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.kept = append(s.kept, p)
	}
	return s.fail
}

func (s *shelf) Delete(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.kept {
		if p.ID == id {
			s.kept = append(s.kept[:i:i], s.kept[i+1:]...)
			break
		}
	}
	return s.fail
}

func (s *shelf) All(context.Context) ([]client.PendingSend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]client.PendingSend(nil), s.kept...), s.fail
}

func TestP30_SendsSurviveTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := &shelf{}
		f := start(t, client.Config{Cursor: "E1:7", Sends: store})
		first := live(f)
		r := f.send(t.Context(), "agent", `{"type":"say","n":1}`)
		id := first.oneSend()["id"]
		f.stop()
		first.cut()
		<-f.ended
		require.Error(t, (<-r).err)
		require.Len(t, store.kept, 1)
		store.kept = append(store.kept, client.PendingSend{ID: "old", To: "agent", Frame: []byte(`{"type":"x"}`), At: time.Now().Add(-25 * time.Hour)})

		var results []client.SendResult
		f = start(t, client.Config{Cursor: "E1:7", Sends: store, OnSent: func(r client.SendResult) { results = append(results, r) }})
		s := live(f)
		require.Len(t, results, 1)
		require.ErrorIs(t, results[0].Err, client.ErrUnknown, "the one of yesterday")
		m := s.oneSend()
		require.Equal(t, id, m["id"])
		require.Equal(t, map[string]any{"type": "say", "n": 1.0}, m["frame"])
		s.receipt(m, 1)
		require.Empty(t, store.kept)
		require.Len(t, results, 2)
		f.stop()
		s.cut()
		<-f.ended
	})
}

func TestP30_StoreThatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := &shelf{}
		f := start(t, client.Config{Cursor: "E1:7", Sends: store})
		s := live(f)
		disk := errors.New("disk full")
		store.mu.Lock()
		store.fail = disk
		store.mu.Unlock()
		require.ErrorIs(t, (<-f.send(t.Context(), "agent", `{"type":"say"}`)).err, disk)
		require.Empty(t, s.heard(), "what is not kept is not sent")
		f.stop()
		s.cut()
		<-f.ended

		f = start(t, client.Config{Cursor: "E1:7", Sends: store})
		require.ErrorIs(t, <-f.ended, disk)
		require.Zero(t, f.net.tries())
	})
}

func TestSend_IsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", MaxPending: 3})
		ctx, cancel := context.WithCancel(t.Context())
		var waiting []<-chan sent
		for i := range 3 {
			waiting = append(waiting, f.send(ctx, fmt.Sprint("a", i), `{"type":"t"}`))
		}
		require.ErrorIs(t, (<-f.send(ctx, "b", `{"type":"t"}`)).err, client.ErrTooManySends)
		cancel()
		for _, w := range waiting {
			require.ErrorIs(t, (<-w).err, context.Canceled)
		}
		f.stop()
		<-f.ended
	})
}

func TestSend_EndsWithTheClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		r := f.send(t.Context(), "agent", `{"type":"t"}`)
		go f.Close(context.Background())
		require.Equal(t, 1000, s.closed())
		s.cut()
		require.ErrorIs(t, (<-r).err, client.ErrClosed)
		require.ErrorIs(t, (<-f.send(t.Context(), "agent", `{"type":"t"}`)).err, client.ErrClosed)
		<-f.ended
	})
}
