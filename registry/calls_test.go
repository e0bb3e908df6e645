package registry

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/restante/restante/protocol"
)

func TestActorFailureLosesNoOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		one := Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}}
		before, err := r.Publish(ctx, "c", one)
		require.NoError(t, err)
		good, bad := newFakePeer(), newFakePeer()
		r.Attach("c", Attach{ConnectionID: "good", Transport: "test"}, good)
		r.Attach("c", Attach{ConnectionID: "bad", Transport: "test"}, bad)
		synctest.Wait()
		bad.panics = true
		_, err = r.Publish(ctx, "c", one)
		synctest.Wait()

		require.Equal(t, protocol.CloseClientRestarted, <-good.closed, "every connection is told to come back (4003)")
		require.Equal(t, protocol.CloseClientRestarted, <-bad.closed)
		require.EqualValues(t, 1, r.counters.Panics.Load())
		_ = err // the frame was stored before the connection failed the turn; the caller may have been told either way

		page, err := r.Read(ctx, "c", Read{Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Frames, 2, "what was confirmed is retained")
		require.EqualValues(t, 2, r.counters.OutboxFrames.Load(), "the gauges hold through a panic")
		require.EqualValues(t, 2*(len(one.Bodies[0])+protocol.FrameOverhead), r.counters.OutboxBytes.Load())
		require.Zero(t, r.counters.InFlightBytes.Load())
		require.NotEqual(t, before.Epoch, page.Epoch)

		again := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "again", Transport: "test"}, again)
		_, err = r.Publish(ctx, "c", one)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []uint64{1, 2, 3}, again.seqs(), "a later live frame arrives exactly once")
	})
}

func TestP29_CapsAnswerOverloadedAndDropNobodysFrames(t *testing.T) {
	ctx := context.Background()
	one := []protocol.Body{body(t, `{"type":"x"}`)}
	size := int64(len(one[0])) + protocol.FrameOverhead
	overloaded := func(t *testing.T, r *Registry, err error) {
		t.Helper()
		require.Equal(t, protocol.CodeOverloaded, protocol.AsError(err).Code)
		require.Positive(t, protocol.AsError(err).RetryAfterMS)
		require.EqualValues(t, 1, r.counters.Refused.Snapshot()["overloaded"])
		require.Zero(t, r.counters.InFlightBytes.Load())
	}
	t.Run("clients", func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxClients = 1
		r := start(t, cfg, nil)
		_, err := r.Publish(ctx, "a", Publish{Bodies: one})
		require.NoError(t, err)
		_, err = r.Publish(ctx, "b", Publish{Bodies: one})
		overloaded(t, r, err)
		p := newFakePeer()
		r.Attach("b", Attach{ConnectionID: "x", Transport: "test"}, p)
		require.Equal(t, protocol.CloseOverloaded, p.refused)
		_, err = r.Publish(ctx, "a", Publish{Bodies: one})
		require.NoError(t, err, "those that are there go on")
	})
	t.Run("total bytes", func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxTotalBytes = 2 * size
		r := start(t, cfg, nil)
		for _, id := range []string{"a", "b"} {
			_, err := r.Publish(ctx, id, Publish{Bodies: one})
			require.NoError(t, err)
		}
		_, err := r.Publish(ctx, "c", Publish{Bodies: one})
		overloaded(t, r, err)
		for _, id := range []string{"a", "b"} {
			st, err := r.State(ctx, id)
			require.NoError(t, err)
			require.EqualValues(t, 1, st.Frames)
		}
		_, err = r.Ack(ctx, "a", protocol.Cursor{Seq: 1}, "")
		require.NoError(t, err)
		_, err = r.Publish(ctx, "c", Publish{Bodies: one})
		require.NoError(t, err, "an ack makes room")
	})
	t.Run("in flight", func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxInFlightBytes = size - 1
		r := start(t, cfg, nil)
		_, err := r.Publish(ctx, "a", Publish{Bodies: one})
		overloaded(t, r, err)
	})
}

