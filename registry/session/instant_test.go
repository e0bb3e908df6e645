package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

// twins are two sessions that are told the same. The store of one is asked and confirms every update at once, that of the other is not asked.
type twins struct {
	t            *rapid.T
	asked, not   side
	now          time.Duration
	gens, serial int
	writing      []uint64          // connections with a batch under way
	conns        []uint64          // that have not ended
	sent         map[uint64]uint64 // the last seq that each was given
	logs         map[string][]protocol.Body
	pulls        []session.Pull // to be answered
	over         bool
}

type side struct {
	s  session.Session
	fx session.Effects
}

// said is what an input has brought about, the commits left out.
type said struct {
	Pulls       []session.Pull
	Asks        []session.Ask
	Writes      []session.Write
	Pauses      []session.Pause
	Forwards    []session.Forward
	Settled     []any
	Replies     []session.Reply
	Closes      []session.Close
	Events      []session.Event
	First, Last uint64
	Retire      bool
	Next        time.Duration
}

func (x *side) tell(now time.Duration, input func(*session.Session, *session.Effects)) said {
	fx := &x.fx
	fx.Reset()
	input(&x.s, fx)
	for i := 0; i < len(fx.Commits); i++ {
		x.s.Confirmed(now, fx.Commits[i].Token, nil, false, fx)
	}
	return said{
		append([]session.Pull{}, fx.Pulls...), append([]session.Ask{}, fx.Asks...), append([]session.Write{}, fx.Writes...), append([]session.Pause{}, fx.Pauses...),
		append([]session.Forward{}, fx.Forwards...), append([]any{}, fx.Settled...), append([]session.Reply{}, fx.Replies...), append([]session.Close{}, fx.Closes...),
		append([]session.Event{}, fx.Events...), fx.First, fx.Last, fx.Retire, fx.Next,
	}
}

// tell gives both the input, and holds them to the same answer.
func (w *twins) tell(input func(*session.Session, *session.Effects)) {
	want, got := w.asked.tell(w.now, input), w.not.tell(w.now, input)
	require.Equal(w.t, want, got)
	require.Equal(w.t, w.asked.s.State(true), w.not.s.State(true))
	require.Equal(w.t, w.asked.s.Busy(), w.not.s.Busy())
	require.Equal(w.t, w.asked.s.LastActive(), w.not.s.LastActive())
	for _, x := range got.Writes {
		w.writing = append(w.writing, x.Gen)
		for _, p := range x.Batch {
			w.sent[x.Gen] = max(w.sent[x.Gen], p.Seq)
		}
	}
	for _, x := range got.Closes {
		w.forget(x.Gen)
	}
	for _, p := range got.Pulls {
		if p.Kind == session.PullFrames || p.Kind == session.PullJoin {
			w.pulls = append(w.pulls, p)
		}
	}
	w.over = w.over || got.Retire
}

func (w *twins) forget(gen uint64) {
	w.conns = without(w.conns, gen)
	w.writing = without(w.writing, gen)
}

func without(all []uint64, gone uint64) (rest []uint64) {
	for _, n := range all {
		if n != gone {
			rest = append(rest, n)
		}
	}
	return rest
}

func (w *twins) to() any {
	w.serial++
	return w.serial
}

func (w *twins) Publish(t *rapid.T) {
	p := session.Publish{To: w.to(), Level: session.Level(rapid.IntRange(0, 2).Draw(t, "level"))}
	if rapid.IntRange(0, 3).Draw(t, "nobody waits") == 0 {
		p.To = nil
	}
	for range rapid.IntRange(1, 4).Draw(t, "frames") {
		p.Bodies = append(p.Bodies, protocol.Body(fmt.Sprintf(`{"type":"f","n":%d}`, w.serial)))
	}
	if key := rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(t, "key"); key != "" {
		k := session.IdempotencyKey("me", key)
		p.Record, p.Sum = &k, session.SumOf(p.Bodies)
	}
	w.tell(func(s *session.Session, fx *session.Effects) { s.Publish(w.now, p, fx) })
}

