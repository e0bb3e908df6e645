package tests

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// How hard the crash tests are, as in go test ./tests -args -kills 500: `make soak` says it.
var (
	kills     = flag.Int("kills", 20, "how often a crash test kills the broker")
	crashSeed = flag.Uint64("crash-seed", 0, "what the crash tests draw their randomness from; 0 for a new one")
)

func crashSeedNow() uint64 {
	if *crashSeed != 0 {
		return *crashSeed
	}
	return rand.Uint64()
}

// The tests that load the machine for all it has, these and the stress, run before the parallel ones, of which some measure time.

// TestP26_KilledUnderLoadNothingConfirmedIsMissing kills the program as it ships at random moments, while 64 publishers write and 200
// clients read: what was confirmed is there, once, in order, in the same epoch, and what was not answered is there whole or not at all.
func TestP26_KilledUnderLoadNothingConfirmedIsMissing(t *testing.T) {
	h := newHome(t, "--sync", "always", "--max-frames", "1000000", "--max-outbox-bytes", "1GiB")
	w := newWorld(t, h, crashSeedNow(), 64, 200)
	w.run(*kills)
	w.laterLives()
}

// TestP26_KilledWhileClientsSpillAndSleep is the same for clients that mostly are not in memory: bodies spill at a kilobyte, and a client
// sleeps after a quarter of a second, so that frames are read back, and clients woken, under the same fire.
func TestP26_KilledWhileClientsSpillAndSleep(t *testing.T) {
	h := newHome(t, "--sync", "always", "--max-frames", "1000000", "--max-outbox-bytes", "1GiB",
		"--spill-above", "1KiB", "--sleep-after", "250ms", "--memory-limit", "64KiB", "--resume-window", "200ms")
	w := newWorld(t, h, crashSeedNow(), 16, 100)
	w.quiet, w.lives, w.focus = 1500, 1500, 8
	w.counted = map[string]float64{"restante_wakes_total ": 0, "restante_sleeps_total ": 0, "restante_spilled_frames_total ": 0, "restante_fetched_frames_total ": 0}
	w.run(max(6, *kills/3))
	t.Log(w.counted)
	for name, n := range w.counted {
		require.Positive(t, n, name)
	}
	w.laterLives()
}

// TestP23P26_EndedInOrderUnderLoad ends servers by SIGTERM, and lets the store never sync: all that was confirmed outlives an end in order.
func TestP23P26_EndedInOrderUnderLoad(t *testing.T) {
	h := newHome(t, "--sync", "never", "--max-frames", "1000000", "--max-outbox-bytes", "1GiB")
	w := newWorld(t, h, crashSeedNow(), 16, 60)
	w.orderly = true
	w.run(max(4, *kills/5))
	h.stop()
	h.check()
	h.start()
	w.epilogue()
}

// laterLives kills the server that the world has come to its end with, looks at the store that is left, and holds the next server, and
// the one after an end in order, to all that their clients have.
func (w *world) laterLives() {
	w.t.Helper()
	w.home.now.kill()
	w.home.check()
	w.home.start()
	w.epilogue()
	w.home.stop()
	w.home.check()
	w.home.start()
	for _, r := range w.readers[:5] {
		c := w.e.attach(r.id, "since", r.cursorNow())
		require.Equal(w.t, "replay", string(c.hello.Resume), c.hello.Raw)
		require.Len(w.t, c.upTo(r.cursor+2), 2, "the two live frames of the life before")
		c.liveOnce(r.id)
	}
}