func TestP18_SendIsStoredOnceAndAnswersItsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		alice, bob := newFakePeer(), newFakePeer()
		r.Attach("alice", Attach{ConnectionID: "a", Transport: "test"}, alice)
		synctest.Wait()
		send := protocol.Message{Type: protocol.TypeSend, ID: "u1", To: "bob", Frame: body(t, `{"type":"hi"}`)}
		alice.link.Message(send, nil)
		alice.link.Message(send, nil)
		send.Frame = body(t, `{"type":"other"}`)
		alice.link.Message(send, nil)
		synctest.Wait()
		r.Attach("bob", Attach{ConnectionID: "b", Transport: "test"}, bob)
		synctest.Wait()
		require.Equal(t, []uint64{1}, bob.seqs())
		require.JSONEq(t, `{"from":"alice","type":"hi"}`, string(bob.pieces[1].Body))
		said := alice.texts()
		require.Len(t, said, 4+1) // hello, replay_end, stored, duplicate, id_reused
		require.Contains(t, said[2], `"status":"stored"`)
		require.Contains(t, said[3], `"status":"duplicate"`)
		require.Contains(t, said[4], `"code":"id_reused"`)
		require.Contains(t, said[4], `"id":"u1"`)
		require.Zero(t, r.counters.InFlightBytes.Load())

		// To oneself, and by HTTP under an id that is known.
		alice.link.Message(protocol.Message{Type: protocol.TypeSend, ID: "u2", To: "alice", Frame: body(t, `{"type":"note"}`)}, nil)
		synctest.Wait()
		require.Equal(t, []uint64{1}, alice.seqs())
		receipt, err := r.Send(context.Background(), "alice", "bob", "u1", body(t, `{"type":"hi"}`))
		require.NoError(t, err)
		require.Equal(t, protocol.StatusDuplicate, receipt.Status)
	})
}

func TestPublishWaitsForAckUntilItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "a", Transport: "test"}, p)
		one := []protocol.Body{body(t, `{"type":"x"}`)}
		begin := time.Now()
		got, err := r.Publish(ctx, "c", Publish{Bodies: one, Wait: protocol.StatusAcked, Timeout: 3 * time.Second})
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, protocol.StatusSent, got.Status)
		require.Equal(t, protocol.ShortTimeout, got.Reason)

		go func() {
			time.Sleep(time.Second)
			p.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 2}, nil)
		}()
		begin = time.Now()
		got, err = r.Publish(ctx, "c", Publish{Bodies: one, Wait: protocol.StatusAcked, Timeout: 3 * time.Second})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, protocol.StatusAcked, got.Status)
		require.Empty(t, got.Reason)
	})
}

func TestReadWaitsForTheNextFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		page, err := r.Read(ctx, "c", Read{Limit: 10, Wait: time.Minute})
		require.NoError(t, err)
		require.Equal(t, protocol.ResumeFresh, page.Resume, "fresh does not wait")
		cur, err := protocol.ParseCursor(page.Cursor)
		require.NoError(t, err)
		go func() {
			time.Sleep(time.Second)
			_, _ = r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
		}()
		begin := time.Now()
		page, err = r.Read(ctx, "c", Read{Since: &cur, Limit: 10, Wait: time.Minute})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(begin))
		require.Len(t, page.Frames, 1)
		cur.Seq = 1
		page, err = r.Read(ctx, "c", Read{Since: &cur, Limit: 10, Wait: 2 * time.Second})
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, protocol.ResumeUpToDate, page.Resume)
	})
}

