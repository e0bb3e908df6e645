package main

import (
	"math"
	"time"

	"github.com/restante/restante/protocol"
)

// ackPatience is how long one call waits for an ack before the publisher looks again whether anybody still holds a place.
const ackPatience = 10 * time.Second

// window keeps count of what has been published and may not have been acked. It is cut in halves: when a half is full, the half before it
// must have been acked, so a reader that acks every few hundred frames never makes the publisher stand still.
type window struct {
	halfFrames, halfBytes int // of a half
	frames, bytes         int // published of the half that is being filled
	before                *barrier

	counted uint64 // up to which seq of this epoch pruned frames have been counted
	epoch   string
}

// barrier is the end of a half: the call that published it, and where its last frame is.
type barrier struct {
	call  call
	epoch string
	seq   uint64
}

// newWindow makes a window of so many frames and bytes, each of which may be 0 or less for no bound.
func newWindow(frames, bytes int) *window {
	half := func(n int) int {
		if n <= 0 {
			return math.MaxInt
		}
		return max(n/2, 1)
	}
	return &window{halfFrames: half(frames), halfBytes: half(bytes)}
}

// room is how much the half that is being filled still takes.
func (w *window) room() (frames, bytes int) { return w.halfFrames - w.frames, w.halfBytes - w.bytes }

// add counts a published batch. Where it fills a half, the result is the end of the half before, which must be acked before anything
// more is published; nil otherwise.
func (w *window) add(batch []frameLine, end barrier) (due *barrier) {
	w.frames += len(batch)
	for _, l := range batch {
		w.bytes += l.weight()
	}
	if w.frames < w.halfFrames && w.bytes < w.halfBytes {
		return nil
	}
	w.frames, w.bytes = 0, 0
	due, w.before = w.before, &end
	return due
}

// pruned is how many frames from seq first on have been pruned without an ack, and not been counted by an earlier call.
func (w *window) pruned(s protocol.State, epoch string, first uint64) uint64 {
	if s.Epoch != epoch || first == 0 {
		return 0
	}
	if w.epoch != epoch {
		w.epoch, w.counted = epoch, first-1
	}
	from := max(w.counted, s.Acked)
	if s.Floor <= from {
		return 0
	}
	w.counted = s.Floor
	return s.Floor - from
}
