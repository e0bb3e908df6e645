package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// patience is how long an answer may take before it counts as never given.
const patience = 30 * time.Second

// owner is a client's actor, as far as a store can tell: commits come from one goroutine, and their answers from any.
type owner struct {
	id       string
	store    store.Store
	epoch    uint64
	seq      uint64
	token    uint64
	update   store.Update // one, used again and again, as an actor does
	scribble bool
	was      store.State // after the last update

	mu      sync.Mutex
	given   []word
	broken  error // the first promise that was broken
	arrived chan struct{}
	heard   chan heard // answers to what was asked to be read
}

// heard is the answer to one Load, Read or ReadSnapshot.
type heard struct {
	kind   string
	token  uint64
	client *store.Client
	bodies []protocol.Body
	asOf   uint64
	data   []byte
	err    error
}

// word is the answer to one commit.
type word struct {
	token uint64
	err   error
}

func newOwner(id string, s store.Store) *owner {
	return &owner{id: id, store: s, epoch: 1, arrived: make(chan struct{}, 1), heard: make(chan heard, 8)}
}

// ClientID names the owner.
func (w *owner) ClientID() string { return w.id }

// Confirmed takes a late answer.
func (w *owner) Confirmed(token uint64, err error) {
	within := withinCommit()
	w.mu.Lock()
	if within {
		w.breaks("Confirmed was called from within a Commit of its owner")
	}
	w.take(word{token, err})
	w.mu.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// take notes one answer, which has to be the next. mu is held.
func (w *owner) take(got word) {
	if want := uint64(len(w.given)) + 1; got.token != want {
		w.breaks(fmt.Sprintf("commit %d was answered when commit %d was due", got.token, want))
	}
	w.given = append(w.given, got)
}

func (w *owner) breaks(what string) {
	if w.broken == nil {
		w.broken = errors.New(w.id + ": " + what)
	}
}

// commit appends n frames.
func (w *owner) commit(n int) {
	w.update.First = w.seq + 1
	w.update.Bodies = w.update.Bodies[:0]
	for range n {
		w.seq++
		w.update.Bodies = append(w.update.Bodies, protocol.Body(fmt.Sprintf(`{"type":"f","n":%d}`, w.seq)))
	}
	w.update.Was = w.was
	w.update.Is = store.State{Epoch: w.epoch, Floor: w.seq / 2, Acked: w.seq / 2, Head: w.seq}
	w.was = w.update.Is
	w.update.Record = nil
	if w.seq%2 == 0 {
		w.update.Record = &store.Record{Key: [16]byte{byte(w.seq)}}
	}
	w.give()
}

// Loaded takes the answer to a Load.
func (w *owner) Loaded(c *store.Client, err error) {
	w.heard <- heard{kind: "Loaded", client: c, err: err}
}

// Bodies takes the answer to a Read.
func (w *owner) Bodies(token uint64, bodies []protocol.Body, err error) {
	w.heard <- heard{kind: "Bodies", token: token, bodies: bodies, err: err}
}

// SnapshotData takes the answer to a ReadSnapshot.
func (w *owner) SnapshotData(token, asOf uint64, data []byte, err error) {
	w.heard <- heard{kind: "SnapshotData", token: token, asOf: asOf, data: data, err: err}
}

// hear waits for the answer to what was asked last.
func (w *owner) hear(kind string, token uint64) (heard, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case h := <-w.heard:
		if h.err != nil {
			return h, fmt.Errorf("%s: %s: %w", w.id, kind, h.err)
		}
		if h.kind != kind || h.token != token {
			return h, fmt.Errorf("%s: %s with the token %d was answered by %s with the token %d", w.id, kind, token, h.kind, h.token)
		}
		return h, nil
	case <-late.C:
		return heard{}, fmt.Errorf("%s: %s was never answered", w.id, kind)
	}
}

func (w *owner) delete() {
	w.update = store.Update{Delete: true, Was: w.was, Bodies: w.update.Bodies[:0]}
	w.was = store.State{}
	w.give()
}

// reborn begins the client's next life.
func (w *owner) reborn() {
	w.epoch++
	w.seq = 0
	w.update.Delete = false
}

func (w *owner) give() {
	w.token++
	token := w.token
	w.update.Token = token
	now, err := w.store.Commit(w, &w.update)
	if now {
		w.mu.Lock()
		w.take(word{token, err})
		w.mu.Unlock()
	}
	if w.scribble {
		for i := range w.update.Bodies {
			w.update.Bodies[i] = nil
		}
		w.update = store.Update{Bodies: w.update.Bodies}
	}
}

// withinCommit looks for an owner's Commit on its own stack: another goroutine may answer while one is under way.
func withinCommit() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "(*owner).give") {
			return true
		}
		if !more {
			return false
		}
	}
}

// wait waits for every answer, and judges them.
func (w *owner) wait(judge func([]word) error) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		w.mu.Lock()
		missing := int(w.token) - len(w.given)
		w.mu.Unlock()
		if missing <= 0 {
			return w.answered(judge)
		}
		select {
		case <-w.arrived:
		case <-late.C:
			return fmt.Errorf("%s: %d commits of %d were never answered", w.id, missing, w.token)
		}
	}
}

// answered judges the answers that are there, which have to be all.
func (w *owner) answered(judge func([]word) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	if len(w.given) != int(w.token) {
		return fmt.Errorf("%s: %d answers to %d commits", w.id, len(w.given), w.token)
	}
	return judge(w.given)
}

func allKept(words []word) error {
	for _, a := range words {
		if a.err != nil {
			return fmt.Errorf("commit %d: %w", a.token, a.err)
		}
	}
	return nil
}

// noneAfterFailure: once one has failed, none behind it was kept, and at least one has.
func noneAfterFailure(words []word) error {
	failed := false
	for _, a := range words {
		if failed && a.err == nil {
			return fmt.Errorf("commit %d was kept behind a failed one", a.token)
		}
		failed = failed || a.err != nil
	}
	if !failed {
		return errors.New("no commit failed, though every write was to fail")
	}
	return nil
}
