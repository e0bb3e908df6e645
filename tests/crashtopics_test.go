package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// followWorld is a world whose publishers publish to topics, and whose readers follow them.
type followWorld struct {
	*world
	topics    []string
	followers []*crashFollower
	writers   []*topicWriter
	// forgets says that a kill may lose the end of what was confirmed, which is told as a new epoch.
	forgets bool
}

// topicWriter publishes its own frames, numbered, to one topic, one to five a call, and repeats none.
type topicWriter struct {
	w     *followWorld
	n     int
	topic string
	rnd   *rand.Rand
	told  []toldCall // what was answered
	sent  int
}

type toldCall struct {
	from, count int
	first       uint64
	epoch       string
}

func (p *topicWriter) run() error {
	for p.w.ctx.Err() == nil {
		count := 1 + p.rnd.IntN(5)*p.rnd.IntN(2)
		var frames []string
		for i := range count {
			frames = append(frames, deed(p.n, p.sent+1+i))
		}
		from := p.sent + 1
		p.sent += count
		got, err := p.w.e.tryTell(p.w.all, p.topic, frames...)
		switch {
		case p.w.all.Err() != nil:
			return nil // the test has failed elsewhere
		case err == nil && got.Seq-got.FirstSeq+1 != uint64(count):
			return fmt.Errorf("%d frames were published, and answered with %+v", count, got)
		case err == nil:
			p.told = append(p.told, toldCall{from, count, got.FirstSeq, got.Epoch})
			p.w.answered()
		case !broke(err):
			return err
		default:
			p.w.again(p.rnd)
		}
	}
	return nil
}

// newFollowWorld subscribes clients by name and by pattern before the first kill, and ends that server in order.
func newFollowWorld(t *testing.T, h *home, forgets bool, clients int) *followWorld {
	t.Helper()
	w := &followWorld{world: newWorld(t, h, crashSeedNow(), 0, 0), topics: []string{"a", "b.1", "b.2", "c.x.y"}, forgets: forgets}
	for n := range 8 {
		w.writers = append(w.writers, &topicWriter{w: w, n: n, topic: w.topics[n%4], rnd: rand.New(rand.NewPCG(w.seed, uint64(20_000+n)))})
	}
	h.start()
	for n := range clients {
		f := &crashFollower{w: w, id: fmt.Sprintf("f%d", n), rnd: rand.New(rand.NewPCG(w.seed, uint64(30_000+n))), follows: map[string]bool{},
			ended: map[string]bool{}, got: map[string]*heardLog{}, safe: map[string]uint64{}}
		switch n % 4 {
		case 1:
			f.away = 1500
		case 2:
			f.asleep = true
		}
		subscriptions := [][]string{{"a"}, {"b.*"}, {">"}, {"a", "b.1", "b.*"}, {"c.>", "*"}}[n%5]
		for _, s := range subscriptions {
			w.e.subscribeAway(f.id, s)
			for _, topic := range w.topics {
				if protocol.Matches(s, topic) {
					f.follows[topic] = true
				}
			}
		}
		w.followers = append(w.followers, f)
	}
	h.stop()
	return w
}

