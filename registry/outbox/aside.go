package outbox

import (
	"math"

	"github.com/restante/restante/protocol"
)

// aside is what most outboxes lack: frames whose bodies are in the store only, and the count of what lies above a mark. An outbox has it from
// the first of these on.
type aside struct {
	cold  *cold
	mark  uint64
	above above
}

// above counts the frames above the mark, confirmed or not, with overhead.
type above struct {
	counting   bool  // false: the rest says nothing yet
	topics     int32 // those of topics
	topicBytes int64
	bytes      int64 // all
}

func (a *above) add(n int32, size int, ofTopic bool) {
	a.bytes += int64(n) * cost(size)
	if ofTopic {
		a.topics += n
		a.topicBytes += int64(n) * cost(size)
	}
}

// Room is how many further frames of topics, and of how many bytes with overhead, an outbox with these bounds takes in, where its readers have applied
// everything up to mark (P-19): those above mark fill at most half of each bound, and push out nothing that is above it. With no room for frames there is none
// for bytes, and the other way round; otherwise one frame may be larger than its room.
func (o *Outbox) Room(b Bounds, mark uint64) (frames int, bytes int64) {
	frames, bytes = math.MaxInt32, 1<<40
	n := above{}
	if o.Tail() > o.floor {
		o.moveMark(mark)
		n = o.aside.above
	}
	if b.Frames > 0 {
		others := int(o.Tail() - max(min(mark, o.Tail()), o.floor))
		frames = min(max(b.Frames/2, 1)-int(n.topics), b.Frames-others)
	}
	if b.Bytes > 0 {
		bytes = min(b.Bytes/2-n.topicBytes, b.Bytes-n.bytes)
	}
	if frames <= 0 || bytes <= 0 {
		return 0, 0
	}
	return frames, bytes
}

// moveMark has what lies above mark counted: what the mark passes is looked at once, unless it moves back.
func (o *Outbox) moveMark(mark uint64) {
	a := o.aside
	mark = min(mark, o.Tail())
	if a == nil || !a.above.counting || mark < a.mark {
		a = o.more()
		a.mark, a.above = mark, above{counting: true}
		for seq, tail := max(mark, o.floor)+1, o.Tail(); seq <= tail; seq++ {
			size, ofTopic := o.look(seq)
			a.above.add(1, size, ofTopic)
		}
		return
	}
	for seq := max(a.mark, o.floor) + 1; seq <= mark; seq++ {
		size, ofTopic := o.look(seq)
		a.above.add(-1, size, ofTopic)
	}
	a.mark = mark
}

// look is the size of the body of a frame above the floor, and whether it is a topic's.
func (o *Outbox) look(seq uint64) (size int, ofTopic bool) {
	if seq <= o.Cold() {
		e := o.aside.cold.at(int(seq - o.floor - 1))
		return int(e.size), e.ofTopic
	}
	b := o.entry(seq).body()
	return len(b), protocol.OfTopic(b)
}

// counts reports whether a frame that comes or goes at seq is to be counted.
func (o *Outbox) counts(seq uint64) bool {
	return o.aside != nil && o.aside.above.counting && seq > o.aside.mark
}

func (o *Outbox) more() *aside {
	if o.aside == nil {
		o.aside = &aside{}
	}
	return o.aside
}
