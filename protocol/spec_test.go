package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func spec(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("PROTOCOL.md")
	require.NoError(t, err)
	return string(b)
}

// TestSpec_HasEveryRule holds that each of P-1 to P-32 is a heading of PROTOCOL.md, once, and that no other is quoted.
func TestSpec_HasEveryRule(t *testing.T) {
	headings := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^### (P-\d+): \S`).FindAllStringSubmatch(spec(t), -1) {
		headings[m[1]]++
	}
	for n := 1; n <= 32; n++ {
		require.Equal(t, 1, headings[fmt.Sprintf("P-%d", n)], "P-%d", n)
	}
	require.Len(t, headings, 32)
	for _, quoted := range regexp.MustCompile(`P-\d+`).FindAllString(spec(t), -1) {
		require.Contains(t, headings, quoted)
	}
}

var fence = regexp.MustCompile("(?ms)^```json ?(\\w*)\n(.*?)^```$")

// TestSpec_Examples runs every line of every fenced JSON example by the kind that its fence names.
func TestSpec_Examples(t *testing.T) {
	run := map[string]func(*testing.T, string){
		"frame": exampleFrame, "broker": exampleBroker, "client": exampleClient, "body": exampleBody,
		"refused": exampleRefused, "answer": exampleAnswer, "problem": exampleProblem,
	}
	ran := map[string]int{}
	for _, m := range fence.FindAllStringSubmatch(spec(t), -1) {
		for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
			check, ok := run[m[1]]
			require.True(t, ok, "a fenced example of no known kind: %q", m[1])
			ran[m[1]]++
			t.Run(fmt.Sprintf("%s_%d", m[1], ran[m[1]]), func(t *testing.T) { check(t, line) })
		}
	}
	for kind := range run {
		require.NotZero(t, ran[kind], "no example of the kind %q", kind)
	}
	require.Equal(t, strings.Count(spec(t), "```json"), len(fence.FindAllString(spec(t), -1)), "every JSON fence is read")
}

func exampleFrame(t *testing.T, line string) {
	in, err := protocol.ParseIncoming([]byte(line))
	require.NoError(t, err)
	require.NotZero(t, in.Seq)
	rest := "{" + strings.TrimPrefix(line, fmt.Sprintf(`{"seq":%d,`, in.Seq))
	if in.From != "" {
		rest = "{" + strings.TrimPrefix(rest, fmt.Sprintf(`{"from":%q,`, in.From))
	}
	if in.Topic != "" {
		rest = "{" + strings.TrimPrefix(rest, fmt.Sprintf(`{"topic":%q,"topic_seq":%d,`, in.Topic, in.TopicSeq))
	}
	body, err := protocol.ParseBody([]byte(rest), 0)
	require.NoError(t, err)
	if in.Topic != "" {
		body = spliceTopic(t, body, in.Topic, in.TopicSeq)
	}
	if in.From != "" {
		body = protocol.WithFrom(body, in.From)
	}
	require.Equal(t, line, string(protocol.AppendFrame(nil, in.Seq, body)))
}

// strict decodes line into v and holds that v has every member of it.
func strict[T any](t *testing.T, line string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&v))
	return v
}

