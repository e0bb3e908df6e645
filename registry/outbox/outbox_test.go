package outbox

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// filled returns an outbox with n confirmed frames, the i-th appended at i seconds, each body of size bytes.
func filled(n, size int) *Outbox {
	o := &Outbox{}
	for i := 1; i <= n; i++ {
		o.Append(make(protocol.Body, size), time.Duration(i)*time.Second)
	}
	o.Confirm(o.Tail())
	return o
}

func TestP26_AppendIsProvisional(t *testing.T) {
	var o Outbox
	require.EqualValues(t, 1, o.Append(protocol.Body(`{"type":"a"}`), 0))
	require.EqualValues(t, 2, o.Append(protocol.Body(`{"type":"b"}`), 0))
	require.Zero(t, o.Head())
	require.Zero(t, o.Len())
	require.Zero(t, o.Bytes())
	require.Empty(t, o.Copy(nil, 0, 10, 1000), "an unconfirmed frame is copied to nobody")
	o.Confirm(1)
	require.Len(t, o.Copy(nil, 0, 10, 1000), 1)
	require.Equal(t, 1, o.Truncate(), "a failed write takes what is not confirmed")
	require.EqualValues(t, 2, o.Append(protocol.Body(`{"type":"c"}`), 0), "and consumes no seq")
	o.Confirm(9)
	require.EqualValues(t, 2, o.Head(), "nothing is confirmed that was not appended")
	o.Confirm(1)
	require.EqualValues(t, 2, o.Head(), "the head does not go back")
}

func TestP13_Bounds(t *testing.T) {
	const size = 100
	each := int64(size + protocol.FrameOverhead)
	for _, c := range []struct {
		name   string
		frames int
		bounds Bounds
		now    time.Duration
		keep   uint64
		want   Pruned
	}{
		{"none", 10, Bounds{}, time.Hour, 10, Pruned{}},
		{"negative is none", 10, Bounds{-1, -1, -1}, time.Hour, 10, Pruned{}},
		{"empty", 0, Bounds{1, 1, 1}, time.Hour, 0, Pruned{}},
		{"count as it is", 10, Bounds{Frames: 10}, 0, 10, Pruned{}},
		{"count", 10, Bounds{Frames: 4}, 0, 0, Pruned{Count: 6, Freed: 6 * each}},
		{"bytes as they are", 10, Bounds{Bytes: 10 * each}, 0, 0, Pruned{}},
		{"bytes", 10, Bounds{Bytes: 10*each - 1}, 0, 0, Pruned{Bytes: 1, Freed: each}},
		{"the newest stays under bytes", 10, Bounds{Bytes: 1}, 0, 0, Pruned{Bytes: 9, Freed: 9 * each}},
		{"age", 10, Bounds{Age: 5 * time.Second}, 8 * time.Second, 10, Pruned{Age: 3, Freed: 3 * each}},
		{"age spares what lies above the lowest cursor", 10, Bounds{Age: 5 * time.Second}, time.Hour, 2, Pruned{Age: 2, Freed: 2 * each}},
		{"the newest stays under age", 10, Bounds{Age: time.Second}, time.Hour, 10, Pruned{Age: 9, Freed: 9 * each}},
		{"all three", 10, Bounds{Frames: 8, Bytes: 6 * each, Age: time.Second}, time.Hour, 7, Pruned{Count: 2, Bytes: 2, Age: 3, Freed: 7 * each}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := filled(c.frames, size)
			got := o.Prune(c.bounds, c.now, c.keep)
			require.Equal(t, c.want, got)
			require.EqualValues(t, got.Frames(), o.Floor())
			require.EqualValues(t, c.frames, o.Head())
		})
	}
}

// TestP13_AgeTakesNothingEarly looks at one frame among others at every moment around its time.
func TestP13_AgeTakesNothingEarly(t *testing.T) {
	const age, unit = 10 * time.Second, time.Second / 4
	for _, at := range []time.Duration{-3*time.Second - 1, -time.Second / 4, -1, 0, 1, unit - 1, unit, unit + 1, time.Minute} {
		var o Outbox
		o.Append(nil, at)
		o.Append(nil, at)
		o.Confirm(2)
		kept, _ := o.Oldest()
		require.GreaterOrEqual(t, kept, at)
		require.Less(t, kept, at+unit)
		require.Zero(t, o.Prune(Bounds{Age: age}, at+age-1, 2).Age, "appended at %s", at)
		require.Equal(t, 1, o.Prune(Bounds{Age: age}, at+age+unit, 2).Age, "appended at %s", at)
	}
}

func TestTimesBeyondReachStandStill(t *testing.T) {
	const reach = 17 * 365 * 24 * time.Hour
	for _, at := range []time.Duration{math.MinInt64, -reach, -time.Hour, reach, math.MaxInt64} {
		var o Outbox
		o.Append(nil, at)
		kept, ok := o.Oldest()
		require.True(t, ok)
		if at >= -reach && at <= reach {
			require.Equal(t, at, kept)
		} else {
			require.Greater(t, kept.Abs(), reach)
			require.Equal(t, at > 0, kept > 0)
		}
	}
}

