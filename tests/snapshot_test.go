package tests

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
)

// provider is a broker's snapshot callback.
type provider func(ctx context.Context, clientID string, floor, head uint64) (uint64, []byte, error)

func withSnapshot(t *testing.T, p provider) *endpoint {
	e, _ := embed(t, broker.Config{Snapshot: p})
	return e
}

func fixed(asOf uint64, data string, err error) provider {
	return func(context.Context, string, uint64, uint64) (uint64, []byte, error) { return asOf, []byte(data), err }
}

func TestP9_ASnapshotAndWhatFollowsIt(t *testing.T) {
	t.Parallel()
	e := withSnapshot(t, fixed(5, `{ "sum" : 15, "text":"<a> b" }`, nil))
	last := e.publishN("a", 10, 10, 0)
	c := e.attach("a")
	require.True(t, c.hello.Snapshot)
	require.EqualValues(t, 10, *c.hello.Missed)
	require.Zero(t, *c.hello.Lost)
	require.Equal(t, `{"type":"snapshot","as_of":5,"data":{"sum":15,"text":"<a> b"}}`, c.next().Raw)
	frames, end := c.until("replay_end")
	require.Len(t, frames, 5)
	require.Equal(t, 6, frames[0].N)
	require.EqualValues(t, 10, end.At)
	c.liveOnce("a")
	// The marks have been lifted to A: an ack below it changes nothing, and none is ahead.
	require.EqualValues(t, 5, e.state("a").Attachments[0].Acked)
	c.ack(3)
	require.EqualValues(t, 5, e.state("a").Attachments[0].Acked)
	// too_old gets one as well; replay and up_to_date do not.
	old := e.attach("a", "since", "other:3")
	require.Equal(t, protocol.ReasonEpoch, old.hello.Reason)
	require.True(t, old.hello.Snapshot)
	old.nextOf("snapshot")
	old.liveOnce("a")
	for _, since := range []string{last.Epoch + ":8", last.Epoch + ":14"} {
		k := e.attach("a", "since", since)
		require.False(t, k.hello.Snapshot, since)
		k.liveOnce("a") // which would fail on a snapshot
	}
	page := e.page("b", "")
	require.Nil(t, page.Snapshot, "as of 5 is above b's head")
	page = e.page("a", "limit=3")
	require.Contains(t, string(page.Snapshot), `"sum":15`)
	require.True(t, strings.HasPrefix(string(page.Frames[0]), `{"seq":6,`), string(page.Frames[0]))
}

func TestP9_AnUnusableAnswerIsSaidAndTheRetainedFramesFollow(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]provider{
		"an error":      fixed(5, `{}`, errors.New("the database is away")),
		"below floor":   fixed(2, `{}`, nil),
		"above head":    fixed(99, `{}`, nil),
		"no JSON":       fixed(5, `{`, nil),
		"two values":    fixed(5, `{} {}`, nil),
		"invalid UTF-8": fixed(5, "\"\xff\"", nil),
		"too large":     fixed(5, `"`+strings.Repeat("x", protocol.DefaultMaxMessageBytes)+`"`, nil),
		"a panic":       func(context.Context, string, uint64, uint64) (uint64, []byte, error) { panic("in the provider") },
	} {
		e := withSnapshot(t, p)
		ep := e.publishN("a", 10, 10, 0).Epoch
		require.Equal(t, 200, e.do("POST", "/v1/clients/a/ack", []byte(`{"cursor":"`+ep+`:3"}`)).status)
		c := e.attach("a")
		require.True(t, c.hello.Snapshot)
		m := c.nextOf("error")
		require.Equal(t, protocol.CodeSnapshotUnavailable, m.Code, name)
		frames, end := c.until("replay_end")
		require.Len(t, frames, 7, name)
		require.EqualValues(t, 10, end.At)
		c.liveOnce("a")
	}
}