// exampleBroker writes the message again with this package, byte for byte.
func exampleBroker(t *testing.T, line string) {
	in, err := protocol.ParseIncoming([]byte(line))
	require.NoError(t, err)
	require.Zero(t, in.Seq)
	var again []byte
	switch in.Type {
	case protocol.TypeHello:
		again = protocol.EncodeHello(strict[protocol.Hello](t, line))
	case protocol.TypeSnapshot:
		s := strict[struct {
			protocol.Snapshot
			Topic string `json:"topic"`
		}](t, line)
		if again = protocol.EncodeSnapshot(s.AsOf, s.Data); s.Topic != "" {
			again = protocol.EncodeTopicSnapshot(s.Topic, s.AsOf, s.Data)
		}
	case protocol.TypeSubscribed:
		again = protocol.EncodeSubscribed(strict[protocol.Subscribed](t, line))
	case protocol.TypeUnsubscribed:
		again = protocol.EncodeUnsubscribed(strict[struct{ Type, Topic string }](t, line).Topic)
	case protocol.TypeReplayEnd:
		again = protocol.EncodeReplayEnd(strict[protocol.ReplayEnd](t, line).Seq)
	case protocol.TypePing:
		again = protocol.EncodePing(strict[protocol.Ping](t, line).Head)
	case protocol.TypePong:
		again = protocol.EncodePong()
	case protocol.TypeReceipt:
		again = protocol.EncodeReceipt(strict[protocol.Receipt](t, line))
	case protocol.TypeGoaway:
		again = protocol.EncodeGoaway(strict[protocol.Goaway](t, line).RetryAfterMS)
	case protocol.TypeError:
		type wire struct {
			Type, Message, ID, Topic string
			Code                     protocol.Code
			RetryAfterMS             int64 `json:"retry_after_ms"`
		}
		e := strict[wire](t, line)
		require.Contains(t, protocol.Codes(), e.Code)
		again = protocol.EncodeError(&protocol.Error{Code: e.Code, Message: e.Message, ID: e.ID, Topic: e.Topic, RetryAfterMS: e.RetryAfterMS})
	default:
		require.Fail(t, "no example of the broker's: "+in.Type)
	}
	require.Equal(t, line, string(again))
}

func exampleClient(t *testing.T, line string) {
	m, err := protocol.ParseMessage([]byte(line), 0)
	require.NoError(t, err)
	again, err := protocol.ParseMessage(protocol.AppendMessage(nil, m), 0)
	require.NoError(t, err)
	require.Equal(t, m, again)
}

func exampleBody(t *testing.T, line string) {
	body, err := protocol.ParseBody([]byte(line), 0)
	require.NoError(t, err)
	var want bytes.Buffer
	require.NoError(t, json.Compact(&want, []byte(line)))
	require.Equal(t, want.String(), string(body))
}

func exampleRefused(t *testing.T, line string) {
	type wire struct {
		Body, Message, ID, Topic string
		Code                     protocol.Code
	}
	w := strict[wire](t, line)
	if w.Body != "" {
		_, err := protocol.ParseBody([]byte(w.Body), 0)
		require.Equal(t, w.Code, code(t, err))
		return
	}
	_, err := protocol.ParseMessage([]byte(w.Message), 0)
	require.Equal(t, w.Code, code(t, err))
	require.Equal(t, w.ID, protocol.AsError(err).ID)
	require.Equal(t, w.Topic, protocol.AsError(err).Topic)
}

// same holds that v, read from line, is written as line again.
func same(t *testing.T, line string, v any) {
	t.Helper()
	again, err := json.Marshal(v)
	require.NoError(t, err)
	require.Equal(t, line, string(again))
}

func exampleAnswer(t *testing.T, line string) {
	if strings.Contains(line, `"as_of":"`) {
		stored := strict[protocol.StoredSnapshot](t, line)
		same(t, line, stored)
		c, err := protocol.ParseCursor(stored.AsOf)
		require.NoError(t, err)
		require.NotEmpty(t, c.Epoch)
		return
	}
	switch {
	case strings.HasPrefix(line, `{"topics":`):
		same(t, line, strict[protocol.TopicList](t, line))
		return
	case strings.Contains(line, `"last_active"`):
		same(t, line, strict[protocol.TopicState](t, line))
		return
	case strings.HasPrefix(line, `{"topic":`) && strings.Contains(line, `"resume"`):
		exampleLog(t, line)
		return
	case strings.HasPrefix(line, `{"topic":`):
		same(t, line, strict[protocol.TopicPublished](t, line))
		return
	case !strings.Contains(line, `"resume"`):
		same(t, line, strict[protocol.Published](t, line))
		return
	}
	page := strict[protocol.Page](t, line)
	same(t, line, page)
	for _, f := range page.Frames {
		exampleFrame(t, string(f))
	}
	c, err := protocol.ParseCursor(page.Cursor)
	require.NoError(t, err)
	require.Equal(t, page.Epoch, c.Epoch)
}

// exampleLog is a page of a topic's log.
func exampleLog(t *testing.T, line string) {
	page := strict[protocol.TopicPage](t, line)
	same(t, line, page)
	c, err := protocol.ParseCursor(page.Cursor)
	require.NoError(t, err)
	require.Equal(t, page.Epoch, c.Epoch)
	for i, f := range page.Frames {
		require.NoError(t, protocol.CheckStored(protocol.Body(f)))
		topic, seq, err := protocol.TopicOf(protocol.Body(f))
		require.NoError(t, err)
		require.Equal(t, page.Topic, topic)
		require.Equal(t, c.Seq, seq+uint64(len(page.Frames)-1-i))
	}
}