// Append is a publish for one of them, and the short way for the other, which must come to the same.
func (w *twins) Append(t *rapid.T) {
	p := session.Publish{To: w.to()}
	for range rapid.IntRange(1, 4).Draw(t, "frames") {
		p.Bodies = append(p.Bodies, protocol.Body(fmt.Sprintf(`{"type":"f","n":%d}`, w.serial)))
	}
	idle := !w.not.s.Busy()
	var taken session.Taken
	ok := w.not.s.Append(w.now, p.Bodies, &taken)
	require.True(t, ok || !idle || len(p.Bodies) > 1, "nothing is going on")
	if !ok {
		w.tell(func(s *session.Session, fx *session.Effects) { s.Publish(w.now, p, fx) })
		return
	}
	want := w.asked.tell(w.now, func(s *session.Session, fx *session.Effects) { s.Publish(w.now, p, fx) })
	got := w.not.tell(w.now, func(_ *session.Session, fx *session.Effects) {
		fx.Replies = append(fx.Replies, session.Reply{To: p.To, Stored: session.Stored{
			Epoch: w.not.s.Epoch(), First: taken.First, Last: taken.Last, Status: protocol.StatusStored,
		}})
		for _, e := range []session.Event{
			{Kind: session.EventPublished, N: int(taken.Last - taken.First + 1), Bytes: taken.Bytes},
			{Kind: session.EventPrunedCount, N: taken.Pruned.Count}, {Kind: session.EventPrunedBytes, N: taken.Pruned.Bytes}, {Kind: session.EventPrunedAge, N: taken.Pruned.Age},
		} {
			if e.N > 0 {
				fx.Events = append(fx.Events, e)
			}
		}
	})
	require.Equal(w.t, want, got)
	require.Equal(w.t, w.asked.s.State(true), w.not.s.State(true))
	require.Equal(w.t, w.asked.s.LastActive(), w.not.s.LastActive())
	require.False(w.t, w.not.s.Busy() || w.asked.s.Busy())
}

func (w *twins) Attach(t *rapid.T) {
	w.gens++
	in := session.Attach{Gen: uint64(w.gens), ClientID: "c", ConnectionID: fmt.Sprint(w.gens), Takeover: rapid.IntRange(0, 5).Draw(t, "takeover") == 0}
	if rapid.Bool().Draw(t, "since") {
		in.Since = &protocol.Cursor{Seq: rapid.Uint64Range(0, w.asked.s.State(false).Head+1).Draw(t, "seq")}
	}
	w.conns = append(w.conns, in.Gen)
	w.tell(func(s *session.Session, fx *session.Effects) { s.Attach(w.now, in, fx) })
}

func (w *twins) Written(t *rapid.T) {
	if len(w.writing) > 0 {
		gen := rapid.SampledFrom(w.writing).Draw(t, "connection")
		w.writing = without(w.writing, gen)
		w.tell(func(s *session.Session, fx *session.Effects) { s.Written(w.now, gen, fx) })
	}
}

func (w *twins) Ack(t *rapid.T) {
	if len(w.conns) > 0 {
		gen := rapid.SampledFrom(w.conns).Draw(t, "connection")
		m := protocol.Message{Type: protocol.TypeAck, Seq: rapid.Uint64Range(0, w.sent[gen]+1).Draw(t, "seq")}
		w.tell(func(s *session.Session, fx *session.Effects) { s.Message(w.now, gen, m, nil, fx) })
	}
}

func (w *twins) Gone(t *rapid.T) {
	if len(w.conns) > 0 {
		gen, left := rapid.SampledFrom(w.conns).Draw(t, "connection"), rapid.Bool().Draw(t, "left")
		w.forget(gen)
		w.tell(func(s *session.Session, fx *session.Effects) { s.Gone(w.now, gen, left, fx) })
	}
}

func (w *twins) Read(t *rapid.T) {
	in := session.Read{To: w.to(), Limit: rapid.IntRange(1, 5).Draw(t, "limit"), Wait: rapid.Bool().Draw(t, "wait")}
	in.Since = &protocol.Cursor{Seq: rapid.Uint64Range(0, w.asked.s.State(false).Head).Draw(t, "seq")}
	w.tell(func(s *session.Session, fx *session.Effects) { s.Read(w.now, in, fx) })
}

func (w *twins) GiveUp(t *rapid.T) {
	to := rapid.IntRange(0, w.serial).Draw(t, "who")
	w.tell(func(s *session.Session, fx *session.Effects) { s.GiveUp(w.now, to, fx) })
}

func (w *twins) Snapshot(t *rapid.T) {
	to, asOf := w.to(), protocol.Cursor{Seq: rapid.Uint64Range(0, w.asked.s.State(false).Head).Draw(t, "as of")}
	w.tell(func(s *session.Session, fx *session.Effects) {
		asOf.Epoch = s.Epoch().String()
		s.PutSnapshot(w.now, asOf, []byte(`{"sum":1}`), to, fx)
	})
}