func TestP9_TheProviderMayBeAheadOfHello(t *testing.T) {
	t.Parallel()
	var e *endpoint
	b := make(chan *broker.Broker, 1)
	provide := func(ctx context.Context, id string, floor, head uint64) (uint64, []byte, error) {
		br := <-b
		var last protocol.Published
		for n := range 4 {
			var err error
			if last, err = br.Publish(ctx, id, []byte(numbered(int(head)+n+1, 0))); err != nil {
				return 0, nil, err
			}
		}
		return last.Seq - 1, []byte(`"state"`), nil
	}
	e, br := embed(t, broker.Config{Snapshot: provide})
	e.publishN("a", 10, 10, 0)
	b <- br
	c := e.attach("a")
	require.EqualValues(t, 10, c.hello.Head)
	m := c.nextOf("snapshot")
	require.EqualValues(t, 13, m.AsOf)
	seen := []string{}
	for len(seen) < 2 {
		m := c.next()
		seen = append(seen, fmt.Sprint(m.Seq, m.Type, m.At))
	}
	require.ElementsMatch(t, []string{"0replay_end13", "14n0"}, seen)
	c.liveOnceEmbedded()
}

// liveOnceEmbedded is liveOnce for the client of hello.
func (s *socket) liveOnceEmbedded() { s.e.t.Helper(); s.liveOnce(s.hello.ClientID) }

func TestP9_WhileTheProviderThinks(t *testing.T) {
	t.Parallel()
	var calls, atOnce atomic.Int64
	answer := make(chan struct{})
	e := withSnapshot(t, func(ctx context.Context, id string, floor, head uint64) (uint64, []byte, error) {
		calls.Add(1)
		if atOnce.Add(1) > 1 {
			return 0, nil, errors.New("two calls at once for one client")
		}
		defer atOnce.Add(-1)
		select {
		case <-answer:
			return 6, []byte(`{}`), nil
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	})
	ep := e.publishN("a", 10, 10, 0).Epoch
	require.Equal(t, 200, e.do("POST", "/v1/clients/a/ack", []byte(`{"cursor":"`+ep+`:4"}`)).status)
	waiting, second := e.attach("a"), e.attach("a")
	// Nobody is blocked by it, and it holds its place at hello's floor.
	reader := e.attach("a", "since", ep+":10")
	e.publishN("a", 5, 5, 0)
	reader.upTo(15)
	reader.ack(15)
	require.EqualValues(t, 4, e.state("a").Floor)
	waiting.send(`{"type":"ping"}`)
	require.Equal(t, "pong", waiting.next().Type, "no sequenced frame before the snapshot")
	close(answer)
	for _, c := range []*socket{waiting, second} {
		require.EqualValues(t, 6, c.nextOf("snapshot").AsOf)
		require.Len(t, c.upTo(15), 9)
	}
	reader.ack(15)
	require.EqualValues(t, 6, e.state("a").Floor, "a written snapshot lifts the mark")
	require.LessOrEqual(t, calls.Load(), int64(2))
	waiting.liveOnce("a")
	second.upTo(waiting.last)
	reader.upTo(waiting.last)
}

func TestP9_AfterFiveSecondsItGoesOnWithout(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 8)
	e := withSnapshot(t, func(ctx context.Context, _ string, _, _ uint64) (uint64, []byte, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, nil, ctx.Err()
	})
	e.publishN("a", 10, 10, 0)
	c := e.attach("a")
	page := make(chan int, 1)
	go func() {
		r, err := e.try(context.Background(), "GET", framesPath("a"), nil)
		if err != nil {
			r.status = -1
		}
		page <- r.status
	}()
	require.Equal(t, protocol.CodeSnapshotUnavailable, c.nextOf("error").Code)
	frames, _ := c.until("replay_end")
	require.Len(t, frames, 10)
	require.Equal(t, 200, <-page)
	require.Error(t, <-ended, "the call is given up")
	c.liveOnce("a")
}
