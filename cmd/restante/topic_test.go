package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
)

// TestP32_PublishToManyAtOnce publishes lines and arguments; a call whose answer is lost is repeated with its key, and nobody is asked for acks.
func TestP32_PublishToManyAtOnce(t *testing.T) {
	for path, args := range map[string][]string{"/v1/topics/jobs.7/frames": {"topic", "publish", "jobs.7"}, "/v1/broadcast": {"broadcast"}} {
		t.Run(path, func(t *testing.T) {
			b := newFakeBroker(t)
			b.before = func(n int, w http.ResponseWriter, r *http.Request, lines []string) bool {
				if n > 0 {
					return false
				}
				b.byKey[r.Header.Get("Idempotency-Key")] = b.store(lines)
				problem(w, protocol.Problem{Status: 503, Code: protocol.CodeOverloaded, RetryAfterMS: 1})
				return true
			}
			input, want := frames(700)
			c := newCommand()
			require.Equal(t, exitOK, c.run(input, append(args, "--url", b.URL)...), c.err.String())
			require.Equal(t, want, b.stored())
			require.Empty(t, c.out.String())
			require.Contains(t, c.err.String(), "700 frames")
			for _, sent := range b.calls {
				require.Equal(t, path, sent.uri, "nothing else is asked")
				require.NotEmpty(t, sent.key)
			}

			more := append(args, `{"type":"a"}`, `{"type":"b"}`, "--url", b.URL, "-q")
			c = newCommand()
			require.Equal(t, exitOK, c.run(`{"type":"not read"}`, more...))
			require.Equal(t, []string{`{"type":"a"}`, `{"type":"b"}`}, b.stored()[700:])
			require.Empty(t, c.err.String())

			c = newCommand()
			require.Equal(t, exitFailed, c.run("", append(args, `[]`, "--url", b.URL)...))
			require.Contains(t, c.err.String(), "line 1: bad_frame")
		})
	}
}

func publishTo(t *testing.T, b *broker.Broker, topic string, n int) (last protocol.TopicPublished) {
	t.Helper()
	for i := range n {
		var err error
		last, err = b.Topic(topic).Publish(t.Context(), fmt.Appendf(nil, `{"type":"x","i":%d}`, i))
		require.NoError(t, err)
	}
	return last
}

func topicSeqs(t *testing.T, out string) (n []int) {
	for l := range strings.Lines(out) {
		var f struct {
			Seq int `json:"topic_seq"`
		}
		require.NoError(t, json.Unmarshal([]byte(l), &f), l)
		n = append(n, f.Seq)
	}
	return n
}

func TestP32_TopicTailPrintsWhatIsThere(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	last := publishTo(t, b, "jobs.7", 5)
	for name, c := range map[string]struct {
		args []string
		want []int
	}{
		"all":              {nil, []int{1, 2, 3, 4, 5}},
		"history":          {[]string{"--history", "2"}, []int{4, 5}},
		"no history":       {[]string{"--history", "0"}, nil},
		"too much history": {[]string{"--history", "9"}, []int{1, 2, 3, 4, 5}},
		"cursor":           {[]string{"--since", last.Epoch + ":3"}, []int{4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			run := newCommand()
			require.Equal(t, exitOK, run.run("", append([]string{"topic", "tail", "jobs.7", "--url", url, "--no-follow"}, c.args...)...), run.err.String())
			require.Equal(t, c.want, topicSeqs(t, run.out.String()))
			require.Contains(t, run.err.String(), "--since "+last.Epoch+":5")
		})
	}
	run := newCommand()
	require.Equal(t, exitOK, run.run("", "topic", "tail", "jobs.7", "--url", url, "--no-follow", "--history", "1"))
	require.Equal(t, `{"topic":"jobs.7","topic_seq":5,"type":"x","i":4}`+"\n", run.out.String())

	run = newCommand()
	require.Equal(t, exitOK, run.run("", "topic", "tail", "jobs.7", "--url", url, "--no-follow", "--since", "other:3"))
	require.Contains(t, run.err.String(), "too_old (epoch)")
	require.Len(t, topicSeqs(t, run.out.String()), 5)

	run = newCommand()
	require.Equal(t, exitFailed, run.run("", "topic", "tail", "jobs.8", "--url", url))
	require.Contains(t, run.err.String(), "not_found")
}

