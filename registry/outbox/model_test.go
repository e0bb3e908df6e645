package outbox

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.steps": "120", "rapid.nofailfile": "true"} { // long runs: a ring has to grow and shrink
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// frame is what the naive model keeps of one frame.
type frame struct {
	seq  uint64
	body protocol.Body
	at   time.Duration // as the outbox keeps it
}

// naive does what an Outbox promises, with slices and nothing clever.
type naive struct {
	floor     uint64
	confirmed []frame
	pending   []frame
}

func (n *naive) head() uint64 { return n.floor + uint64(len(n.confirmed)) }

func (n *naive) bytes() (sum int64) {
	for _, f := range n.confirmed {
		sum += int64(len(f.body)) + protocol.FrameOverhead
	}
	return sum
}

func (n *naive) append(b protocol.Body, at time.Duration) uint64 {
	seq := n.head() + uint64(len(n.pending)) + 1
	n.pending = append(n.pending, frame{seq, b, quarters(at)})
	return seq
}

// quarters rounds a time up to the quarter of a second; at is not negative.
func quarters(at time.Duration) time.Duration {
	return (at + time.Second/4 - 1).Truncate(time.Second / 4)
}

func (n *naive) confirm(seq uint64) {
	for len(n.pending) > 0 && n.pending[0].seq <= seq {
		n.confirmed = append(n.confirmed, n.pending[0])
		n.pending = n.pending[1:]
	}
}

func (n *naive) shift() frame {
	f := n.confirmed[0]
	n.confirmed, n.floor = n.confirmed[1:], f.seq
	return f
}

func (n *naive) dropTo(seq uint64) (frames int) {
	for ; len(n.confirmed) > 0 && n.confirmed[0].seq <= seq; frames++ {
		n.shift()
	}
	return frames
}

func (n *naive) prune(b Bounds, now time.Duration, keep uint64) (p Pruned) {
	before := n.bytes()
	for ; b.Frames > 0 && len(n.confirmed) > 1 && len(n.confirmed) > b.Frames; p.Count++ {
		n.shift()
	}
	for ; b.Bytes > 0 && len(n.confirmed) > 1 && n.bytes() > b.Bytes; p.Bytes++ {
		n.shift()
	}
	for ; b.Age > 0 && len(n.confirmed) > 1 && n.confirmed[0].seq <= keep && now-n.confirmed[0].at >= b.Age; p.Age++ {
		n.shift()
	}
	p.Freed = before - n.bytes()
	return p
}

// machine runs an Outbox beside the model.
type machine struct {
	box   Outbox
	model naive
	now   time.Duration
	made  int
	cold  uint64 // up to here bodies were spilled
}

func (m *machine) fill(t *rapid.T, n int) {
	pad := rapid.IntRange(1, 40).Draw(t, "pad")
	for range n {
		m.made++
		b := protocol.Body(fmt.Sprintf(`{"type":"f","n":%d,"pad":"%0*d"}`, m.made, pad, 0))
		if m.made%3 == 0 {
			b = protocol.WithTopic(b, "t", uint64(m.made))
		}
		require.Equal(t, m.model.append(b, m.now), m.box.Append(b, m.now))
	}
}

func (m *machine) Append(t *rapid.T)     { m.fill(t, rapid.IntRange(1, 4).Draw(t, "n")) }
func (m *machine) AppendMany(t *rapid.T) { m.fill(t, rapid.IntRange(5, 80).Draw(t, "n")) }

func (m *machine) Confirm(t *rapid.T) {
	seq := rapid.Uint64Range(0, m.box.Tail()).Draw(t, "seq")
	m.box.Confirm(seq)
	m.model.confirm(seq)
}

func (m *machine) ConfirmAll(*rapid.T) {
	m.box.Confirm(m.box.Tail())
	m.model.confirm(m.box.Tail())
}

func (m *machine) Truncate(t *rapid.T) {
	require.Equal(t, len(m.model.pending), m.box.Truncate())
	m.model.pending = nil
}

func (m *machine) DropTo(t *rapid.T) {
	seq := rapid.Uint64Range(0, m.box.Tail()+2).Draw(t, "seq")
	before := m.model.bytes()
	frames, bytes := m.box.DropTo(seq)
	require.Equal(t, m.model.dropTo(seq), frames)
	require.Equal(t, before-m.model.bytes(), bytes)
}

func (m *machine) Prune(t *rapid.T) {
	m.now += time.Duration(rapid.IntRange(0, 5).Draw(t, "later")) * 90 * time.Millisecond
	b := Bounds{
		Frames: rapid.IntRange(-1, 60).Draw(t, "frames"), Bytes: rapid.Int64Range(-1, 6000).Draw(t, "bytes"),
		Age: time.Duration(rapid.IntRange(-1, 12).Draw(t, "age")) * 80 * time.Millisecond,
	}
	keep := rapid.Uint64Range(0, m.box.Head()).Draw(t, "keep")
	require.Equal(t, m.model.prune(b, m.now, keep), m.box.Prune(b, m.now, keep))
}

// hot is what the bodies in memory have.
func (m *machine) hot() (n int64) {
	for _, f := range m.model.confirmed {
		if f.seq > m.cold {
			n += int64(len(f.body))
		}
	}
	return n
}

func (m *machine) Spill(t *rapid.T) {
	keep := rapid.Int64Range(0, m.hot()+10).Draw(t, "keep")
	n := 0
	for _, f := range m.model.confirmed {
		if m.hot() > keep && f.seq > m.cold {
			m.cold = f.seq
			n++
		}
	}
	require.Equal(t, n, m.box.Spill(keep))
}

