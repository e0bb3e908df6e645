package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// frames returns n frames as lines of input, and as they are stored.
func frames(n int) (input string, stored []string) {
	for i := 1; i <= n; i++ {
		stored = append(stored, fmt.Sprintf(`{"type":"x","n":%d}`, i))
	}
	return strings.Join(stored, "\n") + "\n", stored
}

func TestPublishKeepsTheOrder(t *testing.T) {
	b := newFakeBroker(t)
	input, want := frames(5000)
	code, said := b.publish(t, input)
	require.Equal(t, exitOK, code, said)
	require.Equal(t, want, b.stored())
	require.Contains(t, said, "5000 frames (")
	require.Contains(t, said, "stored for tab-1")
	require.Contains(t, said, "up to e1:5000")
	keys := map[string]bool{}
	for _, c := range b.posts() {
		require.NotEmpty(t, c.key)
		require.False(t, keys[c.key], "each batch has a key of its own")
		keys[c.key] = true
		require.LessOrEqual(t, len(c.lines), maxBatchFrames)
	}
	require.Greater(t, len(keys), 5)
}

func TestPublishSaysNothingWhenQuiet(t *testing.T) {
	b := newFakeBroker(t)
	code, said := b.publish(t, "a\n", "--lines", "-q")
	require.Equal(t, exitOK, code)
	require.Empty(t, said)
	require.Equal(t, []string{`{"type":"line","text":"a"}`}, b.stored())
}

func TestP2_RefusedLinesDoNotSinkTheOthers(t *testing.T) {
	input := "{\"type\":\"a\"}\nnope\n{\"type\":\"b\"}\n{\"seq\":1,\"type\":\"c\"}\n{\"type\":\"d\"}\n"
	t.Run("found here", func(t *testing.T) {
		b := newFakeBroker(t)
		code, said := b.publish(t, input)
		require.Equal(t, exitFailed, code)
		require.Contains(t, said, "line 2: bad_json")
		require.Contains(t, said, "line 4: bad_frame")
		require.Equal(t, []string{`{"type":"a"}`, `{"type":"b"}`, `{"type":"d"}`}, b.stored())
	})
	t.Run("strict", func(t *testing.T) {
		b := newFakeBroker(t)
		code, said := b.publish(t, input, "--strict")
		require.Equal(t, exitFailed, code)
		require.Contains(t, said, "line 2: bad_json")
		require.Equal(t, []string{`{"type":"a"}`}, b.stored())
	})
}

// refuseB is a broker that finds fault with each frame of type b, and says on which line.
func refuseB(_ int, w http.ResponseWriter, r *http.Request, lines []string) bool {
	for i, l := range lines {
		if r.Method == http.MethodPost && strings.Contains(l, `"type":"b"`) {
			problem(w, protocol.Problem{Status: 400, Code: protocol.CodeBadFrame, Detail: "no b here", Line: i + 1})
			return true
		}
	}
	return false
}

func TestP29_LinesThatTheBrokerRefuses(t *testing.T) {
	input := "\n{\"type\":\"a\"}\n{\"type\":\"b\"}\n{\"type\":\"c\"}\n{\"type\":\"b\"}\n{\"type\":\"d\"}\n"
	t.Run("the others go on", func(t *testing.T) {
		b := newFakeBroker(t)
		b.before = refuseB
		code, said := b.publish(t, input)
		require.Equal(t, exitFailed, code)
		require.Contains(t, said, "line 3: bad_frame: no b here")
		require.Contains(t, said, "line 5: bad_frame: no b here")
		require.Contains(t, said, "2 refused by the broker")
		require.Equal(t, []string{`{"type":"a"}`, `{"type":"c"}`, `{"type":"d"}`}, b.stored())
		keys := map[string][]string{}
		for _, c := range b.posts() {
			if before, ok := keys[c.key]; ok {
				require.Equal(t, before, c.lines, "a key belongs to one body")
			}
			keys[c.key] = c.lines
		}
	})
	t.Run("strict", func(t *testing.T) {
		b := newFakeBroker(t)
		b.before = refuseB
		code, said := b.publish(t, input, "--strict")
		require.Equal(t, exitFailed, code)
		require.Contains(t, said, "line 3: bad_frame")
		require.NotContains(t, said, "line 5")
		require.Equal(t, []string{`{"type":"a"}`}, b.stored())
	})
}

