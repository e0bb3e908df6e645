package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// everyStore runs f in memory and with a store on disk, in synthetic time.
func everyStore(t *testing.T, change func(*Config), f func(t *testing.T, r *Registry)) {
	t.Helper()
	for _, kept := range []bool{false, true} {
		t.Run(map[bool]string{false: "memory", true: "disk"}[kept], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				if kept {
					cfg = keptConfig()
				}
				if change != nil {
					change(&cfg)
				}
				var r *Registry
				if kept {
					r, _ = keep(t, cfg, vfs.NewMem())
				} else {
					r = start(t, cfg, nil)
				}
				f(t, r)
				synctest.Wait()
				require.Zero(t, r.counters.Panics.Load())
				require.Zero(t, r.counters.InFlightBytes.Load())
			})
		})
	}
}

// reader is one client with a connection, as a library would see it.
type reader struct {
	t    *testing.T
	r    *Registry
	id   string
	peer *fakePeer
}

func attach(t *testing.T, r *Registry, id string, since *protocol.Cursor) *reader {
	t.Helper()
	d := &reader{t, r, id, newFakePeer()}
	r.Attach(id, Attach{ConnectionID: id, Transport: "test", Since: since}, d.peer)
	synctest.Wait()
	return d
}

func (d *reader) say(m protocol.Message) {
	d.t.Helper()
	d.peer.link.Message(m, nil)
	synctest.Wait()
}

func (d *reader) subscribe(topic string, change ...func(*protocol.Message)) {
	m := protocol.Message{Type: protocol.TypeSubscribe, Topic: topic, History: -1}
	for _, f := range change {
		f(&m)
	}
	d.say(m)
}

func history(n int) func(*protocol.Message) { return func(m *protocol.Message) { m.History = n } }

func since(c protocol.Cursor) func(*protocol.Message) {
	return func(m *protocol.Message) { m.Since = &c }
}

// got is one frame as it was written.
type got struct {
	Seq      uint64          `json:"seq"`
	Type     string          `json:"type"`
	Topic    string          `json:"topic"`
	TopicSeq uint64          `json:"topic_seq"`
	N        int             `json:"n"`
	Code     string          `json:"code"`
	Epoch    string          `json:"epoch"`
	Resume   string          `json:"resume"`
	Reason   string          `json:"reason"`
	Floor    uint64          `json:"floor"`
	Head     uint64          `json:"head"`
	Snapshot bool            `json:"snapshot"`
	Closed   bool            `json:"closed"`
	AsOf     uint64          `json:"as_of"`
	Data     json.RawMessage `json:"data"`
}

// all is what was written so far, in order, without hello and replay_end.
func (d *reader) all() (all []got) {
	d.t.Helper()
	d.peer.mu.Lock()
	defer d.peer.mu.Unlock()
	for _, p := range d.peer.pieces {
		text := []byte(p.Body)
		if p.Seq > 0 {
			text = protocol.AppendFrame(nil, p.Seq, p.Body)
		}
		var g got
		require.NoError(d.t, json.Unmarshal(text, &g), "%s", text)
		if p.Seq > 0 || g.Type != protocol.TypeHello && g.Type != protocol.TypeReplayEnd {
			all = append(all, g)
		}
	}
	return all
}

// last is the last frame that was written.
func (d *reader) last() got {
	d.t.Helper()
	all := d.all()
	require.NotEmpty(d.t, all)
	return all[len(all)-1]
}

// heard are the frames of the topic, as "topic_seq:n", in order.
func (d *reader) heard(topic string) (all []string) {
	d.t.Helper()
	for _, g := range d.all() {
		if g.Seq > 0 && g.Topic == topic {
			all = append(all, fmt.Sprintf("%d:%d", g.TopicSeq, g.N))
		}
	}
	return all
}

// numbered is what heard gives for the frames first to last of a topic whose n is its topic_seq.
func numbered(first, last int) (all []string) {
	for n := first; n <= last; n++ {
		all = append(all, fmt.Sprintf("%d:%d", n, n))
	}
	return all
}

// tell publishes the frames first to last to the topic.
func tell(t *testing.T, r *Registry, topic string, first, last int) (p protocol.TopicPublished) {
	t.Helper()
	for n := first; n <= last; n++ {
		var err error
		p, err = r.PublishTopic(context.Background(), topic, Publish{Bodies: []protocol.Body{body(t, fmt.Sprintf(`{"type":"x","n":%d}`, n))}})
		require.NoError(t, err)
		require.EqualValues(t, n, p.Seq)
	}
	synctest.Wait()
	return p
}

