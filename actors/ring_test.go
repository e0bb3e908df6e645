package actors

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRingIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &ring{buf: make([]any, 2)}
		var model []any
		next := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(model) > 0 && rapid.Bool().Draw(t, "pop") {
				require.Equal(t, model[0], r.pop())
				model = model[1:]
			} else {
				r.push(next)
				model = append(model, next)
				next++
			}
			require.Equal(t, len(model), r.n)
		}
		for _, want := range model {
			require.Equal(t, want, r.pop())
		}
		for _, slot := range r.buf {
			require.Nil(t, slot, "what was taken is not held")
		}
	})
}
