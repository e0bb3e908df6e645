package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// picture is what a page makes of frames: it knows nothing of the history, and leaves nothing out.
type picture struct {
	items []item
	text  map[int]int // turn → the item that its text goes on in
	calls map[int]*tool
}

type item struct {
	kind, text string
	turn       int
	tool       *tool
}

// tool is a call's card. Output is joined as long as its stream is the same.
type tool struct {
	head, progress, done string
	streams              []string
	output               []string
}

func draw(frames []json.RawMessage) []item {
	p := &picture{text: map[int]int{}, calls: map[int]*tool{}}
	for _, raw := range frames {
		p.take(string(raw))
	}
	return p.items
}

func (p *picture) take(raw string) {
	var f struct {
		Type, Text, Stream string
		Turn, Call, N, Of  int
	}
	if err := json.Unmarshal([]byte(raw), &f); err != nil {
		panic(err)
	}
	switch f.Type {
	case "text":
		if at, ok := p.text[f.Turn]; ok {
			p.items[at].text += f.Text
			return
		}
		p.text[f.Turn] = len(p.items)
		p.items = append(p.items, item{kind: "text", text: f.Text, turn: f.Turn})
	case "tool":
		c := &tool{head: raw}
		p.calls[f.Call] = c
		p.add(item{kind: "tool", turn: f.Turn, tool: c})
	case "output":
		c := p.calls[f.Call]
		if n := len(c.streams); n > 0 && c.streams[n-1] == f.Stream {
			c.output[n-1] += f.Text
			return
		}
		c.streams, c.output = append(c.streams, f.Stream), append(c.output, f.Text)
	case "progress":
		p.calls[f.Call].progress = raw
	case "tool_done":
		p.calls[f.Call].done = raw
	case "flood":
		for i, it := range p.items {
			if it.kind == "flood" {
				p.items = append(p.items[:i], p.items[i+1:]...)
				break
			}
		}
		p.add(item{kind: "flood", text: fmt.Sprint(f.N, f.Of)})
		p.text = p.moved()
	default:
		p.add(item{kind: f.Type, text: raw, turn: f.Turn})
	}
}

// add adds an item; what is of a turn ends that turn's text.
func (p *picture) add(i item) {
	if i.turn != 0 {
		delete(p.text, i.turn)
	}
	p.items = append(p.items, i)
}

// moved finds the texts that go on anew, after an item has gone.
func (p *picture) moved() map[int]int {
	text := map[int]int{}
	for turn := range p.text {
		for i, it := range p.items {
			if it.kind == "text" && it.turn == turn {
				text[turn] = i
			}
		}
	}
	return text
}

// session draws a random session, within the bounds of what is kept.
func session(t *rapid.T) (frames []any) {
	users, calls, questions := 0, 0, 0
	for turn := 1; turn <= rapid.IntRange(1, 6).Draw(t, "turns"); turn++ {
		users++
		frames = append(frames, userFrame{"user", users, "say", "laptop", "s"}, turnFrame{"turn", turn, turnStart, turn})
		lines := 0
		for range rapid.IntRange(0, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1:
				frames = append(frames, textFrame{"text", turn, rapid.SampledFrom([]string{"a ", "é\n", "<b>"}).Draw(t, "text")})
			case 2:
				calls++
				lines = 0
				frames = append(frames, toolFrame{"tool", turn, calls, "list", []string{}, 10})
			case 3:
				if calls > 0 && lines < keptLines {
					lines++
					frames = append(frames, outputFrame{"output", calls, rapid.SampledFrom([]string{"x", "y\n"}).Draw(t, "output"), rapid.SampledFrom([]string{stdout, stderr}).Draw(t, "stream")})
				}
			case 4:
				if calls > 0 {
					frames = append(frames, progressFrame{"progress", calls, rapid.IntRange(0, 9).Draw(t, "done"), 9, "f"})
				}
			case 5:
				if calls > 0 {
					frames = append(frames, doneFrame{"tool_done", calls, 0, 5, "", 0})
				}
			case 6:
				questions++
				frames = append(frames, questionFrame{"question", questions, turn, "may I", []string{allow, deny}, "go test"}, answeredFrame{"answered", questions, allow, "phone"})
			case 7:
				frames = append(frames, floodFrame{"flood", rapid.IntRange(1, 9).Draw(t, "n"), 9})
			}
		}
		frames = append(frames, turnFrame{"turn", turn, turnDone, turn})
	}
	return frames
}

