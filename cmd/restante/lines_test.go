package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
)

// readAll returns what in gives: bodies as "number body", refusals as "number! code".
func readAll(t require.TestingT, in frameSource) []string {
	var got []string
	for {
		l, err := in.next()
		var refused *lineError
		switch {
		case err == nil:
			got = append(got, string(append([]byte{byte('0' + l.number%10), ' '}, l.body...)))
		case errors.As(err, &refused):
			got = append(got, string(append([]byte{byte('0' + refused.number%10), '!', ' '}, protocol.AsError(refused).Code...)))
		default:
			require.ErrorIs(t, err, io.EOF)
			return got
		}
	}
}

func TestFramesFromLines(t *testing.T) {
	long := `{"type":"x","a":"` + strings.Repeat("a", 1000) + `"}`
	for name, c := range map[string]struct {
		mode  inputMode
		input string
		want  []string
	}{
		"frames":                   {modeFrames, "{\"type\":\"a\"}\n{ \"type\" : \"b\" }\r\n", []string{`1 {"type":"a"}`, `2 {"type":"b"}`}},
		"last line without an end": {modeFrames, `{"type":"a"}`, []string{`1 {"type":"a"}`}},
		"empty lines count":        {modeFrames, "\n \t\n{\"type\":\"a\"}\n\n", []string{`3 {"type":"a"}`}},
		"nothing":                  {modeFrames, "", nil},
		"refused lines": {modeFrames, "{\"type\":\"a\"}\n{\n{\"a\":1}\n[]\n{\"type\":\"b\"}\n",
			[]string{`1 {"type":"a"}`, "2! bad_json", "3! bad_frame", "4! bad_frame", `5 {"type":"b"}`}},
		"too large a frame": {modeFrames, long + "\n{\"type\":\"b\"}\n", []string{"1! too_large", `2 {"type":"b"}`}},
		"too long a line":   {modeFrames, strings.Repeat(" ", maxLine+1) + "{\"type\":\"a\"}\n{\"type\":\"b\"}\n", []string{"1! too_large", `2 {"type":"b"}`}},
		"too long at the end": {modeFrames, "{\"type\":\"b\"}\n" + strings.Repeat("x", maxLine+1), []string{
			`1 {"type":"b"}`, "2! too_large"}},
		"white space is not counted": {modeFrames, `{"type":` + strings.Repeat(" ", 5000) + `"a"}`, []string{`1 {"type":"a"}`}},
		"wrap":                       {modeWrap, "1\n\"x\"\n{ \"seq\": 1.50 }\nnull\n[1, 2]\n", []string{`1 {"type":"json","data":1}`, `2 {"type":"json","data":"x"}`, `3 {"type":"json","data":{"seq":1.50}}`, `4 {"type":"json","data":null}`, `5 {"type":"json","data":[1,2]}`}},
		"wrap lets nothing out":      {modeWrap, "1,\"seq\":2\n}\n1 2\nnope\n", []string{"1! bad_json", "2! bad_json", "3! bad_json", "4! bad_json"}},
		"lines":                      {modeLines, "a\r\n\n  \"b\\\t\x1b[1m\nc", []string{`1 {"type":"line","text":"a"}`, `2 {"type":"line","text":""}`, `3 {"type":"line","text":"  \"b\\\t\u001b[1m"}`, `4 {"type":"line","text":"c"}`}},
		"lines not in UTF-8":         {modeLines, "a\xff\xc3\nü\xe2\x82", []string{`1 {"type":"line","text":"a` + "\uFFFD\uFFFD" + `"}`, `2 {"type":"line","text":"ü` + "\uFFFD\uFFFD" + `"}`}},
		"no lines":                   {modeLines, "", nil},
		"a line end alone":           {modeLines, "\n", []string{`1 {"type":"line","text":""}`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, readAll(t, newLineReader(strings.NewReader(c.input), c.mode, 512)))
		})
	}
}

// TestLongLinesAreSplit puts any text through and gets it back, whatever the limit and however it comes in.
func TestLongLinesAreSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(256, 600).Draw(t, "limit")
		lines := rapid.SliceOfN(rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("aaaa\"\\\r\xe2\x82\xac"))), 0, 1500), 0, 6).Draw(t, "lines")
		var input strings.Builder
		want := make([]string, 0, len(lines))
		for _, l := range lines {
			text := strings.ReplaceAll(string(l), "\n", "")
			input.WriteString(text + "\n")
			var sane strings.Builder
			for _, r := range strings.TrimSuffix(text, "\r") {
				sane.WriteRune(r)
			}
			want = append(want, sane.String())
		}
		var in io.Reader = strings.NewReader(input.String())
		if rapid.Bool().Draw(t, "slow") {
			in = iotest.OneByteReader(in)
		}
		r := newLineReader(in, modeLines, limit)
		got := make([]string, len(want))
		part := 0
		for {
			l, err := r.next()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			require.LessOrEqual(t, len(l.body), limit)
			checked, err := protocol.ParseBody(l.body, limit)
			require.NoError(t, err)
			require.Equal(t, l.body, checked)
			var f struct {
				Part int
				Text string
			}
			require.NoError(t, json.Unmarshal(l.body, &f))
			if f.Part > 1 {
				require.Equal(t, part+1, f.Part)
			}
			part = f.Part
			require.LessOrEqual(t, l.number, len(got))
			got[l.number-1] += f.Text
		}
		require.Equal(t, want, got)
	})
}

// TestALineWithoutEndNeedsNoMemory reads more of one line than fits anywhere.
func TestALineWithoutEndNeedsNoMemory(t *testing.T) {
	r := newLineReader(io.LimitReader(endless{}, 20<<20), modeLines, 64<<10)
	total := 0
	for {
		l, err := r.next()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		total += len(l.body)
		require.Less(t, cap(r.text), 1<<20)
	}
	require.Greater(t, total, 20<<20)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReadErrorIsNoEnd(t *testing.T) {
	for _, mode := range []inputMode{modeFrames, modeLines} {
		r := newLineReader(io.MultiReader(strings.NewReader("{\"type\":\"a\"}\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), mode, 512)
		_, err := r.next()
		require.NoError(t, err)
		_, err = r.next()
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}