// TestSpec_Events reads the example of a stream as an EventSource would, and holds it to what the section says.
func TestSpec_Events(t *testing.T) {
	m := regexp.MustCompile("(?ms)^```events\n(.*?)^```$").FindAllStringSubmatch(spec(t), -1)
	require.Len(t, m, 1)
	seen := map[string]bool{}
	epoch := ""
	for _, event := range strings.Split(strings.TrimSpace(m[0][1]), "\n\n") {
		field := map[string]string{}
		for _, line := range strings.Split(event, "\n") {
			name, value, ok := strings.Cut(line, ": ")
			require.True(t, ok, line)
			field[name] = value
		}
		name, data := field["event"], field["data"]
		seen[name] = true
		if name == "close" {
			c := strict[struct {
				Code protocol.CloseCode
				Name string
			}](t, data)
			require.Equal(t, c.Code.Name(), c.Name)
			require.NotEmpty(t, field["retry"])
			continue
		}
		if data == "" {
			require.Equal(t, map[string]string{"": ""}, field, "a comment")
			continue
		}
		in, err := protocol.ParseIncoming([]byte(data))
		require.NoError(t, err)
		id := ""
		if in.Seq > 0 {
			require.Empty(t, name)
			exampleFrame(t, data)
			id = protocol.Cursor{Epoch: epoch, Seq: in.Seq}.String()
		} else {
			require.Equal(t, in.Type, name)
			exampleBroker(t, data)
		}
		switch name {
		case protocol.TypeHello:
			epoch = strict[protocol.Hello](t, data).Epoch
		case protocol.TypeReplayEnd:
			id = protocol.Cursor{Epoch: epoch, Seq: strict[protocol.ReplayEnd](t, data).Seq}.String()
		}
		require.Equal(t, id, field["id"])
	}
	for _, name := range []string{"", "hello", "replay_end", "close"} {
		require.True(t, seen[name], "an event %q", name)
	}
}

func exampleProblem(t *testing.T, line string) {
	p := strict[protocol.Problem](t, line)
	require.Equal(t, line, string(protocol.EncodeProblem(&protocol.Error{Code: p.Code, Message: p.Detail, ID: p.ID, Topic: p.Topic, Line: p.Line, RetryAfterMS: p.RetryAfterMS})))
}

// TestP20_SpecTable holds the table of error codes in PROTOCOL.md to the one in Go.
func TestP20_SpecTable(t *testing.T) {
	yes := map[bool]string{true: "yes"}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d{3}) \\| *(\\w*) *\\| *(\\w*) *\\| *(\\d*) *\\| \\S.* \\|$")
	got := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(spec(t), -1) {
		got[m[1]] = m[2:]
	}
	want := map[string][]string{}
	for _, c := range protocol.Codes() {
		i := c.Info()
		closes := ""
		if i.Close != 0 {
			closes = fmt.Sprint(uint16(i.Close))
		}
		want[string(c)] = []string{fmt.Sprint(i.Status), yes[i.Counts], yes[i.Retry], closes}
	}
	require.Equal(t, want, got)
}

// TestP22_SpecTable holds the table of close codes in PROTOCOL.md to the one in Go.
func TestP22_SpecTable(t *testing.T) {
	got, want := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d{4}) \| (\w+) \| (\S.*) \|$`).FindAllStringSubmatch(spec(t), -1) {
		got[m[1]] = fmt.Sprint(m[2], " ", strings.HasPrefix(m[3], "stops"))
	}
	for _, c := range protocol.CloseCodes() {
		want[fmt.Sprint(uint16(c))] = fmt.Sprint(c.Name(), " ", c.Stops())
	}
	require.Equal(t, want, got)
}

// TestSpec_NamesTheVectors holds that the list of files is whole.
func TestSpec_NamesTheVectors(t *testing.T) {
	files, err := os.ReadDir(vectorDir)
	require.NoError(t, err)
	for _, f := range files {
		require.Contains(t, spec(t), "`"+f.Name()+"`")
	}
}
