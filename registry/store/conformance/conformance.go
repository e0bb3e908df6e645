// Package conformance holds a storage adapter to the promises of the port (package store). Every adapter's test runs it.
package conformance

import (
	"flag"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/restante/restante/registry/store"
)

// Opened is one open store, and what its adapter can do besides.
type Opened struct {
	Store store.Store
	// Reopen closes the store and opens what it has left. nil for an adapter that leaves nothing.
	Reopen func() (store.Store, error)
	// Crash opens what the store would have left if the machine had stopped at this moment, and gives the earlier one up. nil for an adapter
	// that cannot show it, or does not promise that all that was confirmed is there then.
	Crash func() (store.Store, error)
	// Break makes every later write fail at the disk. nil for an adapter without one.
	Break func()
}

// promises are what an adapter is held to, each with a store of its own.
var promises = []struct {
	name   string
	hold   func(Opened) error
	closes bool // the store, itself
}{
	{"every commit is answered once and in order", answeredInOrder, false},
	{"owners commit side by side", manyOwners, false},
	{"an update is its caller's again", callersAgain, false},
	{"a client's delete is confirmed, and its next life begins", deletes, false},
	{"what is behind a failed commit fails too", failsBehind, false},
	{"close answers what is under way", closeAnswers, true},
	{"what was confirmed is there, by the script", scripted, true},
	{"the generation stands while the store is open, and commits go on after a reopen", generation, true},
}

// Run holds the stores that open makes to the promises, a new one for each; Run closes them.
func Run(t *testing.T, open func(t testing.TB) Opened) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			o := open(t)
			if err := p.hold(o); err != nil {
				t.Error(err)
			}
			if p.closes {
				return
			}
			if err := o.Store.Close(); err != nil && o.Break == nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	t.Run("what was confirmed is there, at random", func(t *testing.T) {
		defer setFlag("rapid.checks", "3")()
		defer setFlag("rapid.steps", "16")()
		defer setFlag("rapid.nofailfile", "true")()
		rapid.Check(t, func(r *rapid.T) {
			if err := random(open(t), r); err != nil {
				r.Fatal(err)
			}
		})
	})
}

// setFlag sets a flag of rapid's for a while: each step opens a store anew, which takes its time.
func setFlag(name, value string) (back func()) {
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		panic(err)
	}
	return func() { _ = f.Value.Set(before) }
}

func answeredInOrder(o Opened) error {
	w := newOwner("a", o.Store)
	for range 300 {
		w.commit(1)
	}
	return w.wait(allKept)
}

func manyOwners(o Opened) error {
	const owners = 8
	var all sync.WaitGroup
	errs := make(chan error, owners)
	for i := range owners {
		all.Go(func() {
			w := newOwner(fmt.Sprintf("client-%d", i), o.Store)
			for n := range 100 {
				w.commit(1 + n%3)
			}
			errs <- w.wait(allKept)
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// callersAgain writes over the update and its slice of bodies as soon as Commit has returned; the race detector sees who still reads them.
func callersAgain(o Opened) error {
	w := newOwner("a", o.Store)
	w.scribble = true
	for range 100 {
		w.commit(3)
	}
	return w.wait(allKept)
}

func deletes(o Opened) error {
	w := newOwner("a", o.Store)
	for range 3 {
		w.commit(2)
		w.delete()
		if err := w.wait(allKept); err != nil {
			return err
		}
		w.reborn()
	}
	return nil
}

func failsBehind(o Opened) error {
	w := newOwner("a", o.Store)
	w.commit(1)
	if err := w.wait(allKept); err != nil || o.Break == nil {
		return err
	}
	o.Break()
	for range 50 {
		w.commit(1)
	}
	return w.wait(noneAfterFailure)
}

func closeAnswers(o Opened) error {
	w := newOwner("a", o.Store)
	for range 50 {
		w.commit(1)
	}
	if err := o.Store.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return w.answered(allKept)
}

func generation(o Opened) error {
	before := o.Store.Generation()
	w := newOwner("a", o.Store)
	w.commit(1)
	if err := w.wait(allKept); err != nil {
		return err
	}
	if after := o.Store.Generation(); after != before {
		return fmt.Errorf("the generation went from %d to %d while the store was open", before, after)
	}
	if o.Reopen == nil {
		return o.Store.Close()
	}
	again, err := o.Reopen()
	if err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	w.store = again
	w.commit(1)
	err = w.wait(allKept)
	if cerr := again.Close(); err == nil {
		err = cerr
	}
	return err
}