// Reload is what a sleep and a wake-up come to: the pending are none, and the newest bodies may be in memory.
func (m *machine) Reload(t *rapid.T) {
	m.Truncate(t)
	warm := rapid.IntRange(0, len(m.model.confirmed)).Draw(t, "warm")
	m.box.Restore(m.model.floor)
	m.cold = m.model.head() - uint64(warm)
	for _, f := range m.model.confirmed {
		body := f.body
		if f.seq <= m.cold {
			body = nil
		}
		m.box.Restored(body, len(f.body), f.at, protocol.OfTopic(f.body))
	}
}

func (m *machine) Copy(t *rapid.T) {
	after := rapid.Uint64Range(m.box.Cold(), m.box.Head()).Draw(t, "after")
	maxFrames, maxBytes := rapid.IntRange(0, 20).Draw(t, "frames"), rapid.IntRange(0, 400).Draw(t, "bytes")
	var want []protocol.Piece
	size := 0
	for _, f := range m.model.confirmed {
		if f.seq <= after {
			continue
		}
		if size += len(f.body); len(want) == maxFrames || size > maxBytes && len(want) > 0 {
			break
		}
		want = append(want, protocol.Piece{Seq: f.seq, Body: f.body})
	}
	require.Equal(t, want, m.box.Copy(nil, after, maxFrames, maxBytes))
}

// Room moves its mark as acks do, and now and then back.
func (m *machine) Room(t *rapid.T) {
	b := Bounds{Frames: rapid.IntRange(-1, 60).Draw(t, "frames"), Bytes: rapid.Int64Range(-1, 6000).Draw(t, "bytes")}
	mark := rapid.Uint64Range(0, m.box.Head()).Draw(t, "mark")
	var all, topics int
	var allBytes, topicBytes int64
	for _, fs := range [][]frame{m.model.confirmed, m.model.pending} {
		for _, f := range fs {
			if f.seq <= mark {
				continue
			}
			size := int64(len(f.body)) + protocol.FrameOverhead
			all, allBytes = all+1, allBytes+size
			if protocol.OfTopic(f.body) {
				topics, topicBytes = topics+1, topicBytes+size
			}
		}
	}
	frames, bytes := math.MaxInt32, int64(1)<<40
	if b.Frames > 0 {
		frames = min(max(b.Frames/2, 1)-topics, b.Frames-all)
	}
	if b.Bytes > 0 {
		bytes = min(b.Bytes/2-topicBytes, b.Bytes-allBytes)
	}
	if frames <= 0 || bytes <= 0 {
		frames, bytes = 0, 0
	}
	gotFrames, gotBytes := m.box.Room(b, mark)
	require.Equal(t, frames, gotFrames)
	require.Equal(t, bytes, gotBytes)
}

func (m *machine) Appended(t *rapid.T) {
	first := rapid.Uint64Range(0, m.box.Tail()).Draw(t, "first")
	last := rapid.Uint64Range(first, m.box.Tail()+2).Draw(t, "last")
	var want []protocol.Body
	for _, fs := range [][]frame{m.model.confirmed, m.model.pending} {
		for _, f := range fs {
			if f.seq >= first && f.seq <= last && f.seq > m.cold {
				want = append(want, f.body)
			}
		}
	}
	require.Equal(t, want, m.box.Appended(nil, first, last))
}

// Check compares all that can be seen, after every step.
func (m *machine) Check(t *rapid.T) {
	require.Equal(t, m.model.floor, m.box.Floor())
	require.Equal(t, m.model.head(), m.box.Head())
	require.Equal(t, m.model.head()+uint64(len(m.model.pending)), m.box.Tail())
	require.Equal(t, uint64(len(m.model.confirmed)), m.box.Len())
	require.Equal(t, m.model.bytes(), m.box.Bytes())
	for _, f := range m.model.confirmed {
		want := f.body
		if f.seq <= m.cold {
			want = nil
		}
		if b, at, ok := m.box.At(f.seq); !ok || at != f.at || !bytes.Equal(b, want) { // the plain way: there are many
			t.Fatalf("frame %d is %s at %s, want %s at %s", f.seq, b, at, want, f.at)
		}
	}
	for _, seq := range []uint64{0, m.model.floor, m.model.head() + 1} { // P-26: what is pending is not there
		_, _, ok := m.box.At(seq)
		require.False(t, ok, "seq %d", seq)
	}
	require.Equal(t, max(m.cold, m.model.floor), m.box.Cold())
	require.Equal(t, m.hot(), m.box.Hot())
	at, ok := m.box.Oldest()
	if all := append(slices.Clone(m.model.confirmed), m.model.pending...); len(all) > 0 {
		require.True(t, ok)
		require.Equal(t, all[0].at, at)
	} else {
		require.False(t, ok)
	}
	checkRing(t, &m.box.hot)
	if m.box.hasCold() {
		c := m.box.aside.cold
		require.NotZero(t, c.n, "an empty part is let go of")
		checkRing(t, &c.ring)
	}
}

// checkRing: a ring has not much slack, even where the allocator has rounded it up, and holds on to nothing that has left it.
func checkRing[T any](t *rapid.T, r *ring[T]) {
	n := int(r.n)
	require.True(t, len(r.items) <= 2*keepRing || n >= len(r.items)/5, "%d frames in a ring of %d", n, len(r.items))
	for i := n; i < len(r.items); i++ {
		if e := r.at(i); !reflect.ValueOf(*e).IsZero() {
			t.Fatalf("a frame that went is still held: %v", *e)
		}
	}
}

// TestP13_RandomOperations holds the outbox to the model.
func TestP13_RandomOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(&machine{})) })
}
