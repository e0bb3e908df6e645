package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const (
	// searchedFiles and searchedBytes (of one file) bound what is searched, foundLines what is shown, shownLine the characters of one line.
	searchedFiles = 20_000
	searchedBytes = 1 << 20
	foundLines    = 500
	shownLine     = 200
)

// search is one look for a word in all files below a path, which it shows as "path:line: text".
type search struct {
	folder *folder
	word   string
	out    io.Writer
	// progress is told how many files of how many have been searched, and which one is next.
	progress func(done, of int, label string)

	// found counts the lines, in which files of how many; skipped are files too long, or without text.
	found, files, searched, skipped int
	more                            bool // there are more files than are searched
}

// run searches below typed, which may be one file. The error is a sentence, or ctx's.
func (s *search) run(ctx context.Context, typed string) error {
	clean, _, err := s.folder.inside(typed)
	if err != nil {
		return err
	}
	names, err := s.collect(ctx, clean)
	if err != nil {
		return err
	}
	for i, name := range names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.progress(i, len(names), name)
		if err := s.one(name); err != nil {
			return err
		}
		if s.found >= foundLines {
			_, err := fmt.Fprintf(s.out, "… %d lines are enough: the other files were not searched\n", s.found)
			return err
		}
	}
	s.progress(len(names), len(names), "")
	return nil
}

// collect returns the files to search, in order. Hidden folders and node_modules are left out, and links are not followed.
func (s *search) collect(ctx context.Context, from string) (names []string, err error) {
	err = fs.WalkDir(s.folder.root.FS(), from, func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // it may not be read, or has gone meanwhile
			if e != nil && e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			if base := path.Base(name); name != from && (strings.HasPrefix(base, ".") || base == "node_modules") {
				return fs.SkipDir
			}
		case len(names) == searchedFiles:
			s.more = true
			return fs.SkipAll
		case e.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// one searches a file. One that cannot be read is skipped.
func (s *search) one(name string) error {
	data, ok := s.read(name)
	if !ok {
		s.skipped++
		return nil
	}
	s.searched++
	word, before := []byte(s.word), s.found
	for n := 1; len(data) > 0; n++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		if !bytes.Contains(line, word) {
			continue
		}
		s.found++
		if _, err := fmt.Fprintf(s.out, "%s:%d: %s\n", name, n, shortLine(line)); err != nil {
			return err
		}
		if s.found >= foundLines {
			break
		}
	}
	if s.found > before {
		s.files++
	}
	return nil
}

// read returns a file's text; false for one that is too long or holds no text.
func (s *search) read(name string) ([]byte, bool) {
	f, err := s.folder.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, searchedBytes+1))
	if err != nil || len(data) > searchedBytes || bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil, false
	}
	return data, true
}

// shortLine is a line as it is shown.
func shortLine(line []byte) string {
	text := strings.TrimSpace(string(line))
	if utf8.RuneCountInString(text) <= shownLine {
		return text
	}
	return string([]rune(text)[:shownLine]) + "…"
}
