package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

// follower is a client that follows topics, with logs, a store and a reader of which everything may be late, fail, or end.
type follower struct {
	t   *rapid.T
	cfg *session.Config
	s   session.Session
	fx  session.Effects
	now time.Duration

	logs    map[string]*log
	mail    []func()       // what topics have said and the client has not heard, in order
	commits []stored       // not answered, oldest first
	disk    disked         // what is confirmed
	sent    []frameOf      // confirmed in the outbox, by all lives of the process
	made    int            // frames so far
	issued  int            // updates so far
	direct  int            // of them published directly
	gen     uint64         // of the connection; 0 for none
	batch   bool           // one is under way
	read    uint64         // the last seq that was written
	replies map[int]string // answers to subscribes without a connection
	calls   int
	asked   []int // which of them this process owes an answer
}

type log struct {
	bodies []protocol.Body // of all frames ever: topic_seq is the index plus 1
	floor  uint64
	heard  uint64 // the last topic_seq that is confirmed in the outbox
	begins bool   // it is or was not followed: the next one may be any
	since  int    // of an update after this one
}

type stored struct {
	n      int
	c      session.Commit
	bodies []protocol.Body
	is     session.Saved
}

type disked struct {
	is       session.Saved
	frames   []protocol.Body // of (0, Head]
	follows  map[string]session.Followed
	patterns map[string]bool
}

type frameOf struct {
	topic string
	seq   uint64
}

var followed = []string{"a", "b.1", "b.2", "c"}

func (w *follower) step(f func()) {
	w.now += time.Duration(rapid.IntRange(0, 3).Draw(w.t, "later")) * 300 * time.Millisecond
	w.fx.Reset()
	f()
	w.obey()
}

func (w *follower) obey() {
	for _, k := range w.fx.Commits {
		w.issued++
		c := stored{n: w.issued, c: k, bodies: w.s.Appended(nil, k.First, k.Last)}
		c.c.Follows, c.c.Patterns = slices.Clone(k.Follows), slices.Clone(k.Patterns)
		if k.Is != nil {
			c.is = *k.Is
		}
		w.commits = append(w.commits, c)
	}
	for _, p := range w.fx.Pulls {
		w.pull(p)
	}
	for _, x := range w.fx.Writes {
		w.batch = true
		for _, p := range x.Batch {
			var hello protocol.Hello
			if p.Seq == 0 && json.Unmarshal(p.Body, &hello) == nil && hello.Resume == protocol.ResumeTooOld {
				w.read = hello.Floor
			}
			if p.Seq > 0 {
				require.Equal(w.t, w.read+1, p.Seq)
				w.read = p.Seq
			}
		}
	}
	for _, r := range w.fx.Replies {
		if n, ok := r.To.(int); ok {
			require.Empty(w.t, w.replies[n], "answered twice")
			w.replies[n] = string(r.Frame)
			if r.Err != nil {
				w.replies[n] = r.Err.Error()
			}
		}
	}
	for range w.fx.Closes {
		w.gen = 0
	}
}

// pull answers at once, and is heard later: as a topic's turn does it.
func (w *follower) pull(p session.Pull) {
	answer := &session.Pulled{Topic: p.Topic, Token: p.Token, Life: p.Life}
	l := w.logs[p.Topic]
	switch p.Kind {
	case session.PullLeave:
		return
	case session.PullList:
		var topics []string
		for _, t := range followed {
			if w.logs[t] != nil && protocol.Matches(p.Topic, t) {
				topics = append(topics, t)
			}
		}
		w.mail = append(w.mail, func() { w.s.Listed(w.now, p.Topic, topics, nil, &w.fx) })
		return
	case session.PullJoin:
		if l == nil && p.Make {
			l = &log{begins: true}
			w.logs[p.Topic] = l
		}
	}
	if l == nil {
		answer.Err = protocol.Errorf(protocol.CodeNotFound, "no topic")
	} else {
		answer.Floor, answer.Head = l.floor, uint64(len(l.bodies))
		answer.Resume = protocol.ResumeFresh
		answer.After = max(p.After, l.floor)
		if p.Kind == session.PullFrames {
			answer.Frames = l.bodies[answer.After:min(answer.Head, answer.After+uint64(p.Frames))]
		}
	}
	w.mail = append(w.mail, func() { w.s.Pulled(w.now, answer, &w.fx) })
}

