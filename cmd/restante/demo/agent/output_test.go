package agent

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// collect returns an output, and the pieces that come out of it.
func collected() (*output, *[]string) {
	var got []string
	return &output{emit: func(text, stream string) error {
		got = append(got, stream+" "+text)
		return nil
	}}, &got
}

func TestOutput_ComesAsItIsWritten(t *testing.T) {
	o, got := collected()
	out, errOut := o.stream(stdout), o.stream(stderr)
	for _, w := range []struct {
		s    *stream
		text string
	}{{out, "one "}, {errOut, "bad\n"}, {out, "tw\xc3"}, {errOut, "\x1b[31mred\x1b[0m\n"}, {out, "\xa9\r\n"}, {out, "\xff!"}, {out, "\xe2\x82"}} {
		n, err := w.s.Write([]byte(w.text))
		require.NoError(t, err)
		require.Equal(t, len(w.text), n)
	}
	require.NoError(t, out.Close())
	require.NoError(t, errOut.Close())
	require.Equal(t, []string{"stdout one ", "stderr bad\n", "stdout tw", "stderr [31mred[0m\n", "stdout é\n", "stdout \uFFFD!", "stdout \uFFFD"}, *got)
}

func TestOutput_IsBounded(t *testing.T) {
	o, got := collected()
	out := o.stream(stdout)
	line := strings.Repeat("é", 500) + "\n" // 1,001 bytes
	for range 100 {
		_, err := out.Write([]byte(line))
		require.NoError(t, err)
	}
	_, err := o.stream(stderr).Write([]byte("more"))
	require.NoError(t, err)
	all := 0
	for _, g := range *got {
		require.True(t, utf8.ValidString(g))
		require.LessOrEqual(t, len(g), pieceBytes+len("stdout "))
		all += len(g) - len("stdout ")
	}
	last := (*got)[len(*got)-1]
	require.True(t, strings.HasSuffix(last, "\n… what follows is not shown: there are more than 64 KiB\n"), last)
	said := len("\n… what follows is not shown: there are more than 64 KiB\n")
	require.Equal(t, int64(100*len(line)+len("more")), int64(all-said)+o.left(), "each byte is shown or counted")
	require.LessOrEqual(t, all-said, shownBytes)
}

func TestOutput_GoesOnInPiecesThatFitAFrame(t *testing.T) {
	o, got := collected()
	_, err := o.stream(stdout).Write([]byte(strings.Repeat("\"\\\u2028", 5000)))
	require.NoError(t, err)
	require.Greater(t, len(*got), 1)
	for _, g := range *got {
		require.Less(t, len(encode(outputFrame{"output", 1, g, stdout})), 64<<10)
	}
}

func TestOutput_FailsWithItsEmit(t *testing.T) {
	gone := errors.New("gone")
	o := &output{emit: func(string, string) error { return gone }}
	_, err := o.stream(stdout).Write([]byte("x"))
	require.ErrorIs(t, err, gone)
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\xc3\xa9b"), 2)
	f.Add([]byte("\xf0\x9f\x98\x80\xff\xf0"), 1)
	f.Add([]byte("\x1b[0m\x80\r\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if len(data) > shownBytes/4 || size < 1 {
			return
		}
		o, got := collected()
		s := o.stream(stdout)
		for rest := data; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, g := range *got {
			if !utf8.ValidString(g) {
				t.Errorf("%q is cut inside a character", g)
			}
			all += strings.TrimPrefix(g, "stdout ")
		}
		// Bytes that are no text may count as one mark or as several, depending on where they were cut; all else must be the same.
		marks := func(s string) string { return strings.ReplaceAll(s, "\uFFFD", "") }
		if marks(all) != marks(readable(data)) {
			t.Errorf("%q became %q", data, all)
		}
	})
}