func TestP19_LiveHistoryAndSince(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		p := tell(t, r, "t", 1, 5)
		live, late, from := attach(t, r, "live", nil), attach(t, r, "late", nil), attach(t, r, "from", nil)
		live.subscribe("t")
		require.Equal(t, got{Type: "subscribed", Topic: "t", Epoch: p.Epoch, Resume: "fresh", Head: 5}, live.last())
		late.subscribe("t", history(2))
		from.subscribe("t", since(protocol.Cursor{Epoch: p.Epoch, Seq: 1}))
		tell(t, r, "t", 6, 7)
		require.Equal(t, numbered(6, 7), live.heard("t"))
		require.Equal(t, numbered(4, 7), late.heard("t"))
		require.Equal(t, numbered(2, 7), from.heard("t"))
		require.Equal(t, got{Type: "subscribed", Topic: "t", Epoch: p.Epoch, Resume: "replay", Head: 5}, from.all()[0], "before the first frame that it covers")

		live.subscribe("t", history(5))
		require.Equal(t, "up_to_date", live.last().Resume, "subscribing to what is held changes nothing")
		other := attach(t, r, "other", nil)
		other.subscribe("t", since(protocol.Cursor{Epoch: "strange", Seq: 3}))
		require.Equal(t, "too_old", other.all()[0].Resume)
		require.Equal(t, "epoch", other.all()[0].Reason)
		require.Equal(t, numbered(1, 7), other.heard("t"), "what the log has")
		other.subscribe("t", history(3))
		require.Equal(t, "up_to_date", other.last().Resume)
		tell(t, r, "t", 8, 8)
		require.Equal(t, numbered(6, 8), live.heard("t"), "once")
	})
}

func TestP19_ASubscriptionBelongsToTheClient(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		one := attach(t, r, "c", nil)
		one.subscribe("t")
		two := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "2", Transport: "test"}, two)
		tell(t, r, "t", 1, 2)
		require.Equal(t, numbered(1, 2), one.heard("t"))
		require.Equal(t, []uint64{1, 2}, two.seqs(), "every connection of the client reads it")
		one.peer.link.Gone(false)
		r.tellKnown("c", (*client).tell, touchMail{})
		tell(t, r, "t", 3, 4)
		again := attach(t, r, "c", &protocol.Cursor{Epoch: epochOf(t, r, "c"), Seq: 2})
		require.Equal(t, numbered(3, 4), again.heard("t"))
		tell(t, r, "t", 5, 5)
		require.Equal(t, numbered(3, 5), again.heard("t"), "a later live frame arrives exactly once")
		st, err := r.State(context.Background(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"t"}, st.Subscriptions)
	})
}

func epochOf(t *testing.T, r *Registry, id string) string {
	t.Helper()
	st, err := r.State(context.Background(), id)
	require.NoError(t, err)
	return st.Epoch
}

func TestP19_UnsubscribedComesAfterWhatWasThere(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		c.subscribe("t")
		c.peer.hold = true
		tell(t, r, "t", 1, 3)
		c.say(protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "t"})
		tell(t, r, "t", 4, 5)
		c.peer.hold = false
		c.peer.link.Written()
		synctest.Wait()
		require.Equal(t, numbered(1, 3), c.heard("t"))
		require.Equal(t, "unsubscribed", c.last().Type)
		c.say(protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "never.held"})
		require.Equal(t, got{Type: "unsubscribed", Topic: "never.held"}, c.last())
		require.Empty(t, followers(t, r, "t"))
	})
}

func followers(t *testing.T, r *Registry, topic string) (ids []string) {
	t.Helper()
	st, err := r.Topic(context.Background(), topic, "", 100)
	require.NoError(t, err)
	for _, f := range st.Followers {
		ids = append(ids, f.ClientID)
	}
	return ids
}

