package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	// keptTurns, keptLines (of one call's output) and keptBytes bound the snapshot. It must be a message of up to 1 MiB with all that is still waiting, so there is some air.
	keptTurns = 50
	keptLines = 200
	keptBytes = 512 << 10
)

// history is the session so far, compacted: the frames that make the same picture as all those that were applied, within the bounds above. It is the
// topic's snapshot, which a page builds on with the frames after it. It is pure; the publisher owns it.
type history struct {
	kept  []*kept
	turns []turnFrame // those begun, oldest first
	calls map[int]*callKept
	asked map[int]int // question → turn
	// flood is the last frame of the last flood, which stands in kept too.
	flood *kept
}

// kept is one frame, and the turn that it goes with; 0 for none.
type kept struct {
	frame any
	turn  int
}

// callKept is what has to be known of a call.
type callKept struct {
	turn     int
	lines    int
	left     int // lines that are not kept any more
	progress *kept
	// outputs are the call's, oldest first; neighbours are of different streams.
	outputs []*kept
}

func newHistory() *history {
	return &history{calls: map[int]*callKept{}, asked: map[int]int{}}
}

// apply takes one frame in, in the order of the topic.
func (h *history) apply(frame any) {
	switch f := frame.(type) {
	case turnFrame:
		h.turn(f)
	case textFrame:
		h.text(f)
	case toolFrame:
		h.calls[f.Call] = &callKept{turn: f.Turn}
		h.add(f, f.Turn)
	case outputFrame:
		h.output(f)
	case progressFrame:
		h.progress(f)
	case doneFrame:
		h.add(f, h.turnOf(f.Call))
	case questionFrame:
		h.asked[f.Question] = f.Turn
		h.add(f, f.Turn)
	case answeredFrame:
		h.add(f, h.asked[f.Question])
	case floodFrame:
		h.kept = slices.DeleteFunc(h.kept, func(k *kept) bool { return k == h.flood })
		h.flood = h.add(f, 0)
	default:
		h.add(f, 0)
	}
}

func (h *history) add(frame any, turn int) *kept {
	k := &kept{frame, turn}
	h.kept = append(h.kept, k)
	return k
}

func (h *history) turnOf(call int) int {
	if c := h.calls[call]; c != nil {
		return c.turn
	}
	return 0
}

func (h *history) turn(f turnFrame) {
	h.add(f, f.Turn)
	if f.State != turnStart {
		return
	}
	h.turns = append(h.turns, f)
	for len(h.turns) > keptTurns {
		h.forget()
	}
}

// text joins a piece with the one before it, unless something else of its turn stands between them.
func (h *history) text(f textFrame) {
	for _, k := range slices.Backward(h.kept) {
		if k.turn != f.Turn {
			continue
		}
		if before, ok := k.frame.(textFrame); ok {
			before.Text += f.Text
			k.frame = before
			return
		}
		break
	}
	h.add(f, f.Turn)
}

func (h *history) output(f outputFrame) {
	c := h.calls[f.Call]
	if c == nil {
		return // its turn has been forgotten
	}
	var last *kept
	if len(c.outputs) > 0 {
		last = c.outputs[len(c.outputs)-1]
	}
	if last != nil && last.frame.(outputFrame).Stream == f.Stream {
		before := last.frame.(outputFrame)
		before.Text += f.Text
		last.frame = before
	} else {
		c.outputs = append(c.outputs, h.add(f, c.turn))
	}
	for c.lines += strings.Count(f.Text, "\n"); c.lines > keptLines; c.lines-- {
		h.dropLine(c)
	}
}

// dropLine lets the oldest line of a call's output go, with the pieces that it consists of.
func (h *history) dropLine(c *callKept) {
	c.left++
	for {
		first := c.outputs[0]
		f := first.frame.(outputFrame)
		_, rest, ended := strings.Cut(f.Text, "\n")
		f.Text = rest
		first.frame = f
		if rest == "" && len(c.outputs) > 1 {
			c.outputs = c.outputs[1:]
			h.kept = slices.DeleteFunc(h.kept, func(k *kept) bool { return k == first })
		}
		if ended {
			return
		}
	}
}

func (h *history) progress(f progressFrame) {
	c := h.calls[f.Call]
	switch {
	case c == nil:
	case c.progress == nil:
		c.progress = h.add(f, c.turn)
	default:
		c.progress.frame = f
	}
}

// forget lets the oldest turn go, with what it answered.
func (h *history) forget() {
	oldest := h.turns[0]
	h.turns = h.turns[1:]
	h.kept = slices.DeleteFunc(h.kept, func(k *kept) bool {
		u, said := k.frame.(userFrame)
		return k.turn == oldest.Turn || said && u.ID <= oldest.User
	})
	for call, c := range h.calls {
		if c.turn == oldest.Turn {
			delete(h.calls, call)
		}
	}
	for question, turn := range h.asked {
		if turn == oldest.Turn {
			delete(h.asked, question)
		}
	}
}

// snapshot is the session so far, as the data of the topic's snapshot. The oldest turns are forgotten where it would be too much.
func (h *history) snapshot() json.RawMessage {
	frames, size := h.frames()
	for size > keptBytes && len(h.turns) > 1 {
		h.forget()
		frames, size = h.frames()
	}
	return encode(struct {
		Frames []json.RawMessage `json:"frames"`
	}{frames})
}

func (h *history) frames() (frames []json.RawMessage, size int) {
	frames = []json.RawMessage{}
	for _, k := range h.kept {
		frame := k.frame
		if f, ok := frame.(outputFrame); ok {
			if c := h.calls[f.Call]; c.left > 0 && c.outputs[0] == k {
				f.Text = fmt.Sprintf("… %d lines before this are not kept\n%s", c.left, f.Text)
				frame = f
			}
		}
		raw := encode(frame)
		frames = append(frames, raw)
		size += len(raw) + 1
	}
	return frames, size
}
