package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/bench"
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

// TestAServerThatIsGoneHasFailed runs against an address where nobody listens, in a child.
func TestAServerThatIsGoneHasFailed(t *testing.T) {
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	o := order{Dialect: oursName, URL: "http://" + addr, PID: 1, Profile: bench.ProfileUnicast, Clients: 10, Duration: 1, Warmup: 1}
	r, err := inChild(t.Context(), o, func(string) {})
	if err != nil || r.Failed == "" || r.Profile != o.Profile || r.Clients != o.Clients {
		t.Errorf("%+v, %v", r, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if _, err := inChild(ctx, o, func(string) {}); !errors.Is(err, errBroken) {
		t.Errorf("a run that was broken off is %v", err)
	}
}

// TestALoadThatIsWrongHasFailed asks for what there is not: the sentence of the child is the result's.
func TestALoadThatIsWrongHasFailed(t *testing.T) {
	r, err := inChild(t.Context(), order{Dialect: oursName, URL: "http://127.0.0.1:1", Profile: "nothing"}, func(string) {})
	if err != nil || !strings.Contains(r.Failed, "nothing") || strings.Contains(r.Failed, complaint) {
		t.Errorf("%+v, %v", r, err)
	}
}