func TestListPagesInOrderOfIDs(t *testing.T) {
	r := start(t, testConfig(), nil)
	ctx := context.Background()
	var want, got []string
	for i := range 25 {
		id := fmt.Sprintf("c%02d", i)
		want = append(want, id)
		_, err := r.find(id)
		require.Nil(t, err)
	}
	pages := 0
	for cursor := ""; ; pages++ {
		l, err := r.List(ctx, cursor, 10)
		require.NoError(t, err)
		for _, st := range l.Clients {
			got = append(got, st.ClientID)
		}
		if cursor = l.Cursor; cursor == "" {
			break
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, 2, pages)
}

// TestClientActorsAreReachedByPID shows that client actors are actors of the one system: requested by PID, watched, poisoned.
func TestClientActorsAreReachedByPID(t *testing.T) {
	r := start(t, testConfig(), nil)
	ctx := context.Background()
	_, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
	require.NoError(t, err)
	pid := actor.NewPID(Address, "c")
	states, ended := make(chan protocol.State, 1), make(chan string, 1)
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(pid)
			ctx.Request(pid, GetState{})
		case protocol.State:
			states <- m
			ctx.Poison(pid)
		case *actor.Terminated:
			ended <- m.Who.Id
		}
	})
	_, err = r.sys.Spawn("asker", props)
	require.NoError(t, err)
	require.EqualValues(t, 1, (<-states).Head)
	require.Equal(t, "c", <-ended)
	require.Nil(t, r.look("c"))
}

func TestP23_DrainOffersWhatThereIsThenCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		quick, stuck := newFakePeer(), newFakePeer()
		stuck.hold = true
		r.Attach("quick", Attach{ConnectionID: "q", Transport: "test"}, quick)
		r.Attach("stuck", Attach{ConnectionID: "s", Transport: "test"}, stuck)
		one := Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}}
		for _, id := range []string{"quick", "stuck"} {
			_, err := r.Publish(ctx, id, one)
			require.NoError(t, err)
		}
		synctest.Wait()
		r.Drain(8*time.Second, nil)
		synctest.Wait()
		require.Equal(t, protocol.CloseDraining, <-quick.closed)
		texts := quick.texts()
		require.Contains(t, texts[len(texts)-1], `"goaway"`)
		require.Empty(t, stuck.closed)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		require.Equal(t, protocol.CloseDraining, <-stuck.closed)

		_, err := r.Publish(ctx, "quick", one)
		require.Equal(t, protocol.CodeDraining, protocol.AsError(err).Code)
		for _, id := range []string{"quick", "new"} {
			late := newFakePeer()
			r.Attach(id, Attach{ConnectionID: "l", Transport: "test"}, late)
			synctest.Wait()
			require.Equal(t, protocol.CloseDraining, <-late.closed)
		}
	})
}

// TestFailureAnswersWhoWaits fails the turn that brings a waiting publisher its answer: the answer comes all the same.
func TestFailureAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		ctx := context.Background()
		first := newFakePeer()
		first.hold = true
		r.Attach("c", Attach{ConnectionID: "a", Transport: "test"}, first)
		synctest.Wait()
		first.link.Written() // hello; what follows stays under way until said
		got := make(chan protocol.Published, 1)
		go func() {
			p, _ := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}, Wait: protocol.StatusSent, Timeout: time.Hour})
			got <- p
		}()
		synctest.Wait()
		begin := time.Now()
		first.panics = true // the next batch, in the very turn that reaches "sent"
		_, err := r.Publish(ctx, "c", Publish{Bodies: []protocol.Body{body(t, `{"type":"y"}`)}})
		require.NoError(t, err)
		first.link.Written()
		synctest.Wait()
		require.Len(t, got, 1, "answered, and not after an hour")
		require.Zero(t, time.Since(begin))
		require.EqualValues(t, 1, r.counters.Panics.Load())
	})
}

// TestStaleWheelEntriesDoNothing: only the entry that stands for the client's deadline ticks it; an earlier one that was replaced does
// not register anew, or entries would grow with every reconnect.
func TestStaleWheelEntriesDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "a", Transport: "test"}, p)
		synctest.Wait()
		p.link.Gone(false) // its place is held for a minute
		synctest.Wait()
		c := r.look("c")
		due := c.alarm
		require.NotNil(t, due)
		due.Due(r.sys.Now()) // too early, as an entry of another would be
		synctest.Wait()
		require.Same(t, due, c.alarm)
		st, err := r.State(context.Background(), "c")
		require.NoError(t, err)
		require.Equal(t, 1, st.Places)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, c.session.Places())
		require.Nil(t, c.alarm)
	})
}
