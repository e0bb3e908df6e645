package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is a broker that is killed again and again, the publishers that write to it and the readers that read from it.
type world struct {
	t       *testing.T
	home    *home
	e       *endpoint // at home's address, whoever lives there
	seed    uint64
	ledger  *ledger
	readers []*crashReader
	writers []*crashWriter
	// lives is for how long at most a server is let live from its first confirmation on, in milliseconds; quiet for how long a reader
	// stays away at most when it has left, 0 for not at all.
	lives, quiet int
	// focus is how many clients are written to at a time, 0 for all; which ones, moves on.
	focus int

	all  context.Context // ends with the first error, and then everybody goes
	fail context.CancelCauseFunc
	ctx  context.Context // ends when publishing is to end
	stop context.CancelFunc

	mu    sync.Mutex
	life  int           // counts the servers
	alive chan struct{} // closed while the server serves
	dead  bool

	confirmed, repeats, cuts, breaks atomic.Int64
	moved                            chan struct{}      // something was confirmed
	counted                          map[string]float64 // what all servers said of these metrics before they were killed
}

// newWorld puts publishers and readers round a home; the seed rules what is random in them, and so all but the timing.
func newWorld(t *testing.T, h *home, seed uint64, publishers, clients int) *world {
	t.Helper()
	t.Logf("seed %d", seed)
	w := &world{t: t, home: h, e: &endpoint{t: t, url: "http://" + h.addr}, seed: seed, ledger: newLedger(publishers, clients),
		lives: 500, alive: make(chan struct{}), dead: true, moved: make(chan struct{}, 1)}
	w.all, w.fail = context.WithCancelCause(t.Context())
	w.ctx, w.stop = context.WithCancel(w.all)
	for n := range clients {
		w.readers = append(w.readers, &crashReader{w: w, n: n, id: fmt.Sprintf("c%d", n), rnd: rand.New(rand.NewPCG(seed, uint64(n)))})
	}
	for n := range publishers {
		w.writers = append(w.writers, &crashWriter{w: w, n: n, rnd: rand.New(rand.NewPCG(seed, uint64(10_000+n))), epochs: map[int]string{}})
	}
	return w
}

// up says that there is a server.
func (w *world) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.life++
	w.dead = false
	close(w.alive)
}

// down says that there is none. It is said before the kill, so that nobody runs against a closed door.
func (w *world) down() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dead {
		w.dead, w.alive = true, make(chan struct{})
	}
}

func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.life
}

// again waits until it is worth trying again: there is a server, or, for the impatient, some time has passed.
func (w *world) again(rnd *rand.Rand) {
	w.breaks.Add(1)
	w.mu.Lock()
	alive := w.alive
	w.mu.Unlock()
	if rnd.IntN(8) == 0 {
		within(50, rnd, alive)
		return
	}
	select {
	case <-alive:
		within(20, rnd, nil)
	case <-w.all.Done():
	}
}

// target is the client that the next call is for.
func (w *world) target(rnd *rand.Rand) int {
	if w.focus == 0 {
		return rnd.IntN(len(w.readers))
	}
	return (int(w.confirmed.Load()/300)*w.focus + rnd.IntN(w.focus)) % len(w.readers)
}

func (w *world) answered() {
	w.confirmed.Add(1)
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

// run lets the world go while kills servers are killed, lets it come to its end under one more, and holds it to its ledger.
func (w *world) run(kills int) {
	var writing, reading sync.WaitGroup
	for _, p := range w.writers {
		writing.Go(func() {
			if err := p.run(); err != nil {
				w.fail(fmt.Errorf("publisher %d: %w", p.n, err))
			}
		})
	}
	for _, r := range w.readers {
		reading.Go(func() {
			if err := r.run(); err != nil {
				w.fail(fmt.Errorf("client %s: %w", r.id, err))
			}
		})
	}
	rnd := rand.New(rand.NewPCG(w.seed, 1))
	begin := time.Now()
	for k := 0; k < kills && w.ctx.Err() == nil; k++ {
		w.oneLife(rnd, k > 0 && rnd.IntN(5) == 0)
	}
	killed := time.Since(begin)
	if w.all.Err() == nil {
		w.home.start()
		w.up()
		w.progress()
	}
	w.stop()
	writing.Wait()
	for _, r := range w.readers {
		if w.all.Err() == nil {
			w.e.publish(r.id, `{"type":"end"}`)
		}
	}
	reading.Wait()
	w.sound()

	a, err := w.ledger.balance()
	require.NoError(w.t, err)
	w.t.Logf("%d kills in %.1fs: %s; %d repeats were duplicates, %d connections broke, %d were cut", kills, killed.Seconds(), a, w.repeats.Load(), w.breaks.Load(), w.cuts.Load())
	require.Positive(w.t, a.confirmed)
	require.Positive(w.t, a.kept+a.lost, "no call was under way when the server was killed")
	require.Positive(w.t, w.repeats.Load(), "nothing was repeated")
	for _, p := range w.writers {
		for c, epoch := range p.epochs {
			require.Equal(w.t, w.readers[c].epoch, epoch, "client %d: the epoch of publisher %d's receipts", c, p.n)
		}
	}
}

// sound ends the test with the first error, if there is one.
func (w *world) sound() {
	w.t.Helper()
	require.NoError(w.t, context.Cause(w.all))
}

// oneLife starts a server and kills it: while it serves, or, early, while it starts.
func (w *world) oneLife(rnd *rand.Rand, early bool) {
	s := w.home.launch()
	if early {
		within(80, rnd, nil)
	} else {
		s.ready()
		w.up()
		w.progress()
		within(w.lives, rnd, w.ctx.Done())
	}
	if !early && w.ctx.Err() == nil {
		for name := range w.counted {
			w.counted[name] += w.e.metric(name)
		}
	}
	w.down()
	s.kill()
}

// progress waits until something has been confirmed from now on.
func (w *world) progress() {
	w.t.Helper()
	select {
	case <-w.moved:
	default:
	}
	select {
	case <-w.moved:
	case <-w.ctx.Done():
	case <-time.After(patience):
		require.FailNow(w.t, "nothing is confirmed any more", "%s", w.home.now.stderr)
	}
}

// epilogue attaches every client to the server of now: at its cursor, in its epoch, and a later live frame arrives exactly once.
func (w *world) epilogue() {
	w.t.Helper()
	for _, r := range w.readers {
		c := w.e.attach(r.id, "since", r.cursorNow())
		require.Equal(w.t, "up_to_date", string(c.hello.Resume), c.hello.Raw)
		require.Equal(w.t, r.epoch, c.hello.Epoch)
		c.liveOnce(r.id)
		c.cut()
	}
}
