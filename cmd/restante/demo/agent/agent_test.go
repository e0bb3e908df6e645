package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
)

// textOf is frames one a line, for a test's words.
func textOf(frames []json.RawMessage) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "%s\n", f)
	}
	return b.String()
}

func TestAgent_KilledBrokersCostNothing(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("laptop-1")
	p.says("help")
	for _, at := range []int{10, 40, 70} {
		for p.count("type", "text") < at {
			p.next("type", "text")
		}
		w.kill()
		w.serve()
	}
	p.next("type", "turn", "state", turnDone)
	require.Equal(t, help, p.text(1))
	var want []json.RawMessage
	want = append(want, encode(userFrame{"user", 1, "help", "laptop", "s-help"}), encode(turnFrame{"turn", 1, turnStart, 1}))
	for _, piece := range pieces(help) {
		want = append(want, encode(textFrame{"text", 1, piece}))
	}
	want = append(want, encode(turnFrame{"turn", 1, turnDone, 1}))
	require.Equal(t, textOf(want), textOf(w.log()), "each once and in order")
	require.Len(t, p.seen, len(want), "and so it has come to the page")
}

func TestAgent_WhatItIsSentWhileItIsAwayIsAnsweredOnce(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("phone-1")
	p.says("list")
	p.next("type", "turn", "state", turnDone)
	w.stop()
	p.says("grep away")
	w.kill()
	receipt := make(chan error, 1)
	go func() {
		_, err := p.Send(t.Context(), ID, []byte(`{"type":"say","text":"grep nobody","send":"s2"}`))
		receipt <- err
	}()
	w.serve()
	require.NoError(t, <-receipt)
	w.run()
	p.next("type", "turn", "turn", 3, "state", turnDone)
	w.stop()
	w.run()
	p.says("hello")
	p.next("type", "turn", "turn", 4, "state", turnDone)
	var said []any
	for _, f := range p.seen {
		if f["type"] == "user" {
			said = append(said, f["text"])
		}
	}
	require.Equal(t, []any{"list", "grep away", "grep nobody", "hello"}, said)
	require.Equal(t, 4, p.count("type", "turn", "state", turnStart))
	require.Contains(t, p.text(2), "“away” is nowhere")
	require.Contains(t, p.text(3), "“nobody” is nowhere")
	require.Contains(t, p.text(4), "beyond me")
}

func TestAgent_ATurnUnderWayEndsWithItsRun(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("laptop-1")
	p.says("help")
	p.says("list")
	p.next("type", "text")
	p.next("type", "user", "text", "list")
	w.stop()
	w.run()
	p.next("type", "turn", "turn", 1, "state", turnStopped)
	p.next("type", "turn", "turn", 2, "state", turnDone)
	require.Equal(t, 2, p.count("type", "user"))
}

func TestAgent_ASnapshotAndWhatFollowsAreTheWhole(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("laptop-1")
	p.says("list")
	p.next("type", "turn", "state", turnDone)
	require.NoError(t, w.agent.Flood())
	require.ErrorIs(t, w.agent.Flood(), ErrFlooding)
	p.says("help")
	p.next("type", "turn", "turn", 2, "state", turnDone)
	p.next("type", "flood", "n", floodFrames)
	p.says("grep x")
	p.next("type", "turn", "turn", 3, "state", turnDone)
	late := w.page("phone-1") // a page that comes late has the snapshot, and what came after it
	kept := framesOf(t, late.begun)
	require.Less(t, len(kept), 40)
	late.says("list")
	late.next("type", "turn", "turn", 4, "state", turnDone)
	p.next("type", "turn", "turn", 4, "state", turnDone)
	require.Equal(t, floodFrames, p.count("type", "flood"))

	all := w.log()
	after := len(late.seen)
	for i, f := range late.seen { // dense, up to the end of the log
		require.Equal(t, float64(len(all)-after+1+i), f["topic_seq"])
	}
	require.Equal(t, draw(all), draw(slices.Concat(kept, all[len(all)-after:])))
	require.Equal(t, FloodState{Sent: floodFrames, Of: floodFrames}, w.agent.Flooding())
	w.stop()
	require.ErrorIs(t, w.agent.Flood(), ErrNotRunning)
}