// fire kills servers, comes to an end, and holds every follower to every topic's log, and the logs to what publishers were told.
func (w *followWorld) fire(kills int) {
	w.t.Helper()
	var writing, reading sync.WaitGroup
	for _, p := range w.writers {
		writing.Go(func() {
			if err := p.run(); err != nil {
				w.fail(fmt.Errorf("publisher %d: %w", p.n, err))
			}
		})
	}
	for _, f := range w.followers {
		reading.Go(func() {
			if err := f.run(); err != nil {
				w.fail(fmt.Errorf("follower %s: %w", f.id, err))
			}
		})
	}
	rnd := rand.New(rand.NewPCG(w.seed, 1))
	for k := 0; k < kills && w.ctx.Err() == nil; k++ {
		w.oneLife(rnd, k > 0 && rnd.IntN(5) == 0)
	}
	if w.all.Err() == nil {
		w.home.start()
		w.up()
		w.progress()
	}
	w.stop()
	writing.Wait()
	for _, topic := range w.topics {
		if w.all.Err() == nil {
			w.e.tell(topic, `{"type":"end"}`)
		}
	}
	late := time.AfterFunc(2*patience, func() { w.fail(errors.New("not all followers have been given all frames")) })
	reading.Wait()
	late.Stop()
	for _, f := range w.followers {
		for topic := range f.follows {
			if l := f.got[topic]; w.all.Err() != nil && !f.ended[topic] {
				w.t.Logf("%s (%v, asleep %t), at %d, lacks what is behind %d of %s", f.id, f.follows, f.asleep, f.cursor, l.upTo(), topic)
			}
		}
	}
	w.sound()

	logs, confirmed, resets := map[string][]uint64{}, 0, 0
	for _, topic := range w.topics {
		frames, epoch := w.e.rawLog(topic)
		for _, raw := range frames {
			logs[topic] = append(logs[topic], hashOf(raw[1:]))
		}
		confirmed += w.hold(topic, epoch, frames)
	}
	for _, f := range w.followers {
		require.NoError(w.t, f.compare(logs), f.id)
		resets += f.resets
	}
	require.Positive(w.t, confirmed)
	w.t.Logf("%d kills, %d confirmed calls, %d new epochs told, %d connections broke, %d were cut", kills, confirmed, resets, w.breaks.Load(), w.cuts.Load())
	if w.forgets {
		require.Positive(w.t, resets)
	}
}

// hold holds a topic's log to what its publishers were told in the epoch that it has now, and to no frame being in it twice.
func (w *followWorld) hold(topic, epoch string, frames []string) (confirmed int) {
	w.t.Helper()
	at := map[string]bool{}
	for _, raw := range frames {
		_, body, _ := strings.Cut(raw, `"type"`)
		require.True(w.t, !at[body], "twice in %s: %.200s", topic, raw)
		at[body] = true
	}
	for _, p := range w.writers {
		if p.topic != topic {
			continue
		}
		for _, c := range p.told {
			if c.epoch != epoch {
				require.True(w.t, w.forgets, "the epoch of %s has changed from %s to %s", topic, c.epoch, epoch)
				continue
			}
			confirmed++
			for i := range c.count {
				seq := c.first + uint64(i)
				require.LessOrEqual(w.t, seq, uint64(len(frames)), "%s has lost the end of what was confirmed", topic)
				want := fmt.Sprintf(`{"topic":%q,"topic_seq":%d,`, topic, seq) + deed(p.n, c.from+i)[1:]
				require.True(w.t, want == frames[seq-1], "%s: confirmed as %d was %.100s, there is %.100s", topic, seq, want, frames[seq-1])
			}
		}
	}
	return confirmed
}

// rawLog reads a topic's whole log, which has lost nothing to its bounds.
func (e *endpoint) rawLog(topic string) (frames []string, epoch string) {
	e.t.Helper()
	for q := ""; ; {
		page := get[protocol.TopicPage](e, topicPath(topic, "/frames"+q))
		require.Zero(e.t, page.Floor)
		for _, f := range page.Frames {
			frames = append(frames, string(f))
			var s struct {
				Seq uint64 `json:"topic_seq"`
			}
			require.NoError(e.t, json.Unmarshal(f, &s))
			require.EqualValues(e.t, len(frames), s.Seq, "a hole in the log")
		}
		if !page.More {
			return frames, page.Epoch
		}
		q = "?since=" + url.QueryEscape(page.Cursor)
	}
}

var wide = []string{"--max-frames", "1000000", "--max-outbox-bytes", "1GiB", "--topic-frames", "131072", "--topic-bytes", "1GiB", "--sleep-after", "300ms"}