// TestP32_TopicTailFollowsToTheEnd sees what is published while it waits; topic_closed is the last line, and no signal is needed.
func TestP32_TopicTailFollowsToTheEnd(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	publishTo(t, b, "jobs.7", 1)
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"topic", "tail", "jobs.7", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	require.Contains(t, <-lines, `"topic_seq":1,`)
	publishTo(t, b, "jobs.7", 1)
	require.Contains(t, <-lines, `"topic_seq":2,`)

	closing := newCommand()
	require.Equal(t, exitOK, closing.run("", "topic", "close", "jobs.7", "--url", url), closing.err.String())
	require.Equal(t, `{"topic":"jobs.7","topic_seq":3,"type":"topic_closed"}`+"\n", <-lines)
	require.Equal(t, exitOK, <-done)
	last := strings.TrimSpace(closing.out.String())
	require.Contains(t, c.err.String(), "--since "+last+"\n")

	again := newCommand()
	require.Equal(t, exitOK, again.run("", "topic", "close", "jobs.7", "--url", url))
	require.Equal(t, closing.out.String(), again.out.String())
	again = newCommand()
	require.Equal(t, exitOK, again.run("", "topic", "tail", "jobs.7", "--url", url, "--since", last), "nothing more can come")
	require.Empty(t, again.out.String())
	again = newCommand()
	require.Equal(t, exitFailed, again.run("", "topic", "publish", "jobs.7", `{"type":"x"}`, "--url", url))
	require.Contains(t, again.err.String(), "conflict")
}

func TestASignalEndsTopicTail(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	publishTo(t, b, "jobs.7", 1)
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"topic", "tail", "jobs.7", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	<-lines
	c.signals <- syscall.SIGTERM
	require.Equal(t, exitOK, <-done)
	require.Contains(t, c.err.String(), ":1\n")
}

func TestP32_TopicList(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	list := func(args ...string) string {
		t.Helper()
		c := newCommand()
		require.Equal(t, exitOK, c.run("", append([]string{"topic", "ls", "--url", url}, args...)...), c.err.String())
		return c.out.String()
	}
	require.Empty(t, list())
	publishTo(t, b, "jobs.7", 2)
	publishTo(t, b, "jobs.8", 1)
	_, err := b.Topic("jobs.8").Close(context.Background())
	require.NoError(t, err)
	require.Equal(t, "jobs.7 2 2 open\njobs.8 2 2 closed\n", list())
	first, _, _ := strings.Cut(list("--json"), "\n")
	var state protocol.TopicState
	require.NoError(t, json.Unmarshal([]byte(first), &state))
	require.Equal(t, uint64(2), state.Head)

	require.Empty(t, list("jobs.7"))
	want := ""
	for i := range 120 { // more than a page
		id := fmt.Sprintf("tab-%03d", i)
		_, err := b.Client(id).Subscribe(t.Context(), []string{"jobs.7", "jobs.*"}[i%2], broker.SubscribeOptions{})
		require.NoError(t, err)
		want += id + "\n"
	}
	require.Equal(t, want, list("jobs.7"))
	require.True(t, strings.HasPrefix(list("jobs.7", "--json"), `{"client_id":"tab-000"}`+"\n"))
	c := newCommand()
	require.Equal(t, exitFailed, c.run("", "topic", "ls", "jobs.9", "--url", url))
	require.Contains(t, c.err.String(), "not_found")
}

func TestTopicUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"topic":                  {"publish", "_all", `{"type":"x"}`},
		"--history":              {"tail", "jobs.7", "--history", "-1"},
		"--since":                {"tail", "jobs.7", "--since", "-1"},
		"can't be used together": {"tail", "jobs.7", "--since", "3", "--history", "1"},
		"--max-frame-bytes":      {"publish", "jobs.7", "--max-frame-bytes", "10"},
		"empty level":            {"ls", "jobs..7"},
	} {
		c := newCommand()
		require.Equal(t, exitUsage, c.run("", append([]string{"topic"}, args...)...), args)
		require.Contains(t, c.err.String(), want)
	}
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "topic", "tail", "--help"))
	require.Contains(t, c.out.String(), "topic_closed")
}
