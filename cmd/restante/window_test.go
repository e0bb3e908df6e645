package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// TestWindowNeverHasMoreOutstanding plays a publisher that does as the window says: whatever the batches' sizes, no more than a window
// is ever published above what has been acked.
func TestWindowNeverHasMoreOutstanding(t *testing.T) {
	for _, batch := range []int{1, 7, 99, 1000} {
		w := newWindow(200, 0)
		published, acked := 0, 0
		for published < 3000 {
			frames, _ := w.room()
			n := min(batch, frames)
			require.Positive(t, n)
			published += n
			require.LessOrEqual(t, published-acked, 200)
			if due := w.add(make([]frameLine, n), barrier{seq: uint64(published)}); due != nil {
				acked = int(due.seq)
				require.LessOrEqual(t, published-acked, 100, "a half is free when the half before it is acked")
			}
		}
		require.Positive(t, acked)
	}
}

func TestWindowCountsBytes(t *testing.T) {
	w := newWindow(0, 4*line(1).weight())
	require.Nil(t, w.add([]frameLine{line(1)}, barrier{seq: 1}))
	_, weight := w.room()
	require.Equal(t, line(1).weight(), weight)
	require.Nil(t, w.add([]frameLine{line(2)}, barrier{seq: 2}), "the first half has nothing before it")
	require.Nil(t, w.add([]frameLine{line(3)}, barrier{seq: 3}))
	require.EqualValues(t, 2, w.add([]frameLine{line(4)}, barrier{seq: 4}).seq)
}

func TestWindowOff(t *testing.T) {
	w := newWindow(0, -1)
	for range 100 {
		require.Nil(t, w.add(make([]frameLine, 1000), barrier{}))
	}
}

func TestWindowCountsPrunedOnce(t *testing.T) {
	w := newWindow(0, 0)
	state := func(floor, acked uint64) protocol.State {
		return protocol.State{Epoch: "e", Floor: floor, Acked: acked}
	}
	require.Zero(t, w.pruned(state(10, 0), "e", 11), "what was pruned before this run is not this run's")
	require.EqualValues(t, 5, w.pruned(state(15, 0), "e", 11))
	require.Zero(t, w.pruned(state(15, 0), "e", 11))
	require.Zero(t, w.pruned(state(20, 20), "e", 11), "acked frames are not lost")
	require.EqualValues(t, 2, w.pruned(state(27, 25), "e", 11))
	require.Zero(t, w.pruned(protocol.State{Epoch: "f", Floor: 90}, "e", 11), "another life's frames")
	require.EqualValues(t, 3, w.pruned(protocol.State{Epoch: "f", Floor: 3}, "f", 1))
}