func TestP13_BoundsSpareWhatIsPending(t *testing.T) {
	o := filled(3, 10)
	o.Append(make(protocol.Body, 10), 0)
	o.Prune(Bounds{Frames: 1}, time.Hour, 3)
	require.EqualValues(t, 2, o.Floor())
	require.EqualValues(t, 4, o.Tail())
	require.Len(t, o.Appended(nil, 4, 4), 1)
}

func TestP8_CopyIsABatch(t *testing.T) {
	o := filled(10, 100)
	for _, c := range []struct {
		after            uint64
		frames, bytes, n int
	}{
		{0, 100, 100_000, 10},
		{0, 3, 100_000, 3},
		{0, 100, 250, 2},
		{0, 100, 1, 1}, // a frame larger than a batch travels alone
		{0, 0, 1000, 0},
		{9, 100, 1000, 1},
		{10, 100, 1000, 0},
	} {
		got := o.Copy(nil, c.after, c.frames, c.bytes)
		require.Len(t, got, c.n, "%+v", c)
		for i, p := range got {
			require.Equal(t, c.after+uint64(i)+1, p.Seq)
		}
	}
	first := []protocol.Piece{{Body: protocol.Body(`{"type":"hello"}`)}}
	require.Len(t, o.Copy(first, 4, 2, 1000), 3, "it appends")
}

// TestAppendAndAckAreAmortisedO1 counts the entries that a resize copies, at any depth and for growing, standing and shrinking.
func TestAppendAndAckAreAmortisedO1(t *testing.T) {
	for _, depth := range []int{1, 1000, 100_000} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			o := &Outbox{}
			copied, steps, ring := 0, 0, 0
			step := func() {
				steps++
				if len(o.hot.items) != ring {
					ring = len(o.hot.items)
					copied += int(o.Tail() - o.floor)
				}
			}
			push := func() { o.Append(nil, 0); o.Confirm(math.MaxUint64); step() }
			pop := func() { o.DropTo(o.floor + 1); step() }
			for range depth {
				push()
			}
			for range 3 * depth { // standing at this depth costs nothing at all
				push()
				pop()
			}
			for o.Len() > 0 {
				pop()
			}
			require.LessOrEqual(t, copied, 6*steps)
			require.LessOrEqual(t, len(o.hot.items), keepRing, "an empty outbox keeps next to nothing")
		})
	}
}

func TestAllocations(t *testing.T) {
	o := filled(1, 1)
	body := protocol.Body(`{"type":"a"}`)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		o.Append(body, 0)
		o.Confirm(o.Tail())
		o.DropTo(o.Head())
	}), "publish and ack in turn")
	deep := filled(10_000, 1)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		deep.DropTo(deep.Floor() + 1)
		deep.Append(body, 0)
		deep.Confirm(deep.Tail())
	}), "standing at depth")
	dst := make([]protocol.Piece, 0, 512)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = deep.Copy(dst[:0], deep.Floor(), 512, 1<<20) }))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		var one Outbox
		one.Append(body, 0)
	}), 1.0)
}

func TestMemoryIsGivenBack(t *testing.T) {
	for _, left := range []uint64{0, 1, 10} { // by one ack that covers nearly everything, and by the bounds alone
		o := filled(100_000, 0)
		o.DropTo(o.Head() - left)
		require.LessOrEqual(t, len(o.hot.items), max(2*keepRing, 4*int(left)), "%d frames left", left)
		o.Append(nil, 0)
		o.Confirm(o.Tail())
		require.EqualValues(t, left+1, o.Len())
	}
	o := filled(1, 0)
	for range 100_000 {
		o.Append(nil, 0)
	}
	o.Truncate()
	require.LessOrEqual(t, len(o.hot.items), 2*keepRing, "a failed write gives back too")
}

// TestBodiesAreLetGo sees the collector take the body of a frame that went.
func TestBodiesAreLetGo(t *testing.T) {
	o := filled(2, 10)
	gone := make(chan struct{})
	func() {
		body := make(protocol.Body, 1<<16)
		runtime.AddCleanup(&body[0], func(struct{}) { close(gone) }, struct{}{})
		o.Append(body, 0)
		o.Confirm(o.Tail())
	}()
	o.Append(nil, 0)
	o.Confirm(o.Tail())
	o.DropTo(3)
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-gone:
			require.EqualValues(t, 1, o.Len())
			return
		case <-deadline:
			t.Fatal("the body is still held")
		default:
		}
	}
}

func BenchmarkAppendAck(b *testing.B) {
	body := protocol.Body(`{"type":"progress","pct":40}`)
	for _, depth := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			o := filled(depth, 1)
			b.ReportAllocs()
			for b.Loop() {
				o.Append(body, 0)
				o.Confirm(o.Tail())
				o.DropTo(o.Floor() + 1)
			}
		})
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, depth := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			o := filled(depth, 100)
			dst := make([]protocol.Piece, 0, 512)
			for b.Loop() {
				dst = o.Copy(dst[:0], o.Head()-min(o.Head(), 64), 512, 1<<16)
			}
		})
	}
}