func TestP32_PatternsAlsoForTopicsNotYetBorn(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		tell(t, r, "jobs.1.log", 1, 3)
		c := attach(t, r, "c", nil)
		c.subscribe("jobs.*.log")
		require.Equal(t, got{Type: "subscribed", Topic: "jobs.*.log", Resume: "fresh"}, c.last())
		c.subscribe("jobs.>")
		c.subscribe("jobs.1.log")
		tell(t, r, "jobs.1.log", 4, 4)
		tell(t, r, "jobs.2.log", 1, 3)
		tell(t, r, "jobs.2.other", 1, 1)
		tell(t, r, "else", 1, 1)
		require.Equal(t, numbered(4, 4), c.heard("jobs.1.log"), "live only, and once however many match")
		require.Equal(t, numbered(1, 3), c.heard("jobs.2.log"), "from its first frame")
		require.Equal(t, numbered(1, 1), c.heard("jobs.2.other"))
		require.Empty(t, c.heard("else"))
		require.Equal(t, []string{"c"}, followers(t, r, "jobs.2.log"))

		c.say(protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "jobs.>"})
		tell(t, r, "jobs.2.other", 2, 2)
		tell(t, r, "jobs.2.log", 4, 4)
		require.Equal(t, numbered(1, 1), c.heard("jobs.2.other"), "no pattern matches it any more")
		require.Equal(t, numbered(1, 4), c.heard("jobs.2.log"), "one still does")
		c.say(protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "jobs.*.log"})
		tell(t, r, "jobs.2.log", 5, 5)
		tell(t, r, "jobs.1.log", 5, 5)
		require.Equal(t, numbered(1, 4), c.heard("jobs.2.log"))
		require.Equal(t, numbered(4, 5), c.heard("jobs.1.log"), "its name is subscribed to")
	})
}

func TestP32_AClosedTopicEndsWithTopicClosed(t *testing.T) {
	everyStore(t, nil, func(t *testing.T, r *Registry) {
		ctx := context.Background()
		away := attach(t, r, "away", nil)
		away.subscribe("job")
		away.peer.link.Gone(false)
		_, err := r.CloseTopic(ctx, "nothing")
		require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code)
		tell(t, r, "job", 1, 3)
		p, err := r.CloseTopic(ctx, "job")
		require.NoError(t, err)
		require.EqualValues(t, 4, p.Seq)
		again, err := r.CloseTopic(ctx, "job")
		require.NoError(t, err)
		require.EqualValues(t, 4, again.Seq)
		require.True(t, again.Duplicate)
		_, err = r.PublishTopic(ctx, "job", Publish{Bodies: []protocol.Body{body(t, `{"type":"x"}`)}})
		require.Equal(t, protocol.CodeConflict, protocol.AsError(err).Code)
		synctest.Wait()

		back := attach(t, r, "away", nil)
		require.Equal(t, append(numbered(1, 3), "4:0"), back.heard("job"))
		require.Equal(t, "topic_closed", back.last().Type)
		late := attach(t, r, "late", nil)
		late.subscribe("job", history(2))
		require.True(t, late.all()[0].Closed)
		require.Equal(t, []string{"3:3", "4:0"}, late.heard("job"))
		page, err := r.ReadTopic(ctx, "job", Read{Limit: 10, Wait: time.Minute, Since: &protocol.Cursor{Epoch: p.Epoch, Seq: 4}})
		require.NoError(t, err)
		require.True(t, page.Closed, "nobody waits for what cannot come")
		require.Equal(t, protocol.ResumeUpToDate, page.Resume)
	})
}

func TestP32_BroadcastWakesNoSleeperAndReachesTheAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		all := func(n int) protocol.TopicPublished {
			p, err := r.Broadcast(ctx, Publish{Bodies: []protocol.Body{body(t, fmt.Sprintf(`{"type":"b","n":%d}`, n))}})
			require.NoError(t, err)
			synctest.Wait()
			return p
		}
		publish(t, r, "sleeper", 1)
		asleep(t, r)
		here := attach(t, r, "here", nil)
		all(1)
		p := all(2)
		require.EqualValues(t, 2, p.Seq)
		require.Equal(t, protocol.AllTopic, p.Topic)
		require.Equal(t, numbered(1, 2), here.heard("_all"))
		require.Nil(t, r.look("sleeper"), "a broadcast wakes no sleeper")
		born := attach(t, r, "born", nil)
		require.Empty(t, born.heard("_all"), "followed from its birth, not from the topic's")
		back := attach(t, r, "sleeper", nil)
		require.Equal(t, numbered(1, 2), back.heard("_all"))
		all(3)
		for _, c := range []*reader{here, born, back} {
			require.Equal(t, "3:3", c.heard("_all")[len(c.heard("_all"))-1])
			require.Equal(t, 1, countOf(c.heard("_all"), "3:3"))
		}
		list, err := r.Topics(ctx, "", 10)
		require.NoError(t, err)
		require.Empty(t, list.Topics, "it is the broker's")
		clients, err := r.List(ctx, "", 10)
		require.NoError(t, err)
		require.Len(t, clients.Clients, 3, "a topic is no client")
	})
}

