package tests

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestCLI_PublishLinesFromAPipe(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("tab-1")
	c.until("replay_end")
	p := runTool(t, s.endpoint, "publish", "--lines", "tab-1")
	p.feed("first\n")
	require.Equal(t, `{"seq":1,"type":"line","text":"first"}`, c.next().Raw, "a lone line is not held back, though the input goes on")
	p.feed("caf\xe9 \x01\ttab \"q\"\r\n\nlast, without its newline")
	c.upTo(3)
	require.Zero(t, p.done(), p.stderr)
	text := func(raw string) string {
		var f struct{ Type, Text string }
		require.NoError(t, json.Unmarshal([]byte(raw), &f))
		require.Equal(t, "line", f.Type)
		return f.Text
	}
	page := s.page("tab-1", "")
	var texts []string
	for _, f := range page.Frames {
		texts = append(texts, text(string(f)))
	}
	require.Contains(t, texts, "last, without its newline")
	require.Contains(t, strings.Join(texts, "|"), "caf\ufffd \x01\ttab \"q\"")
}

func TestCLI_PublishSplitsLongLines(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := runTool(t, s.endpoint, "publish", "--lines", "a")
	long := strings.Repeat("äb\"", 60_000)
	p.feed(long + "\nshort\n")
	require.Zero(t, p.done(), p.stderr)
	var whole strings.Builder
	page := s.page("a", "")
	for i, raw := range page.Frames {
		var f struct {
			Text string
			Part *int
		}
		require.NoError(t, json.Unmarshal(raw, &f))
		if i == len(page.Frames)-1 {
			require.Equal(t, "short", f.Text)
			require.Nil(t, f.Part)
			continue
		}
		require.NotNil(t, f.Part)
		whole.WriteString(f.Text)
	}
	require.True(t, whole.String() == long, "the parts together are the line")
}

func TestCLI_ARefusedLineIsNamedAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	input := "{\"type\":\"a\"}\n{\"typ\":1}\nnonsense\n{\"type\":\"b\"}\n{\"type\":\"c\",\"seq\":1}\n{\"type\":\"d\"}\n"
	p := runTool(t, s.endpoint, "publish", "a")
	p.feed(input)
	require.Equal(t, 1, p.done())
	for _, line := range []string{"line 2", "line 3", "line 5"} {
		require.Contains(t, p.stderr.String(), line)
	}
	frames := s.page("a", "").Frames
	require.Len(t, frames, 3)
	require.Equal(t, `{"seq":3,"type":"d"}`, string(frames[2]))
	strict := runTool(t, s.endpoint, "publish", "--strict", "b")
	strict.feed(input)
	require.Equal(t, 1, strict.done())
	require.Len(t, s.page("b", "").Frames, 1)
	wrapped := runTool(t, s.endpoint, "publish", "--wrap", "c")
	wrapped.feed("[1, 2]\n\"x\"\n{\"seq\":1}\n")
	require.Zero(t, wrapped.done(), wrapped.stderr)
	require.Equal(t, `{"seq":1,"type":"json","data":[1,2]}`, string(s.page("c", "").Frames[0]))
	require.Len(t, s.page("c", "").Frames, 3)
}

func TestCLI_TheWindowWaitsForAReaderThatHoldsAPlace(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "500")
	c := s.attach("a")
	c.until("replay_end")
	p := runTool(t, s.endpoint, "publish", "--window", "100", "a")
	fed := make(chan error, 1)
	go func() {
		var all strings.Builder
		for n := range 2000 {
			all.WriteString(numbered(n+1, 50) + "\n")
		}
		_, err := p.stdin.Write([]byte(all.String()))
		_ = p.stdin.Close()
		fed <- err
	}()
	n := 0
	for n < 2000 {
		m := c.next()
		n++
		require.Equal(t, n, m.N)
		if n%20 == 0 {
			st := s.state("a")
			require.LessOrEqual(t, int(st.Head)-(n-20), 100, "no more than the window is unacked")
			c.send(`{"type":"ack","seq":%d}`, m.Seq)
		}
	}
	require.NoError(t, <-fed)
	require.Zero(t, p.wait(), p.stderr)
	require.Zero(t, s.metric("restante_pruned_frames_total", `reason="count"`), "nothing was lost by the bounds")
	// Nobody there: it does not wait, and says what the bounds have pruned.
	q := runTool(t, s.endpoint, "publish", "--window", "100", "b")
	for n := range 1500 {
		q.feed(numbered(n+1, 50) + "\n")
	}
	require.Zero(t, q.done(), q.stderr)
	require.EqualValues(t, 1500, s.state("b").Head)
	require.Contains(t, q.stderr.String(), "1000")
}

