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
	body, err := protocol.ParseBody([]byte(rest), 0)
	require.NoError(t, err)
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
		s := strict[protocol.Snapshot](t, line)
		again = protocol.EncodeSnapshot(s.AsOf, s.Data)
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
			Type, Message, ID string
			Code              protocol.Code
			RetryAfterMS      int64 `json:"retry_after_ms"`
		}
		e := strict[wire](t, line)
		require.Contains(t, protocol.Codes(), e.Code)
		again = protocol.EncodeError(&protocol.Error{Code: e.Code, Message: e.Message, ID: e.ID, RetryAfterMS: e.RetryAfterMS})
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
		Body, Message, ID string
		Code              protocol.Code
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
	if !strings.Contains(line, `"resume"`) {
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

func exampleProblem(t *testing.T, line string) {
	p := strict[protocol.Problem](t, line)
	require.Equal(t, line, string(protocol.EncodeProblem(&protocol.Error{Code: p.Code, Message: p.Detail, ID: p.ID, Line: p.Line, RetryAfterMS: p.RetryAfterMS})))
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
