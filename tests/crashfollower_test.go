package tests

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// crashFollower is an application that follows topics over servers that die: it keeps its cursor, drops what it has, starts over where it is told of a
// new epoch, acks now and then, and is cut off, away, or, asleep, not there before all has been published.
type crashFollower struct {
	w       *followWorld
	id      string
	rnd     *rand.Rand
	asleep  bool
	away    int             // how long it is away at most after a cut, in milliseconds
	follows map[string]bool // the topics that its subscriptions match

	epoch         string // of its outbox; "" before the first hello
	cursor, acked uint64
	ended         map[string]bool
	got           map[string]*heardLog
	safe          map[string]uint64 // the last topic_seq of each topic that was acked: what comes after a new epoch begins there or before
	resets        int
}

// heardLog is what a follower has of one topic, in this epoch of its outbox: hashes of the frames from first on, one after the other.
type heardLog struct {
	first  uint64
	hashes []uint64
}

func (l *heardLog) next() uint64 { return l.first + uint64(len(l.hashes)) }

// upTo is the last frame that was heard, 0 for none.
func (l *heardLog) upTo() uint64 {
	if l == nil {
		return 0
	}
	return l.next() - 1
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

func (f *crashFollower) run() error {
	if f.asleep {
		<-f.w.ctx.Done()
	}
	for !f.done() {
		switch err := f.once(); {
		case f.w.all.Err() != nil:
			return nil // the test has failed elsewhere
		case err == nil:
			f.w.cuts.Add(1)
			if f.away > 0 {
				within(f.away, f.rnd, f.w.ctx.Done())
			}
		case errors.Is(err, errHole) || !isEnd(err):
			return err
		default:
			f.w.again(f.rnd)
		}
	}
	return nil
}

func (f *crashFollower) done() bool { return len(f.ended) == len(f.follows) }

// once is one connection. nil: the follower left by itself.
func (f *crashFollower) once() error {
	d := dialing{query: query(f.id)}
	if f.epoch != "" {
		d.query.Set("since", fmt.Sprintf("%s:%d", f.epoch, f.cursor))
		f.ack() // an attach is as good as an ack
	}
	c, err := f.w.e.upgrade(d)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	cut := make(chan struct{})
	life := time.AfterFunc(time.Duration(f.rnd.IntN(2500))*time.Millisecond, func() { close(cut); c.cut() })
	defer life.Stop()
	for !f.done() {
		ev, err := c.read()
		select {
		case <-cut:
			if err != nil && isEnd(err) {
				return nil
			}
		default:
		}
		switch {
		case err != nil:
			return err
		case ev.op == ws.OpClose:
			return fmt.Errorf("closed with %d %s", ev.code, ev.reason)
		case ev.msg == nil:
			continue
		}
		if err := f.take(c, ev.msg); err != nil {
			return err
		}
	}
	return nil
}

func (f *crashFollower) ack() {
	f.acked = f.cursor
	for topic, l := range f.got {
		f.safe[topic] = max(f.safe[topic], l.next()-1)
	}
}

func (f *crashFollower) take(c *socket, m *message) error {
	switch {
	case m.Seq > f.cursor:
		if m.Seq != f.cursor+1 {
			return fmt.Errorf("%w: the application has %d, then came %d", errHole, f.cursor, m.Seq)
		}
		f.cursor = m.Seq
		if err := f.frame(m); err != nil {
			return err
		}
		if f.rnd.IntN(20) == 0 {
			f.ack()
			_ = c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, f.cursor)) // an error shows at the next read
		}
	case m.Seq > 0 || m.Type == "replay_end":
	case m.Type == "hello":
		return f.hello(m)
	case m.Type == "ping":
		_ = c.text(`{"type":"pong"}`)
	default:
		return fmt.Errorf("the server says %s", m.Raw)
	}
	return nil
}

// hello begins a connection: at the cursor, or, in a world whose store may lose the end of what it confirmed, in a new epoch from the floor.
func (f *crashFollower) hello(m *message) error {
	switch {
	case f.epoch == "" && m.Floor != 0:
		return fmt.Errorf("the first attach begins at floor %d", m.Floor)
	case f.epoch == m.Epoch && (m.Resume == protocol.ResumeReplay || m.Resume == protocol.ResumeUpToDate):
	case f.epoch == "" || f.w.forgets && m.Resume == protocol.ResumeTooOld && m.Reason == protocol.ReasonEpoch:
		if f.epoch != "" {
			f.resets++
		}
		f.epoch, f.cursor, f.acked = m.Epoch, m.Floor, m.Floor
		f.got, f.ended = map[string]*heardLog{}, map[string]bool{}
	default:
		return fmt.Errorf("attached at %s:%d, told %s", f.epoch, f.cursor, m.Raw)
	}
	return nil
}

// frame applies one frame of a topic, whose topic_seq has to be the next, once.
func (f *crashFollower) frame(m *message) error {
	_, rest, _ := strings.Cut(m.Raw, ",")
	var topic string
	var seq uint64
	if _, err := fmt.Sscanf(strings.ReplaceAll(rest[:min(len(rest), 200)], ",", " "), `"topic":%q "topic_seq":%d`, &topic, &seq); err != nil {
		return fmt.Errorf("no frame of a topic: %.200s: %w", m.Raw, err)
	}
	if !f.follows[topic] {
		return fmt.Errorf("a frame of %s, which is not followed", topic)
	}
	l := f.got[topic]
	if l == nil {
		l = &heardLog{first: seq}
		if f.got[topic] = l; seq > f.safe[topic]+1 {
			return fmt.Errorf("%w: %s begins at %d, and %d was the last one that was acked", errHole, topic, seq, f.safe[topic])
		}
	}
	if seq != l.next() {
		return fmt.Errorf("%w: of %s came %d, where %d was the next", errHole, topic, seq, l.next())
	}
	l.hashes = append(l.hashes, hashOf(rest))
	if m.Type == "end" {
		f.ended[topic] = true
	}
	return nil
}

// compare holds what was heard to the logs: the same frames, to their ends.
func (f *crashFollower) compare(logs map[string][]uint64) error {
	for topic, l := range maps.All(f.got) {
		log := logs[topic]
		if !f.w.forgets && l.first != 1 {
			return fmt.Errorf("%s was heard from %d on", topic, l.first)
		}
		if l.next() != uint64(len(log))+1 {
			return fmt.Errorf("of the %d frames of %s came those from %d to %d", len(log), topic, l.first, l.next()-1)
		}
		for i, h := range l.hashes {
			if at := l.first + uint64(i); log[at-1] != h {
				return fmt.Errorf("the frame %d of %s is not the log's", at, topic)
			}
		}
	}
	return nil
}
