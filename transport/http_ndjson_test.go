package transport

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestNDJSONLineNumbers(t *testing.T) {
	const good, bad = `{"type":"a"}`, `{"no":"type"}`
	for name, c := range map[string]struct {
		body string
		line int
	}{
		"first":             {bad, 1},
		"second":            {good + "\n" + bad + "\n", 2},
		"last, no line end": {good + "\n" + good + "\n" + bad, 3},
		"CRLF":              {good + "\r\n" + good + "\r\n" + bad + "\r\n", 3},
		"after empty lines": {"\n\r\n  \n" + good + "\n\n" + bad + "\n", 6},
		"the first counts":  {good + "\n" + bad + "\n" + bad + "\n", 2},
		"after a long line": {`{"type":"` + strings.Repeat("x", 60<<10) + "\"}\n" + bad, 2},
		"bare CR is no end": {good + "\r" + good + "\n" + good, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseLines(strings.NewReader(c.body), protocol.DefaultMaxFrameBytes)
			var e *protocol.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.line, e.Line)
		})
	}
}

func TestNDJSONLongLines(t *testing.T) {
	const most = 100
	fits := `{"type":"` + strings.Repeat("x", most-11) + `"}`
	bodies, err := parseLines(strings.NewReader(fits+" \r\n"+fits), most)
	require.NoError(t, err)
	require.Len(t, bodies, 2)

	endless := io.MultiReader(strings.NewReader(fits+"\n"), &countingReader{left: 1 << 30})
	_, err = parseLines(endless, most)
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, protocol.CodeTooLarge, e.Code)
	require.Equal(t, 2, e.Line)
}

// countingReader is a line that does not end, and fails the test's patience if it is read far.
type countingReader struct{ left int }

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left < 1<<30-1<<20 {
		return 0, errors.New("read on, far behind the bound")
	}
	for i := range p {
		p[i] = 'x'
	}
	r.left -= len(p)
	return len(p), nil
}

func TestNDJSONReadError(t *testing.T) {
	broken := errors.New("broken")
	_, err := parseLines(io.MultiReader(strings.NewReader("{\"type\":\"a\"}\n{\"type\":\"b\"}"), iotest.ErrReader(broken)), 1000)
	require.ErrorIs(t, err, broken)
}

// naiveLines is the splitter in one line of thought, for the fuzzer.
func naiveLines(body []byte) (lines []string, numbers []int) {
	for i, line := range bytes.Split(body, []byte("\n")) {
		if line = bytes.Trim(line, " \t\r\n"); len(line) > 0 {
			lines, numbers = append(lines, string(line)), append(numbers, i+1)
		}
	}
	return lines, numbers
}

func FuzzLineReader(f *testing.F) {
	for _, s := range []string{"", "\n", "a", "a\n", "a\r\nb", "\r\n\r\n x \n\ty", "a\rb\n", strings.Repeat("long", 20) + "\nb\n\nc"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, numbers := naiveLines(body)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(body), "byte by byte": iotest.OneByteReader(bytes.NewReader(body)), "with its EOF": iotest.DataErrReader(bytes.NewReader(body)),
		} {
			l := &lineReader{r: bufio.NewReaderSize(r, 16), max: len(body) + 1}
			for i, line := range want {
				got, err := l.next()
				require.NoError(t, err, name)
				require.Equal(t, line, string(got), name)
				require.Equal(t, numbers[i], l.n, name)
			}
			_, err := l.next()
			require.ErrorIs(t, err, io.EOF, name)
		}
	})
}

func BenchmarkParseLines(b *testing.B) {
	line := `{"type":"line","n":12345,"text":"` + strings.Repeat("x", 256-36) + "\"}\n"
	body := strings.Repeat(line, 1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		bodies, err := parseLines(strings.NewReader(body), protocol.DefaultMaxFrameBytes)
		if err != nil || len(bodies) != 1000 {
			b.Fatal(err, len(bodies))
		}
	}
}
