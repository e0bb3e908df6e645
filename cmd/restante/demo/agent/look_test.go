package agent

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestList(t *testing.T) {
	f := tree(t, map[string]string{"a.txt": "four", "sub/b.txt": strings.Repeat("x", 3000)})
	var out bytes.Buffer
	folders, files, err := f.list(t.Context(), &out, "")
	require.NoError(t, err)
	require.Equal(t, []int{1, 6}, []int{folders, files}, "links are neither opened nor followed")
	require.Regexp(t, `(?m)^\d{4}-\d\d-\d\d \d\d:\d\d       4 B  a\.txt$`, out.String())
	require.Contains(t, out.String(), "-  sub/\n")
	require.Contains(t, out.String(), "-  out@\n")
	out.Reset()
	_, _, err = f.list(t.Context(), &out, "sub/b.txt")
	require.NoError(t, err)
	require.Contains(t, out.String(), "2.9 KiB  b.txt\n")
	_, _, err = f.list(t.Context(), &out, "up")
	require.ErrorContains(t, err, "“up”")
	_, _, err = f.list(t.Context(), &out, "/etc")
	require.ErrorContains(t, err, "outside of the folder that I work in")
}

func TestList_OfManyIsCutShort(t *testing.T) {
	many := map[string]string{}
	for i := range listedEntries + 20 {
		many[fmt.Sprintf("f%03d", i)] = ""
	}
	f := tree(t, many)
	var out bytes.Buffer
	_, files, err := f.list(t.Context(), &out, ".")
	require.NoError(t, err)
	require.Equal(t, listedEntries+25, files)
	require.Equal(t, listedEntries+1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "… and 25 more\n")
}

func look(f *folder, word string) (*search, *bytes.Buffer) {
	var out bytes.Buffer
	return &search{folder: f, word: word, out: &out, progress: func(int, int, string) {}}, &out
}

func TestSearch(t *testing.T) {
	f := tree(t, map[string]string{
		"a.go": "package a\n\n\t// a TODO here\nvar x = 1 // TODO and there\r\n", "sub/b.txt": "nothing\nTODO", "image.bin": "\x00TODO", ".git/c": "TODO",
		"node_modules/d.js": "TODO", "long.txt": strings.Repeat("x", searchedBytes) + "TODO", "wide.txt": "TODO " + strings.Repeat("é", 300),
	})
	s, out := look(f, "TODO")
	var told []string
	s.progress = func(done, of int, label string) { told = append(told, fmt.Sprintf("%d/%d %s", done, of, label)) }
	require.NoError(t, s.run(t.Context(), ""))
	require.Equal(t, "a.go:3: // a TODO here\na.go:4: var x = 1 // TODO and there\nsub/b.txt:2: TODO\nwide.txt:1: TODO "+strings.Repeat("é", shownLine-5)+"…\n", out.String())
	require.Equal(t, []int{4, 3, 3, 2}, []int{s.found, s.files, s.searched, s.skipped})
	require.Equal(t, []string{"0/5 a.go", "1/5 image.bin", "2/5 long.txt", "3/5 sub/b.txt", "4/5 wide.txt", "5/5 "}, told)

	s, out = look(f, "secret")
	require.NoError(t, s.run(t.Context(), "."))
	require.Empty(t, out.String(), "no link leads out")
	require.Error(t, s.run(t.Context(), "up"))
	require.Error(t, s.run(t.Context(), "out"))
	s, out = look(f, "TODO")
	require.NoError(t, s.run(t.Context(), "sub/b.txt"))
	require.Equal(t, "sub/b.txt:2: TODO\n", out.String())
	s, out = look(f, "TODO")
	require.NoError(t, s.run(t.Context(), ".git"))
	require.Equal(t, ".git/c:1: TODO\n", out.String(), "what is asked for by name is searched")
}

func TestSearch_StopsWhereItIsEnough(t *testing.T) {
	f := tree(t, map[string]string{"a": strings.Repeat("x\n", foundLines+10), "b": "x\n"})
	s, out := look(f, "x")
	require.NoError(t, s.run(t.Context(), ""))
	require.Equal(t, foundLines, s.found)
	require.Contains(t, out.String(), "… 500 lines are enough")
	require.NotContains(t, out.String(), "b:1")
	ended, end := context.WithCancel(t.Context())
	end()
	s, _ = look(f, "x")
	require.ErrorIs(t, s.run(ended, ""), context.Canceled)
}
