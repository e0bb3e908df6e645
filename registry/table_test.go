package registry

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// tabled runs a table beside a map. The hashes are few, so that many collide, and lie at both ends as well as in the middle.
type tabled struct {
	table  table
	model  map[string]*client
	hashes map[string]uint32
}

func (m *tabled) id(t *rapid.T) string {
	id := fmt.Sprint(rapid.IntRange(0, 200).Draw(t, "id"))
	if _, ok := m.hashes[id]; !ok {
		m.hashes[id] = rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 1, 1 << 31, math.MaxUint32 - 1, math.MaxUint32})).Draw(t, "hash")
	}
	return id
}

func (m *tabled) Put(t *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(t, "n") {
		if id := m.id(t); m.model[id] == nil {
			c := &client{id: id}
			m.model[id] = c
			m.table.put(m.hashes[id], c)
		}
	}
}

func (m *tabled) Remove(t *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(t, "n") {
		if id := m.id(t); m.model[id] != nil {
			m.table.remove(m.hashes[id], m.model[id])
			delete(m.model, id)
		}
	}
}

func (m *tabled) Check(t *rapid.T) {
	for id, h := range m.hashes {
		require.Same(t, m.model[id], m.table.get(h, id))
	}
	require.Nil(t, m.table.get(1<<31, "nobody"))
	n := 0
	for c := range m.table.all() {
		require.Same(t, m.model[c.id], c)
		n++
	}
	require.Equal(t, len(m.model), n)
	require.Equal(t, n, m.table.n)
	size := len(m.table.actors)
	require.Equal(t, size, len(m.table.hashes))
	require.LessOrEqual(t, 5*n, 4*size, "it is not too full to be quick")
	require.True(t, size <= 2*firstTable || 4*n >= size-4, "%d in a table of %d", n, size)
}

func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(&tabled{model: map[string]*client{}, hashes: map[string]uint32{}}))
	})
}

func TestIteratingATableMayStop(t *testing.T) {
	var m table
	for i := range 100 {
		m.put(uint32(i), &client{id: fmt.Sprint(i)})
	}
	n := 0
	for range m.all() {
		if n++; n == 3 {
			break
		}
	}
	require.Equal(t, 3, n)
	require.Len(t, slices.Collect(m.all()), 100)
}