func (w *twins) Time(t *rapid.T) {
	w.now += rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour}).Draw(t, "time")
	w.tell(func(s *session.Session, fx *session.Effects) { s.Tick(w.now, fx) })
}

func (w *twins) Judge(*rapid.T) {
	w.tell(func(s *session.Session, fx *session.Effects) { s.Judge(w.now, false, fx) })
	w.reborn()
}

func (w *twins) Delete(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
		to := w.to()
		w.tell(func(s *session.Session, fx *session.Effects) { s.Delete(w.now, to, fx) })
		w.reborn()
	}
}

// reborn begins the next life where the one before has ended.
func (w *twins) reborn() {
	if w.over {
		w.over, w.pulls = false, nil
		w.tell(func(s *session.Session, fx *session.Effects) {
			s.Ended(fx)
			s.Reborn(w.now, fx)
		})
	}
}

func (w *twins) Recover(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
		w.tell(func(s *session.Session, fx *session.Effects) { s.Recover(w.now, fx) })
		w.pulls = nil
	}
}

func (w *twins) Subscribe(t *rapid.T) {
	in := session.Subscribe{Topic: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"), History: rapid.IntRange(-1, 5).Draw(t, "history"), To: w.to()}
	w.tell(func(s *session.Session, fx *session.Effects) { s.Subscribe(w.now, in, fx) })
}

func (w *twins) Unsubscribe(t *rapid.T) {
	in := session.Subscribe{Topic: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"), To: w.to()}
	w.tell(func(s *session.Session, fx *session.Effects) { s.Unsubscribe(w.now, in, fx) })
}

// News appends to a topic, followed or not.
func (w *twins) News(t *rapid.T) {
	topic := rapid.SampledFrom([]string{"a", "b", protocol.AllTopic}).Draw(t, "topic")
	before := uint64(len(w.logs[topic]))
	for range rapid.IntRange(1, 4).Draw(t, "frames") {
		w.serial++
		b := protocol.WithTopic(protocol.Body(fmt.Sprintf(`{"type":"t","n":%d}`, w.serial)), topic, uint64(len(w.logs[topic]))+1)
		w.logs[topic] = append(w.logs[topic], b)
	}
	p := &session.Pulled{Topic: topic, Head: uint64(len(w.logs[topic])), After: before, Frames: w.logs[topic][before:]}
	if rapid.IntRange(0, 3).Draw(t, "poke") == 0 {
		p.After, p.Frames = p.Head, nil
	}
	w.tell(func(s *session.Session, fx *session.Effects) { s.News(w.now, p, fx) })
}

// Answer is a topic's to what it was asked.
func (w *twins) Answer(t *rapid.T) {
	if len(w.pulls) == 0 {
		return
	}
	q := w.pulls[0]
	w.pulls = w.pulls[1:]
	log := w.logs[q.Topic]
	p := &session.Pulled{Topic: q.Topic, Token: q.Token, Life: q.Life, Epoch: "e", Head: uint64(len(log)), Resume: protocol.ResumeFresh, After: q.After}
	if q.Kind == session.PullFrames && q.After <= p.Head {
		p.Frames = log[q.After:min(p.Head, q.After+uint64(q.Frames))]
	}
	w.tell(func(s *session.Session, fx *session.Effects) { s.Pulled(w.now, p, fx) })
}

func (w *twins) Check(*rapid.T) {}

// TestP26_InstantIsAnUpdateThatIsConfirmedAtOnce: a session that does not ask a store which keeps nothing does the same as one that asks it.
func TestP26_InstantIsAnUpdateThatIsConfirmedAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twins{t: t, now: time.Second, sent: map[uint64]uint64{}, logs: map[string][]protocol.Body{}}
		bounds := outbox.Bounds{
			Frames: rapid.SampledFrom([]int{0, 4, 40}).Draw(t, "frames"), Bytes: rapid.SampledFrom([]int64{0, 500}).Draw(t, "bytes"), Age: time.Minute,
		}
		for _, x := range []*side{&w.asked, &w.not} {
			epoch := uint64(0)
			x.s = session.New(&session.Config{
				Bounds: bounds, ResumeWindow: time.Minute, MaxConnections: 2, RecordTTL: time.Hour, MaxRecords: 2,
				ClientTTL: time.Hour, SnapshotTimeout: 5 * time.Second, Generation: 1, Instant: x == &w.not,
				NewEpoch: func() uint64 { epoch++; return epoch },
			}, w.now)
		}
		t.Repeat(rapid.StateMachineActions(w))
		frames := w.asked.s.State(false).Head
		for range frames {
			w.Written(t)
		}
	})
}