// Publish appends to a topic, whose log may lose its beginning.
func (w *follower) Publish(t *rapid.T) {
	w.publish(t, rapid.SampledFrom(append(followed, protocol.AllTopic)).Draw(t, "topic"))
}

func (w *follower) publish(t *rapid.T, topic string) {
	l := w.logs[topic]
	if l == nil {
		l = &log{begins: topic != protocol.AllTopic}
		w.logs[topic] = l
	}
	before := uint64(len(l.bodies))
	if before == 0 { // its first news tells those who follow by a pattern that it is there
		w.mail = append(w.mail, func() { w.s.Born(w.now, topic, &w.fx) })
	}
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		w.made++
		l.bodies = append(l.bodies, protocol.WithTopic(protocol.Body(fmt.Sprintf(`{"type":"x","n":%d}`, w.made)), topic, uint64(len(l.bodies)+1)))
	}
	if rapid.IntRange(0, 3).Draw(t, "prune") == 0 {
		l.floor = max(l.floor, uint64(len(l.bodies)-min(len(l.bodies), 6)))
	}
	p := &session.Pulled{Topic: topic, Floor: l.floor, Head: uint64(len(l.bodies)), After: before, Frames: l.bodies[before:]}
	if rapid.Bool().Draw(t, "poke") {
		p.After, p.Frames = p.Head, nil
	}
	w.mail = append(w.mail, func() { w.s.News(w.now, p, &w.fx) })
}

func (w *follower) Direct(*rapid.T) {
	w.direct++
	w.step(func() {
		w.s.Publish(w.now, session.Publish{Bodies: []protocol.Body{protocol.Body(fmt.Sprintf(`{"type":"d","n":%d}`, w.direct))}}, &w.fx)
	})
}

func (w *follower) Hear(*rapid.T) {
	if len(w.mail) > 0 {
		f := w.mail[0]
		w.mail = w.mail[1:]
		w.step(f)
	}
}

func (w *follower) Subscribe(t *rapid.T) {
	topic := rapid.SampledFrom(append(followed, "b.*", ">")).Draw(t, "to")
	in := session.Subscribe{Topic: topic, History: -1, To: w.calls}
	w.asked = append(w.asked, w.calls)
	w.calls++
	if !protocol.IsPattern(topic) && rapid.Bool().Draw(t, "history") {
		in.History = rapid.IntRange(0, 8).Draw(t, "N")
	}
	w.step(func() { w.s.Subscribe(w.now, in, &w.fx) })
}

func (w *follower) Unsubscribe(t *rapid.T) {
	topic := rapid.SampledFrom(append(followed, "b.*", ">")).Draw(t, "from")
	for name, l := range w.logs {
		if name != protocol.AllTopic && protocol.Matches(topic, name) {
			l.begins, l.since = true, w.issued
		}
	}
	w.asked = append(w.asked, w.calls)
	w.step(func() { w.s.Unsubscribe(w.now, session.Subscribe{Topic: topic, To: w.calls}, &w.fx) })
	w.calls++
}

func (w *follower) Confirm(t *rapid.T) {
	if len(w.commits) == 0 {
		return
	}
	c := w.commits[0]
	w.commits = w.commits[1:]
	if rapid.IntRange(0, 19).Draw(t, "fails") == 0 { // and with it all that were under way
		failing := append([]stored{c}, w.commits...)
		w.commits = nil
		for _, c := range failing {
			w.step(func() { w.s.Confirmed(w.now, c.c.Token, errors.New("no"), false, &w.fx) })
		}
		return
	}
	w.keep(c)
	w.step(func() { w.s.Confirmed(w.now, c.c.Token, nil, false, &w.fx) })
}