// module is a folder with code to vet and test.
func module(t *testing.T, test string) string {
	return tree(t, map[string]string{
		"go.mod": "module example.com/d\n\ngo 1.26\n", "d.go": "package d // TODO: everything\n",
		"d_test.go": "package d\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar _ = os.Getenv\n\nfunc TestD(t *testing.T) {" + test + "}\n",
	}).path
}

func TestAgent_ReviewsAndAsks(t *testing.T) {
	w := newWorld(t, module(t, ""))
	laptop, phone := w.page("laptop-1"), w.page("phone-1")
	laptop.says("review")
	q := phone.next("type", "question")
	require.Equal(t, "go test ./...", q["command"])
	require.Equal(t, []any{allow, deny}, q["choices"])
	phone.sends(`{"type":"answer","question":%v,"choice":"perhaps","device":"phone"}`, q["question"])
	phone.sends(`{"type":"answer","question":77,"choice":"allow","device":"phone"}`)
	phone.sends(`{"type":"answer","question":%v,"choice":"allow","device":"laptop"}`, q["question"])
	phone.next("type", "answered")
	laptop.sends(`{"type":"answer","question":%v,"choice":"deny","device":"laptop"}`, q["question"])
	laptop.next("type", "turn", "state", turnDone)
	require.Equal(t, 1, laptop.count("type", "answered"))
	require.Equal(t, 1, laptop.count("type", "answered", "choice", allow, "device", "phone"), "the first answer, and where it came from whatever it says")
	for call, name := range []string{"list", "grep", "go vet", "go test"} {
		require.Equal(t, 1, laptop.count("type", "tool", "call", call+1, "name", name), name)
		require.Equal(t, 1, laptop.count("type", "tool_done", "call", call+1, "exit", 0), name)
	}
	require.Equal(t, 1, laptop.count("type", "progress", "call", 4, "done", 1, "of", 1, "label", "example.com/d"))
	require.Contains(t, laptop.text(1), "“TODO” stands in 1 line, in 1 of the 3 files that I searched.")
	require.Contains(t, laptop.text(1), "go vet has nothing to complain about. The tests pass, in 1 package. That was my review.")

	laptop.says("test")
	q = laptop.next("type", "question")
	laptop.sends(`{"type":"answer","question":%v,"choice":"deny"}`, q["question"])
	laptop.next("type", "turn", "turn", 2, "state", turnDone)
	require.Equal(t, 0, laptop.count("type", "tool", "turn", 2))
	require.Equal(t, "All right, no tests.", laptop.text(2))
}

func TestAgent_AFailureIsShownAsItIs(t *testing.T) {
	w := newWorld(t, module(t, `t.Fatal("so it goes")`))
	p := w.page("laptop-1")
	p.says("test")
	q := p.next("type", "question")
	p.sends(`{"type":"answer","question":%v,"choice":"allow"}`, q["question"])
	p.next("type", "tool_done", "exit", 1)
	p.next("type", "turn", "state", turnDone)
	out := ""
	for _, f := range p.seen {
		if f["type"] == "output" {
			out += f["text"].(string)
		}
	}
	require.Contains(t, out, "so it goes")
	require.Contains(t, p.text(1), "Some of it fails")
}

func TestAgent_WithoutGo(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.stop()
	w.agent.shop.path = func(string) (string, error) { return "", os.ErrNotExist }
	w.run()
	p := w.page("laptop-1")
	p.says("review")
	p.next("type", "tool_done", "exit", -1, "error", errNoGo.Error())
	p.next("type", "turn", "state", turnDone)
	require.Zero(t, p.count("type", "question"))
	require.Contains(t, p.text(1), "there is no go command on this machine. So there is nothing to test with either")
}

func TestAgent_RefusesWhatIsOutside(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("laptop-1")
	for n, say := range []string{"list /etc", "grep root ../..", "vet ../x", "test net/http"} {
		p.says(say)
		p.next("type", "turn", "turn", n+1, "state", turnDone)
		require.Zero(t, p.count("type", "output"))
		require.Regexp(t, "outside of the folder that I work in|there is no", p.text(n+1))
	}
	require.Zero(t, p.count("type", "question"))
}

