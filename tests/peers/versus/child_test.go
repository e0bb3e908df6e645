package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestLines writes text in pieces of every length, and wants its lines whole, and no more of them kept than may be.
func TestLines(t *testing.T) {
	var text strings.Builder
	var want []string
	for i := range 3 * tailLines {
		want = append(want, fmt.Sprintf("line %d", i))
		text.WriteString(want[i] + "\n\n")
	}
	for size := 1; size < 40; size++ {
		var got []string
		w := lineWriter{each: func(line string) { got = append(got, line) }}
		for piece := range slices.Chunk([]byte(text.String()+"the rest"), size) {
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if !slices.Equal(got, want) || len(w.tail) != tailLines || w.last() != want[len(want)-1] {
			t.Fatalf("in pieces of %d: %d lines, %d are kept, the last is %q", size, len(got), len(w.tail), w.last())
		}
	}
}
