package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

func numberedBody(tb testing.TB, n int) []protocol.Body {
	return []protocol.Body{body(tb, fmt.Sprintf(`{"type":"n","n":%d}`, n))}
}

// TestP3_PostsAndPublishesOfOneCallerStayInOrder posts with nobody there, with a reader, and with one that comes in between.
func TestP3_PostsAndPublishesOfOneCallerStayInOrder(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		ctx := context.Background()
		const n = 300
		p := newFakePeer()
		for i := range n {
			if i == n/3 {
				r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
			}
			if i%7 == 3 {
				_, err := r.Publish(ctx, "c", Publish{Bodies: numberedBody(t, i)})
				require.NoError(t, err)
			} else {
				require.NoError(t, r.Post("c", numberedBody(t, i)))
			}
		}
		synctest.Wait()
		page, err := r.Read(ctx, "c", Read{Limit: n})
		require.NoError(t, err)
		require.Len(t, page.Frames, n)
		for i, f := range page.Frames {
			require.Equal(t, fmt.Sprintf(`{"seq":%d,"type":"n","n":%d}`, i+1, i), string(f))
		}
		require.Len(t, p.seqs(), n, "the reader has all of it")
		require.EqualValues(t, n, r.counters.Published.Load())
		require.EqualValues(t, n, r.counters.OutboxFrames.Load())
		require.Equal(t, int64(page.Head)*protocol.FrameOverhead+r.counters.PublishedBytes.Load(), r.counters.OutboxBytes.Load())
	})
}

func TestP29_APostIsRefusedWhereAPublishIs(t *testing.T) {
	everyStore(t, func(cfg *Config) { cfg.MaxClients = 1; cfg.Session.Bounds.Frames = 20 }, func(t *testing.T, r *Registry) {
		require.NoError(t, r.Post("c", numberedBody(t, 1)))
		synctest.Wait()
		if err := r.Post("another", numberedBody(t, 1)); r.disk == nil {
			require.Equal(t, protocol.CodeOverloaded, protocol.AsError(err).Code)
		} else {
			require.NoError(t, err, "the store is asked first whether there is such a client")
		}
		synctest.Wait()
		require.EqualValues(t, 1, r.counters.Refused.Snapshot()["overloaded"])

		many := append(append(numberedBody(t, 1), numberedBody(t, 2)...), numberedBody(t, 3)...)
		_, want := r.Publish(context.Background(), "c", Publish{Bodies: many})
		require.Equal(t, protocol.CodeTooLarge, protocol.AsError(want).Code)
		require.Equal(t, want, r.Post("c", many))
		require.EqualValues(t, 1, r.counters.Refused.Snapshot()["too_large"])
		require.EqualValues(t, 1, r.counters.OutboxFrames.Load())

		r.Drain(time.Second, nil)
		require.Equal(t, protocol.CodeDraining, protocol.AsError(r.Post("c", numberedBody(t, 1))).Code)
	})
}

// failingStore says no, some time later.
type failingStore struct{}

func (failingStore) Generation() uint32 { return 1 }
func (failingStore) Commit(o store.Owner, u *store.Update) (bool, error) {
	token := u.Token
	go o.Confirmed(token, errors.New("the disk is full"))
	return false, nil
}
func (failingStore) Close() error { return nil }

func TestP26_WhatAPostCannotBeToldIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), failingStore{})
		require.NoError(t, r.Post("c", numberedBody(t, 1)), "it is on its way")
		synctest.Wait()
		require.EqualValues(t, 1, r.counters.CommitsFailed.Load())
		require.EqualValues(t, 1, r.counters.Refused.Snapshot()["internal"])
		require.Zero(t, r.counters.OutboxFrames.Load())
		require.Zero(t, r.counters.InFlightBytes.Load())
		_, err := r.Publish(context.Background(), "c", Publish{Bodies: numberedBody(t, 1)})
		require.Equal(t, protocol.CodeInternal, protocol.AsError(err).Code)
		require.EqualValues(t, 1, r.counters.Refused.Snapshot()["internal"], "who waits is told")
	})
}

// TestReceiptsAreDenseWhicheverWayAPublishTakes publishes and posts to clients that are now alone and now read, deleted by nobody: each frame has a seq of its own, a
// publisher's own go up, and when all is quiet nothing is missing.
func TestReceiptsAreDenseWhicheverWayAPublishTakes(t *testing.T) {
	cfg := testConfig()
	cfg.Session.ResumeWindow = time.Millisecond
	r := start(t, cfg, nil)
	ctx := context.Background()
	const publishers, each, clients = 6, 900, 2
	var publishing, reading sync.WaitGroup
	var stop atomic.Bool
	for i := range 3 {
		reading.Go(func() {
			for n := 0; !stop.Load(); n++ {
				p := &readingPeer{t: t}
				r.Attach(fmt.Sprint("c-", n%clients), Attach{ConnectionID: fmt.Sprint(i), Transport: "test"}, p)
				if _, err := r.State(ctx, fmt.Sprint("c-", n%clients)); err != nil {
					assert.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
				}
				p.leave(true)
			}
		})
	}
	var seqs [clients]sync.Map
	for i := range publishers {
		publishing.Go(func() {
			var last [clients]uint64
			for n := range each {
				c := (n + i) % clients
				id := fmt.Sprint("c-", c)
				if n%3 == 0 {
					assert.NoError(t, r.Post(id, numberedBody(t, n)))
					continue
				}
				p := Publish{Bodies: numberedBody(t, n)}
				if n%5 == 0 {
					p.Key = fmt.Sprint(i, "-", n) // never the short way
				}
				got, err := r.Publish(ctx, id, p)
				if !assert.NoError(t, err) {
					return
				}
				assert.Greater(t, got.Seq, last[c])
				last[c] = got.Seq
				_, twice := seqs[c].LoadOrStore(got.Seq, true)
				assert.False(t, twice, "seq %d was given twice", got.Seq)
			}
		})
	}
	publishing.Wait()
	stop.Store(true)
	reading.Wait()
	heads := uint64(0)
	for c := range clients {
		st, err := r.State(ctx, fmt.Sprint("c-", c))
		require.NoError(t, err)
		heads += st.Head
	}
	require.EqualValues(t, publishers*each, heads)
	require.EqualValues(t, publishers*each, r.counters.Published.Load())
	require.Zero(t, r.counters.InFlightBytes.Load())
	require.Zero(t, r.counters.Panics.Load())
	for c := range clients {
		require.NoError(t, r.Delete(ctx, fmt.Sprint("c-", c)))
	}
	require.Zero(t, [...]int64{r.counters.OutboxFrames.Load(), r.counters.OutboxBytes.Load()})
}

// TestAFailureInAShortTurnLosesNoOutbox: a panic in a turn that has no mail is a failure like any other.
func TestAFailureInAShortTurnLosesNoOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, testConfig(), nil)
		first, err := r.Publish(context.Background(), "c", Publish{Bodies: numberedBody(t, 1)})
		require.NoError(t, err)
		c := r.look("c")
		func() {
			require.True(t, c.Enter())
			defer c.Leave(c)
			var none *session.Session
			none.Busy() // a fault
		}()
		second, err := r.Publish(context.Background(), "c", Publish{Bodies: numberedBody(t, 2)})
		require.NoError(t, err)
		require.NotEqual(t, first.Epoch, second.Epoch, "what was half done is not known")
		require.EqualValues(t, 2, second.Seq)
		require.EqualValues(t, 1, r.counters.Panics.Load())
		require.EqualValues(t, 2, r.counters.OutboxFrames.Load())
	})
}