func raws(frames []any) (all []json.RawMessage) {
	for _, f := range frames {
		all = append(all, encode(f))
	}
	return all
}

func framesOf(t require.TestingT, snapshot json.RawMessage) []json.RawMessage {
	var s struct{ Frames []json.RawMessage }
	require.NoError(t, json.Unmarshal(snapshot, &s))
	return s.Frames
}

func TestHistory_ASnapshotAndWhatFollowsAreTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := session(t)
		cut := rapid.IntRange(0, len(frames)).Draw(t, "cut")
		h := newHistory()
		for _, f := range frames[:cut] {
			h.apply(f)
		}
		kept := framesOf(t, h.snapshot())
		require.LessOrEqual(t, len(kept), cut)
		require.Equal(t, draw(raws(frames)), draw(append(kept, raws(frames[cut:])...)))
	})
}

func TestHistory_KeepsTheEndOfAnOutput(t *testing.T) {
	h := newHistory()
	h.apply(turnFrame{"turn", 1, turnStart, 1})
	h.apply(toolFrame{"tool", 1, 1, "go test", nil, 1})
	for i := range 150 {
		h.apply(outputFrame{"output", 1, fmt.Sprintf("out %d\nhalf ", i), stdout})
		h.apply(outputFrame{"output", 1, fmt.Sprintf("err %d\n", i), stderr})
	}
	var text strings.Builder
	frames := framesOf(t, h.snapshot())
	for _, raw := range frames[2:] {
		var f outputFrame
		require.NoError(t, json.Unmarshal(raw, &f))
		text.WriteString(f.Text)
	}
	require.True(t, strings.HasPrefix(text.String(), "… 100 lines before this are not kept\n"), text.String()[:80])
	require.Equal(t, keptLines+1, strings.Count(text.String(), "\n"))
	require.True(t, strings.HasSuffix(text.String(), "half err 149\n"))
	require.NotContains(t, text.String(), "out 49\n")
	require.Contains(t, text.String(), "out 50\n")
}

func TestHistory_ForgetsTheOldestTurns(t *testing.T) {
	h := newHistory()
	turn := func(n int, size int) {
		h.apply(userFrame{"user", n, "say", "laptop", ""})
		h.apply(turnFrame{"turn", n, turnStart, n})
		h.apply(toolFrame{"tool", n, n, "list", nil, 1})
		h.apply(outputFrame{"output", n, strings.Repeat("x", size), stdout})
		h.apply(doneFrame{"tool_done", n, 0, 1, "", 0})
		h.apply(questionFrame{"question", n, n, "may I", nil, ""})
		h.apply(answeredFrame{"answered", n, deny, "phone"})
		h.apply(turnFrame{"turn", n, turnDone, n})
	}
	for n := 1; n <= keptTurns+7; n++ {
		turn(n, 10)
	}
	frames := framesOf(t, h.snapshot())
	require.Len(t, frames, keptTurns*8)
	require.Contains(t, string(frames[0]), `"type":"user","id":8,`)
	require.Len(t, h.calls, keptTurns)
	require.Len(t, h.asked, keptTurns)
	h.apply(outputFrame{"output", 1, "too late", stdout})
	h.apply(progressFrame{"progress", 1, 1, 2, ""})
	require.Len(t, framesOf(t, h.snapshot()), keptTurns*8)

	for n := keptTurns + 8; n <= keptTurns+27; n++ {
		turn(n, 60<<10)
	}
	h.apply(userFrame{"user", keptTurns + 28, "not answered yet", "phone", ""})
	snapshot := h.snapshot()
	require.Less(t, len(snapshot), keptBytes+100)
	require.Greater(t, len(snapshot), keptBytes/2)
	require.Contains(t, string(snapshot), "not answered yet")
}

func TestHistory_OfAFloodIsItsLastFrame(t *testing.T) {
	h := newHistory()
	h.apply(userFrame{"user", 1, "say", "laptop", ""})
	for n := 1; n <= 2500; n++ {
		h.apply(floodFrame{"flood", n, 2500})
	}
	h.apply(floodFrame{"flood", 1, 2500})
	require.JSONEq(t, `{"frames":[{"type":"user","id":1,"text":"say","device":"laptop"},{"type":"flood","n":1,"of":2500}]}`, string(h.snapshot()))
}