// TestP19_FollowersOfKilledBrokers: with a store that syncs each group every follower gets every frame of the logs once and in order, and the logs have
// all that was confirmed.
func TestP19_FollowersOfKilledBrokers(t *testing.T) {
	h := newHome(t, append([]string{"--sync", "always"}, wide...)...)
	w := newFollowWorld(t, h, false, 40)
	w.fire(max(8, *kills/2))

	// And the next life: nothing comes again, and what is live comes once.
	h.now.kill()
	h.check()
	e := h.start()
	for _, f := range w.followers {
		c := e.attach(f.id, "since", fmt.Sprintf("%s:%d", f.epoch, f.cursor))
		require.Equal(t, f.epoch, c.hello.Epoch)
		require.NotEqual(t, protocol.ResumeTooOld, c.hello.Resume, c.hello.Raw) // what was live for those before it is missed by this one
		topic := slices.Min(slices.Collect(maps.Keys(f.follows)))
		p := e.tell(topic, `{"type":"live"}`)
		c.hearsOnce(topic, p.Seq)
		c.cut()
	}
}

// hearsOnce reads up to the topic's frame seq, and holds that one to come once.
func (s *socket) hearsOnce(topic string, seq uint64) {
	s.e.t.Helper()
	for f := s.heard(1)[0]; f.Topic != topic || f.TopicSeq != seq; f = s.heard(1)[0] {
		require.True(s.e.t, f.Topic != topic || f.TopicSeq < seq, "%s: %d came before %d", topic, f.TopicSeq, seq)
	}
	for _, m := range s.sync() {
		f := readTopicFrame(s.e.t, []byte(m.Raw))
		require.False(s.e.t, f.Topic == topic && f.TopicSeq <= seq, "twice: %s", m.Raw)
	}
}

// TestP26_FollowersOfKilledBrokersThatSyncByAndBy: with a store that may lose the end of what it confirmed the log that is left has no hole, nor has
// what any follower was sent of it in an epoch of its outbox, and no frame comes twice in one.
func TestP26_FollowersOfKilledBrokersThatSyncByAndBy(t *testing.T) {
	h := newHome(t, append([]string{"--sync", "interval:50ms"}, wide...)...)
	newFollowWorld(t, h, true, 40).fire(max(8, *kills/2))
	h.now.kill()
	h.check()
}

// TestP19_KilledRightBehindTheAnswer publishes one frame to 400 followers, and kills the broker when it has answered: the topic has the frame, and most
// outboxes do not, as the store that is left says.
func TestP19_KilledRightBehindTheAnswer(t *testing.T) {
	const followers, rounds = 400, 8
	h := newHome(t, "--sleep-after", "200ms")
	e := h.start()
	for i := range followers {
		e.subscribeAway(fmt.Sprintf("f%d", i), []string{"t", "*"}[i%2])
	}
	between := 0
	for n := 1; n <= rounds; n++ {
		require.EqualValues(t, n, e.tell("t", numbered(n, 20)).Seq)
		h.now.kill()
		c := runBinary(t, h.binary, nil, "store", "check", h.dir)
		require.Zero(t, c.done(), "%s\n%s", c.stdout, c.stderr)
		var clients, frames int
		_, err := fmt.Sscanf(c.stdout.String(), "%d clients, %d frames", &clients, &frames)
		require.NoError(t, err, "%s", c.stdout)
		if frames < n*(followers+1) {
			between++
		}
		e = h.start()
	}
	t.Logf("%d of %d kills came between a topic and its followers", between, rounds)
	require.Positive(t, between, "no kill came between a topic and its followers")
	for i := range followers {
		c := e.attach(fmt.Sprintf("f%d", i))
		c.hears("t", 1, rounds)
		require.Empty(t, c.sync())
		c.cut()
	}
	c := e.attach("f0")
	c.hears("t", 1, rounds)
	c.goesOn("t", rounds)
	h.stop()
	h.check()
}