func TestCLI_TailFollowsAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 3, 3, 0)
	tail := runTool(t, s.endpoint, "tail", "a")
	tail.says(tail.stdout, `"n":3,`)
	s.publish("a", `{"type":"live"}`)
	tail.says(tail.stdout, `{"seq":4,"type":"live"}`)
	require.Zero(t, s.state("a").Places)
	s.kill()
	again := serve(t, "--listen", s.host())
	again.publish("a", `{"type":"reborn"}`)
	tail.says(tail.stdout, `{"seq":1,"type":"reborn"}`)
	again.publish("a", `{"type":"later"}`)
	tail.says(tail.stdout, `{"seq":2,"type":"later"}`)
	require.Contains(t, tail.stderr.String(), "too_old")
	tail.signal(syscall.SIGINT)
	require.Zero(t, tail.wait())
	require.Equal(t, 6, strings.Count(tail.stdout.String(), "\n"), "each frame once: %s", tail.stdout)
	from := runTool(t, again.endpoint, "tail", "--no-follow", "--since", fmt.Sprintf("%s:1", again.state("a").Epoch), "a")
	require.Zero(t, from.wait())
	require.Equal(t, "{\"seq\":2,\"type\":\"later\"}\n", from.stdout.String())
}

func TestCLI_PublishRetriesWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // somebody else's socket, which answers nothing
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	p := runTool(t, &endpoint{t: t, url: "http://" + addr}, "publish", "a")
	p.feed("{\"type\":\"early\"}\n")
	p.says(p.stderr, "restante:")
	s := serve(t, "--listen", addr)
	require.Zero(t, p.done(), p.stderr)
	require.Equal(t, `{"seq":1,"type":"early"}`, string(s.page("a", "").Frames[0]))
	require.EqualValues(t, 1, s.state("a").Head)
}

func TestCLI_TheRest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, 2, runTool(t, nil, "serve", "--no-such-flag").done())
	require.Equal(t, 2, runTool(t, nil, "serve", "--max-frames", "many").done())
	require.NotZero(t, runTool(t, nil, "dance").done())
	help := runTool(t, nil, "--help")
	require.Zero(t, help.done())
	for _, word := range []string{"serve", "publish", "tail", "sweep", "demo", "version"} {
		require.Contains(t, help.stdout.String(), word)
	}
	version := runTool(t, nil, "version")
	require.Zero(t, version.done())
	require.Contains(t, version.stdout.String(), "restante")
	sweep := runTool(t, s.endpoint, "sweep")
	require.Zero(t, sweep.done(), sweep.stderr)
	var report protocol.Sweep
	require.NoError(t, json.Unmarshal([]byte(sweep.stdout.String()), &report))
	away := runTool(t, nil, "sweep", "--url", "http://127.0.0.1:1")
	require.Equal(t, 1, away.done())
	require.NotEmpty(t, away.stderr.String())
	taken := runTool(t, nil, "serve", "--listen", s.host())
	require.Equal(t, 1, taken.done(), "the address is taken")
	require.NotEmpty(t, taken.stderr.String())
	begin := time.Now()
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.waitExit(patience))
	require.Less(t, time.Since(begin), 10*time.Second)
}