// keep is what the disk does with an update.
func (w *follower) keep(c stored) {
	w.disk.is = c.is
	if c.c.First > 0 {
		w.disk.frames = append(w.disk.frames[:c.c.First-1], c.bodies...)
		for _, b := range c.bodies {
			w.confirmed(c.n, b)
		}
	}
	if !w.cfg.Kept {
		return
	}
	for _, f := range c.c.Follows {
		_, had := w.disk.follows[f.Topic]
		require.Equal(w.t, f.New, !had && !f.Gone, "%+v, while the store has %v", f, had)
		if delete(w.disk.follows, f.Topic); !f.Gone {
			w.disk.follows[f.Topic] = f
		}
	}
	for _, p := range c.c.Patterns {
		if delete(w.disk.patterns, p.Pattern); !p.Gone {
			w.disk.patterns[p.Pattern] = true
		}
	}
	require.Equal(w.t, len(w.disk.follows)+len(w.disk.patterns), c.is.Follows, "%v %v", w.disk.follows, w.disk.patterns)
}

// confirmed holds a frame to P-19: in the order of its topic, once, and none left out that the log still had.
func (w *follower) confirmed(n int, b protocol.Body) {
	if !protocol.OfTopic(b) {
		return
	}
	in, err := protocol.ParseIncoming(protocol.AppendFrame(nil, 1, b))
	require.NoError(w.t, err)
	l := w.logs[in.Topic]
	require.Equal(w.t, string(l.bodies[in.TopicSeq-1]), string(b))
	w.sent = append(w.sent, frameOf{in.Topic, in.TopicSeq})
	require.True(w.t, in.TopicSeq > l.heard || l.begins, "%s comes again: %d after %d", in.Topic, in.TopicSeq, l.heard)
	whole := in.TopicSeq == l.heard+1 || l.floor+1 >= in.TopicSeq || l.begins
	require.True(w.t, whole, "%s: %d comes after %d, and the log is whole from %d on", in.Topic, in.TopicSeq, l.heard, l.floor+1)
	l.heard, l.begins = in.TopicSeq, l.begins && n <= l.since
}

func (w *follower) Attach(*rapid.T) {
	if w.gen != 0 {
		return
	}
	w.calls++
	w.gen, w.batch = uint64(w.calls)+1, false
	since := &protocol.Cursor{Epoch: w.s.Epoch().String(), Seq: w.read}
	w.step(func() { w.s.Attach(w.now, session.Attach{Gen: w.gen, ConnectionID: "x", Since: since}, &w.fx) })
}

func (w *follower) Written(*rapid.T) {
	if w.gen != 0 && w.batch {
		w.batch = false
		w.step(func() { w.s.Written(w.now, w.gen, &w.fx) })
	}
}

func (w *follower) Ack(*rapid.T) {
	if w.gen != 0 {
		w.step(func() { w.s.Message(w.now, w.gen, protocol.Message{Type: protocol.TypeAck, Seq: w.read}, nil, &w.fx) })
	}
}

func (w *follower) Leave(*rapid.T) {
	if w.gen != 0 {
		w.step(func() { w.s.Gone(w.now, w.gen, true, &w.fx) })
		w.gen, w.batch = 0, false
	}
}

