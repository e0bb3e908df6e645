package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFramesFromArguments: each argument is one frame, whatever is in it.
func TestFramesFromArguments(t *testing.T) {
	for name, c := range map[string]struct {
		mode inputMode
		args []string
		want []string
	}{
		"frames":             {modeFrames, []string{`{"type":"a"}`, ` { "type" : "b" } `}, []string{`1 {"type":"a"}`, `2 {"type":"b"}`}},
		"over several lines": {modeFrames, []string{"{\"type\":\"a\",\r\n  \"n\":1\n}\n", `{"type":"b"}`}, []string{`1 {"type":"a","n":1}`, `2 {"type":"b"}`}},
		"two in one":         {modeFrames, []string{"{\"type\":\"a\"}\n{\"type\":\"b\"}"}, []string{"1! bad_json"}},
		"a line end in text": {modeFrames, []string{"{\"type\":\"a\nb\"}"}, []string{"1! bad_json"}},
		"not set":            {modeFrames, []string{"", " \n", `{"type":"a"}`}, []string{"1! bad_json", "2! bad_json", `3 {"type":"a"}`}},
		"refused":            {modeFrames, []string{`[]`, `{"type":"a"}`}, []string{"1! bad_frame", `2 {"type":"a"}`}},
		"wrap":               {modeWrap, []string{"[1,\n2]", "", "1\n2"}, []string{`1 {"type":"json","data":[1,2]}`, "2! bad_json", "3! bad_json"}},
		"text":               {modeLines, []string{"a\nb", "", "c\r\n"}, []string{`1 {"type":"line","text":"a\nb"}`, `2 {"type":"line","text":""}`, `3 {"type":"line","text":"c\r\n"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, readAll(t, newArgumentReader(c.args, c.mode, 512)))
		})
	}
}

// TestLongArgumentsAreSplit puts any texts through and gets them back, whatever the limit.
func TestLongArgumentsAreSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(256, 600).Draw(t, "limit")
		args := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("ab\n\r\"\\é€\x00")), 0, 1500, -1), 0, 6).Draw(t, "args")
		r := newArgumentReader(slices.Clone(args), modeLines, limit)
		got := make([]string, len(args))
		seen := 0
		for {
			l, err := r.next()
			if err != nil {
				break
			}
			require.LessOrEqual(t, len(l.body), limit)
			var f struct {
				Type, Text string
				Part       int
			}
			require.NoError(t, json.Unmarshal(l.body, &f))
			require.Equal(t, "line", f.Type)
			if f.Part <= 1 {
				seen++
			}
			require.Equal(t, seen, l.number)
			got[l.number-1] += f.Text
		}
		require.Equal(t, len(args), seen)
		require.Equal(t, strings.Join(args, "\x01"), strings.Join(got, "\x01"))
	})
}

// TestP32_AnArgumentIsOneFrame: a frame over several lines is published whole, and one that is not there is said to be.
func TestP32_AnArgumentIsOneFrame(t *testing.T) {
	for _, args := range [][]string{{"topic", "publish", "jobs.7"}, {"broadcast"}} {
		b := newFakeBroker(t)
		args = append(args, "--url", b.URL)
		c := newCommand()
		require.Equal(t, exitOK, c.run("", append(args, "{\n  \"type\": \"a\"\n}")...), c.err.String())
		require.Equal(t, []string{`{"type":"a"}`}, b.stored())
		c = newCommand()
		require.Equal(t, exitFailed, c.run(`{"type":"not read"}`, append(args, "")...))
		require.Contains(t, c.err.String(), "line 1: bad_json: the argument is empty")
		require.Len(t, b.stored(), 1)
		c = newCommand()
		require.Equal(t, exitOK, c.run("", append(args, "--lines", "one\ntwo")...))
		require.Equal(t, `{"type":"line","text":"one\ntwo"}`, b.stored()[1])
	}
}