// TestP2_BatchesFitTheOutbox publishes to an outbox that takes seven frames a call, and no frame longer than 30 bytes.
func TestP2_BatchesFitTheOutbox(t *testing.T) {
	b := newFakeBroker(t)
	b.before = func(_ int, w http.ResponseWriter, r *http.Request, lines []string) bool {
		long := slices.ContainsFunc(lines, func(l string) bool { return len(l) > 30 })
		if r.Method == http.MethodPost && (len(lines) > 7 || long) {
			problem(w, protocol.Problem{Status: 413, Code: protocol.CodeTooLarge, Detail: "too much"})
			return true
		}
		return false
	}
	input, want := frames(100)
	code, said := b.publish(t, input+`{"type":"x","a":"`+strings.Repeat("a", 30)+"\"}\n")
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "line 101: too_large: too much")
	require.Equal(t, want, b.stored())
}

// TestP18_RepeatsAreStoredOnce answers every other call by breaking its connection, half of the time after it has stored the frames.
func TestP18_RepeatsAreStoredOnce(t *testing.T) {
	b := newFakeBroker(t)
	b.before = func(n int, w http.ResponseWriter, r *http.Request, lines []string) bool {
		if r.Method != http.MethodPost || n%2 == 1 {
			return false
		}
		if _, done := b.byKey[r.Header.Get("Idempotency-Key")]; n%4 == 0 && !done {
			b.byKey[r.Header.Get("Idempotency-Key")] = b.store(lines)
		}
		switch n % 6 {
		case 0:
			problem(w, protocol.Problem{Status: 503, Code: protocol.CodeOverloaded, Detail: "later", RetryAfterMS: 1})
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			reset(t, w)
		}
		return true
	}
	_, want := frames(1200)
	in := newGather()
	for i, f := range want {
		in.put(frameLine{i + 1, protocol.Body(f)})
	}
	in.end()
	a, err := apiFlags{URL: b.URL}.open()
	require.NoError(t, err)
	var said output
	p := newPublisher(a, clientTarget("tab-1"), newProgress(&said, "tab-1", false), time.Minute)
	p.window, p.retry.jitter = newWindow(0, 0), func(time.Duration) time.Duration { return 0 }
	require.NoError(t, p.run(t.Context(), in))
	require.Equal(t, want, b.stored())
	require.Contains(t, said.String(), "trying again")
	require.Contains(t, said.String(), "the broker answers again")
}

func TestPublishGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		problem protocol.Problem
		args    []string
		want    string
	}{
		"not allowed": {protocol.Problem{Status: 403, Code: protocol.CodeForbidden, Detail: "not yours"}, nil, "forbidden: not yours"},
		"no token":    {protocol.Problem{Status: 401, Code: protocol.CodeUnauthorized, Title: "Unauthorized"}, nil, "unauthorized"},
		"draining":    {protocol.Problem{Status: 503, Code: protocol.CodeDraining, Detail: "leaving"}, []string{"--retry-for", "0s"}, "draining: leaving"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeBroker(t)
			b.before = func(_ int, w http.ResponseWriter, _ *http.Request, _ []string) bool {
				problem(w, c.problem)
				return true
			}
			code, said := b.publish(t, "{\"type\":\"a\"}\n{\"type\":\"b\"}\n", c.args...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, said, c.want)
			require.Regexp(t, `[12] frames that had been read are not known to be stored`, said)
		})
	}
}

func TestPublishSaysThatTheOutboxBeganAnew(t *testing.T) {
	b := newFakeBroker(t)
	b.before = func(n int, _ http.ResponseWriter, _ *http.Request, _ []string) bool {
		if n == 1 {
			b.state = protocol.State{ClientID: "tab-1", Epoch: "e2"}
		}
		return false
	}
	input, _ := frames(1500)
	code, said := b.publish(t, input)
	require.Equal(t, exitOK, code)
	require.Contains(t, said, "begun anew (epoch e2 after e1)")
}