// Crash is the process's end and the next one's start: what was not confirmed may be kept or not, from its end on.
func (w *follower) Crash(t *rapid.T) {
	if !w.cfg.Kept {
		return
	}
	for _, c := range w.commits[:rapid.IntRange(0, len(w.commits)).Draw(t, "kept")] {
		w.keep(c)
	}
	w.commits, w.mail, w.gen, w.batch, w.asked = nil, nil, 0, false, nil
	if w.disk.is.Epoch == 0 { // the store has nothing
		w.s = session.New(w.cfg, w.now)
		w.read = 0
		for _, l := range w.logs { // it begins where they are
			l.begins = true
		}
		return
	}
	is := w.disk.is
	w.disk.frames = w.disk.frames[:is.Head]
	w.s = session.Restore(w.cfg, is, 0)
	for _, b := range w.disk.frames[is.Floor:] {
		w.s.RestoreFrame(b, len(b), w.now, protocol.OfTopic(b))
	}
	for _, topic := range followed {
		if f, ok := w.disk.follows[topic]; ok {
			f.New = false
			w.s.RestoreFollow(f)
		}
	}
	for p := range w.disk.patterns {
		w.s.RestorePattern(p)
	}
	w.step(func() {
		w.s.Restored(w.now, false, &w.fx)
		w.s.News(w.now, &session.Pulled{Topic: protocol.AllTopic, Head: w.allHead()}, &w.fx)
	})
	for topic, l := range w.logs { // those that were never announced are now
		if l := l; topic != protocol.AllTopic && len(l.bodies) > 0 {
			w.mail = append(w.mail, func() { w.s.Born(w.now, topic, &w.fx) })
		}
	}
}

func (w *follower) allHead() uint64 {
	if l := w.logs[protocol.AllTopic]; l != nil {
		return uint64(len(l.bodies))
	}
	return 0
}

func (w *follower) Check(*rapid.T) {}

// settle lets everything come to its end, with a reader that applies what it gets, and then holds that nothing is missing.
func (w *follower) settle(t *rapid.T) {
	for i := 0; ; i++ {
		require.Less(t, i, 10_000, "it does not come to rest")
		switch {
		case len(w.mail) > 0:
			w.Hear(t)
		case len(w.commits) > 0:
			c := w.commits[0]
			w.commits = w.commits[1:]
			w.keep(c)
			w.step(func() { w.s.Confirmed(w.now, c.c.Token, nil, false, &w.fx) })
		case w.gen == 0:
			w.Attach(t)
		case w.batch:
			w.Written(t)
		case w.s.State(false).Acked < w.read:
			w.Ack(t)
		default:
			return
		}
	}
}

// TestP19_RandomOperations: whatever is late, fails or ends, a follower's outbox has each frame of its topics once and in order, with the cursor in the
// store that says so, and in the end nothing is missing that a log still had.
func TestP19_RandomOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &follower{t: t, logs: map[string]*log{}, replies: map[int]string{}}
		w.disk = disked{follows: map[string]session.Followed{}, patterns: map[string]bool{}}
		epoch := uint64(0)
		w.cfg = &session.Config{
			Bounds: outbox.Bounds{Frames: rapid.SampledFrom([]int{4, 20, 1000}).Draw(t, "bound")}, MaxConnections: 2, Generation: 1,
			Kept: rapid.Bool().Draw(t, "kept"), AllHead: w.allHead,
			NewEpoch: func() uint64 { epoch++; return epoch },
		}
		w.s = session.New(w.cfg, 0)
		t.Repeat(rapid.StateMachineActions(w))
		w.settle(t)
		for _, topic := range append(followed, protocol.AllTopic) {
			w.publish(t, topic) // a later live frame arrives, and exactly once
		}
		w.settle(t)
		held := w.s.State(true).Subscriptions
		for topic, l := range w.logs {
			follows := topic == protocol.AllTopic || slices.ContainsFunc(held, func(p string) bool { return protocol.Matches(p, topic) })
			if follows {
				require.EqualValues(t, len(l.bodies), l.heard, "%s is not complete; held: %v", topic, held)
			}
		}
		for _, n := range w.asked {
			require.NotEmpty(t, w.replies[n], "call %d was never answered", n)
		}
	})
}