func countOf(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func TestP19_APublishWakesSleepingFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		r, end := keep(t, keptConfig(), fs)
		for i := range 3 * wakeAtOnce {
			c := attach(t, r, fmt.Sprintf("c%03d", i), nil)
			c.subscribe([]string{"t", "t", "*"}[i%3])
			c.peer.link.Gone(true)
		}
		asleep(t, r)
		tell(t, r, "t", 1, 2)
		list, err := r.List(context.Background(), "", 1000)
		require.NoError(t, err)
		for _, c := range list.Clients {
			require.EqualValues(t, 2, c.Head, "%s has both", c.ClientID)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		require.LessOrEqual(t, r.counters.Awake.Load(), int64(1), "who was woken for a topic goes on sleeping")
		asleep(t, r)
		end()

		r, _ = keep(t, keptConfig(), fs)
		require.Len(t, followers(t, r, "t"), 100)
		synctest.Wait() // what looks at the store at the start has done so
		l := &loads{Keeper: r.disk}
		r.disk = l
		tell(t, r, "t", 3, 3)
		require.Positive(t, l.most.Load())
		require.LessOrEqual(t, l.most.Load(), int64(wakeAtOnce), "a few are woken at a time")
		for i := range 3 * wakeAtOnce {
			c := attach(t, r, fmt.Sprintf("c%03d", i), nil)
			require.Equal(t, numbered(1, 3), c.heard("t"), "%s", c.id)
		}
	})
}

func TestP19_TopicFramesFillHalfOfAnOutbox(t *testing.T) {
	everyStore(t, func(cfg *Config) { cfg.Session.Bounds.Frames = 100 }, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		c.subscribe("t")
		tell(t, r, "t", 1, 1)
		c.say(protocol.Message{Type: protocol.TypeAck, Seq: 1})
		epoch := epochOf(t, r, "c")
		c.peer.link.Gone(false)
		time.Sleep(2 * time.Minute) // its place is over
		tell(t, r, "t", 2, 200)
		publish(t, r, "c", 50)
		st, err := r.State(context.Background(), "c")
		require.NoError(t, err)
		require.EqualValues(t, 101, st.Head, "50 of the topic, and what was published directly")
		require.EqualValues(t, 1, st.Floor, "none of which was pushed out")

		back := attach(t, r, "c", &protocol.Cursor{Epoch: epoch, Seq: 1})
		require.Equal(t, numbered(2, 51), back.heard("t"))
		for len(back.heard("t")) < 199 {
			seqs := back.peer.seqs()
			back.say(protocol.Message{Type: protocol.TypeAck, Seq: seqs[len(seqs)-1]})
		}
		require.Equal(t, numbered(2, 200), back.heard("t"), "the subscription goes on as its reader catches up")
		tell(t, r, "t", 201, 201)
		require.Equal(t, numbered(2, 201), back.heard("t"))
	})
}

func TestP19_WhatTheLogLostIsAHole(t *testing.T) {
	everyStore(t, func(cfg *Config) { cfg.Session.Bounds.Frames, cfg.Topic.Bounds.Frames = 20, 10 }, func(t *testing.T, r *Registry) {
		c := attach(t, r, "c", nil)
		c.subscribe("t")
		tell(t, r, "t", 1, 1)
		c.say(protocol.Message{Type: protocol.TypeAck, Seq: 1})
		c.peer.hold = true
		for n := 2; n <= 41; n++ { // 10 fit in, and the log keeps the last 10
			tell(t, r, "t", n, n)
		}
		c.peer.hold = false
		c.peer.link.Written()
		synctest.Wait()
		require.Equal(t, numbered(1, 11), c.heard("t"))
		c.say(protocol.Message{Type: protocol.TypeAck, Seq: 11})
		require.Equal(t, append(numbered(1, 11), numbered(32, 41)...), c.heard("t"))
		require.EqualValues(t, 20, r.counters.Dropped[8].Load(), "the hole is counted")
	})
}