// TestWindowWaitsForAcks publishes to a reader that has a place, and acks only when it is waited for.
func TestWindowWaitsForAcks(t *testing.T) {
	b := newFakeBroker(t)
	b.state.Places, b.state.Connections = 1, 1
	waited, most := 0, uint64(0)
	b.acked = func(p protocol.Published) protocol.Published {
		if waited++; waited%3 == 0 {
			p.Reason = protocol.ShortTimeout // not yet: look again, and wait again
			return p
		}
		most = max(most, b.state.Head-b.state.Acked)
		b.state.Acked = p.Seq
		b.state.Floor = p.Seq
		p.Status = protocol.StatusAcked
		return p
	}
	input, want := frames(1000)
	code, said := b.publish(t, input, "--window", "100")
	require.Equal(t, exitOK, code, said)
	require.Equal(t, want, b.stored())
	require.Greater(t, waited, 10)
	require.Positive(t, most)
	require.LessOrEqual(t, most, uint64(100))
	require.NotContains(t, said, "pruned")
}

// TestWindowDoesNotWaitForNobody publishes while nobody holds a place: bounds prune, and that is said.
func TestWindowDoesNotWaitForNobody(t *testing.T) {
	b := newFakeBroker(t)
	b.before = func(_ int, _ http.ResponseWriter, _ *http.Request, _ []string) bool {
		if b.state.Head > 300 {
			b.state.Floor = b.state.Head - 300
		}
		return false
	}
	input, want := frames(1000)
	code, said := b.publish(t, input, "--window", "100")
	require.Equal(t, exitOK, code, said)
	require.Equal(t, want, b.stored())
	require.Contains(t, said, "frames that nobody had acked")
	require.Contains(t, said, "700 pruned before anybody acked them")
	for _, c := range b.calls {
		require.NotContains(t, c.uri, "wait=acked")
	}
}

// TestALineDoesNotWaitForOthers has an agent that writes one line and then nothing for ever.
func TestALineDoesNotWaitForOthers(t *testing.T) {
	b := newFakeBroker(t)
	arrived := make(chan struct{}, 10)
	b.before = func(_ int, _ http.ResponseWriter, r *http.Request, _ []string) bool {
		if r.Method == http.MethodPost {
			arrived <- struct{}{}
		}
		return false
	}
	in, agent := io.Pipe()
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"publish", "tab-1", "--lines", "--url", b.URL}, process{in: in, out: &c.out, err: &c.err, signals: c.catch})
	}()
	for _, text := range []string{"one\n", "two\n"} {
		_, err := io.WriteString(agent, text)
		require.NoError(t, err)
		<-arrived
	}
	require.NoError(t, agent.Close())
	require.Equal(t, exitOK, <-done)
	require.Equal(t, []string{`{"type":"line","text":"one"}`, `{"type":"line","text":"two"}`}, b.stored())
}

// TestASignalEndsPublish interrupts a publisher that waits for input.
func TestASignalEndsPublish(t *testing.T) {
	b := newFakeBroker(t)
	in, agent := io.Pipe()
	defer agent.Close()
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"publish", "tab-1", "--lines", "--url", b.URL}, process{in: in, out: &c.out, err: &c.err, signals: c.catch})
	}()
	_, err := io.WriteString(agent, "one\n")
	require.NoError(t, err)
	c.signals <- syscall.SIGINT
	require.Equal(t, 130, <-done)
}

// TestASecondSignalEndsPublishAtOnce interrupts a publisher that cannot get rid of what it has read.
func TestASecondSignalEndsPublishAtOnce(t *testing.T) {
	b := newFakeBroker(t)
	arrived := make(chan struct{}, 100)
	b.before = func(_ int, w http.ResponseWriter, _ *http.Request, _ []string) bool {
		arrived <- struct{}{}
		problem(w, protocol.Problem{Status: 503, Code: protocol.CodeOverloaded, RetryAfterMS: 30_000})
		return true
	}
	c, done := newCommand(), make(chan int)
	go func() { done <- c.run("one\n", "publish", "tab-1", "--lines", "--url", b.URL, "--retry-for", "off") }()
	<-arrived
	c.signals <- syscall.SIGTERM
	c.signals <- syscall.SIGINT
	require.Equal(t, 143, <-done)
	require.Contains(t, c.err.String(), "1 frames that had been read are not known to be stored")
}