func TestAgent_AStopTakesTheCommandAlong(t *testing.T) {
	c := newCanary(t)
	w := newWorld(t, module(t, fmt.Sprintf(`f, err := os.OpenFile(%q, os.O_WRONLY, 0); if err != nil { t.Fatal(err) }; f.WriteString("alive\n"); select {}`, c.path)))
	p := w.page("laptop-1")
	p.sends(`{"type":"stop"}`) // nothing to stop
	p.says("test")
	q := p.next("type", "question")
	p.sends(`{"type":"answer","question":%v,"choice":"allow"}`, q["question"])
	c.sings()
	p.sends(`{"type":"stop","turn":9}`) // another one
	p.sends(`{"type":"stop"}`)
	c.dies()
	p.next("type", "tool_done", "exit", -1, "error", errStopped)
	p.next("type", "turn", "state", turnStopped)
	p.says("test")
	p.next("type", "question")
	p.sends(`{"type":"stop","turn":2}`)
	p.next("type", "turn", "turn", 2, "state", turnStopped)
	p.says("hello")
	p.next("type", "turn", "turn", 3, "state", turnDone)
	left, err := os.ReadDir(w.agent.cfg.Temp)
	require.NoError(t, err)
	t.Logf("a killed go test leaves %d folders in our own, which go with it", len(left))
}

func TestAgent_TheEndOfTheAgentTakesTheCommandAlong(t *testing.T) {
	c := newCanary(t)
	w := newWorld(t, module(t, fmt.Sprintf(`f, err := os.OpenFile(%q, os.O_WRONLY, 0); if err != nil { t.Fatal(err) }; f.WriteString("alive\n"); select {}`, c.path)))
	p := w.page("laptop-1")
	p.says("test")
	q := p.next("type", "question")
	p.sends(`{"type":"answer","question":%v,"choice":"allow"}`, q["question"])
	c.sings()
	w.stop()
	c.dies()
}

func TestAgent_IsNotPutOutByNonsense(t *testing.T) {
	w := newWorld(t, t.TempDir())
	stranger, p := w.page("somebody"), w.page("laptop-1")
	stranger.says("list")
	p.sends(`{"type":"dance"}`)
	p.sends(`{"type":"say","text":7}`)
	p.sends(`{"type":"say","text":"x","send":%q}`, strings.Repeat("y", mostName+1))
	p.sends(`{"type":"say"}`)
	p.sends(`{"type":"say","text":%q}`, strings.Repeat("é", mostSaid+1))
	p.next("type", "turn", "turn", 2, "state", turnDone)
	require.Equal(t, 2, p.count("type", "user"))
	require.Equal(t, 1, p.count("type", "user", "id", 2, "text", strings.Repeat("é", mostSaid)+"…"))
	require.Contains(t, p.text(2), "I have read its first 2000 characters.")
}

func TestAgent_ManySaysWaitInItsOutbox(t *testing.T) {
	w := newWorld(t, t.TempDir())
	p := w.page("laptop-1")
	p.says("help")
	for n := range 3 * waitingSays {
		p.says(fmt.Sprintf("grep %d", n))
	}
	p.next("type", "turn", "turn", 3*waitingSays+1, "state", turnDone)
	for n := range 3 * waitingSays {
		require.Equal(t, 1, p.count("type", "user", "id", n+2, "text", fmt.Sprintf("grep %d", n), "send", fmt.Sprintf("s-grep %d", n)))
		require.Contains(t, p.text(n+2), fmt.Sprintf("“%d” is nowhere", n))
	}
}

func FuzzLetter(f *testing.F) {
	f.Add([]byte(`{"seq":1,"from":"laptop-1","type":"say","text":"x"}`), "laptop-1")
	f.Add([]byte(`{"type":"answer","question":1e9}`), "phone-")
	f.Add([]byte(`[]`), "agent")
	f.Fuzz(func(t *testing.T, raw []byte, from string) {
		l, err := read(client.Frame{Raw: raw, From: from})
		if err == nil && !strings.HasPrefix(from, l.device+"-") {
			t.Errorf("%q speaks as %q", from, l.device)
		}
	})
}
