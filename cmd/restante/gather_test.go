package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func line(n int) frameLine { return frameLine{n, protocol.Body(`{"type":"x"}`)} }

func numbers(batch []frameLine) []int {
	var n []int
	for _, l := range batch {
		n = append(n, l.number)
	}
	return n
}

func TestGatherTakesWhatIsThere(t *testing.T) {
	g := newGather()
	for n := 1; n <= 5; n++ {
		require.True(t, g.put(line(n)))
	}
	require.Equal(t, 5, g.left())
	require.Equal(t, []int{1, 2}, numbers(g.take(2, 1<<20)))
	require.Equal(t, []int{3, 4}, numbers(g.take(100, 2*line(3).weight())))
	require.Equal(t, []int{5}, numbers(g.take(100, 1)), "a single frame goes whatever it weighs")
	g.end()
	require.Nil(t, g.take(1, 1))
	require.False(t, g.put(line(6)))
}

func TestGatherLeavesWhatWasReadToTake(t *testing.T) {
	g := newGather()
	g.put(line(1))
	g.end()
	require.Equal(t, []int{1}, numbers(g.take(10, 1<<20)))
	require.Nil(t, g.take(10, 1<<20))
}

// TestGatherIsBounded lets the putter run ahead of the taker as far as it may.
func TestGatherIsBounded(t *testing.T) {
	for name, size := range map[string]int{"frames": 10, "bytes": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGather()
				const all = 4 * maxGathered
				put := make(chan int, 1)
				go func() {
					n := 0
					for n < all && g.put(frameLine{n, make(protocol.Body, size)}) {
						n++
					}
					put <- n
				}()
				synctest.Wait()
				require.LessOrEqual(t, g.left(), maxGathered)
				require.LessOrEqual(t, g.left()*size, maxGatheredBytes+size)
				for want := range 2 * maxGathered {
					require.Equal(t, []int{want}, numbers(g.take(1, 1<<20)))
				}
				g.end()
				require.Less(t, <-put, all)
			})
		})
	}
}
