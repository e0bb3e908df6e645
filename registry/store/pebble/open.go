package pebble

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	crdbErrors "github.com/cockroachdb/errors"
	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the store in o.Dir, and makes it where there is none. Its errors are sentences that name the directory and say what to do.
// It blocks, for as long as the log of the last MemTableBytes or so takes to read, however many clients there are.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if o.Dir == "" {
		return nil, errors.New("a store needs a data directory: name one")
	}
	s := newStore(o)
	d, err := s.prepare(o)
	if err == nil {
		err = s.begin(o, d)
	}
	if err != nil {
		s.guard.stop()
		s.release()
		return nil, err
	}
	s.start(o)
	return s, nil
}

func newStore(o Options) *Store {
	s := &Store{
		dir: o.Dir, log: o.Logger, sync: o.Sync,
		visible: make(chan struct{}, 1), failed: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
		reading: make([]*ask, o.Readers),
		open:    new(group),
	}
	s.work.L, s.asked.L, s.left.L = &s.mu, &s.mu, &s.mu
	s.guard = &guard{FS: o.FS, fail: s.onWrite}
	s.release = func() {}
	if o.FS == nil {
		watched, closer := vfs.WithDiskHealthChecks(vfs.Default, slowDisk, nil, s.onSlow)
		s.guard.FS = watched
		s.release = func() { _ = closer.Close() }
		if abs, err := filepath.Abs(o.Dir); err == nil {
			s.dir = abs
		}
	}
	return s
}

// prepare makes the directory if need be, and takes it for this process. It says whether a store lies in it.
func (s *Store) prepare(o Options) (directory, error) {
	d := directory{s.guard.FS, s.dir}
	found, err := d.examine()
	if err != nil {
		return d, err
	}
	if found == dirMissing {
		if err := d.make(); err != nil {
			return d, d.refused("made", err)
		}
	}
	if _, err := (directory{s.guard, s.dir}).lock(); err != nil { // the guard keeps it, and lets go of it
		return d, err
	}
	if found, err = d.examine(); err != nil || found == dirStore { // another process may have been at it before
		return d, err
	}
	if err := d.mark(markText + fmt.Sprint(format) + unfinished + "\n"); err != nil {
		return d, d.refused("written", err)
	}
	if err := d.clear(); err != nil {
		return d, err
	}
	err = s.within(func() error {
		if err := s.create(o); err != nil {
			return d.refused("written", err)
		}
		return nil
	})
	if err != nil {
		return d, err
	}
	if err := d.mark(markText + fmt.Sprint(format) + "\n"); err != nil {
		return d, d.refused("written", err)
	}
	return d, nil
}

// held stands for the lock that the store has taken already, so that the library does not.
type held struct{ vfs.FS }

func (held) Lock(string) (io.Closer, error) { return nothing{}, nil }

type nothing struct{}

func (nothing) Close() error { return nil }

// create makes the database, and closes it again: a damaged bit in the first log of a directory would not be noticed, and so that log holds
// nothing that anybody needs.
func (s *Store) create(o Options) error {
	opts := s.options(o)
	opts.ErrorIfExists = true
	db, err := crdb.Open(s.dir, opts)
	if err != nil {
		return err
	}
	err = s.mark(db, generation{number: 1, mode: o.Sync.mode, clean: true})
	return errors.Join(err, db.Close())
}

func (s *Store) options(o Options) *crdb.Options {
	opts := library(&o, held{s.guard}, logger{s.log, s.onLibrary})
	s.listen(opts)
	return opts
}

// begin opens the database and writes down who has it now, before anything else.
func (s *Store) begin(o Options, d directory) error {
	return s.within(func() error {
		if err := d.checkJournals(); err != nil {
			return d.cannotOpen(err)
		}
		opts := s.options(o)
		opts.ErrorIfNotExists = true
		db, err := crdb.Open(s.dir, opts)
		if err != nil {
			return d.cannotOpen(err)
		}
		g, err := readGeneration(db)
		if err == nil {
			s.totals, err = readTotals(db)
			hours, herr := readHours(db)
			s.hours.Store(hours)
			err = errors.Join(err, herr)
			s.totals.synced = s.totals.group // the library has synced all that it found
		}
		if err != nil {
			_ = db.Close() // there is worse to tell
			return d.cannotOpen(err)
		}
		s.db, s.generation = db, g.next(o.Sync.mode)
		return s.mark(db, s.generation) // what cannot be written fails the store
	})
}

// mark writes down who has the database, and how, in a group of its own.
func (s *Store) mark(db *crdb.DB, g generation) error {
	s.totals.group++
	s.totals.synced = max(s.synced.Load(), s.totals.synced)
	b := db.NewBatch()
	_ = b.Set(keyGeneration, appendGeneration(nil, g), nil)
	_ = b.Set(keyHours, appendHours(nil, s.hours.Load()), nil) // also where none has gone: not finding it would cost the next start more
	_ = b.Set(keyTotals, appendTotals(nil, s.totals), nil)
	if err := db.Apply(b, crdb.Sync); err != nil {
		return err
	}
	s.synced.Store(s.totals.group)
	return b.Close()
}

// within runs f, which may hang for ever where the disk fails.
func (s *Store) within(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = asError(p)
			}
			done <- err
		}()
		err = f()
	}()
	select {
	case err := <-done:
		return err
	case <-s.failed:
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Errorf("the store in %s cannot be opened: %s, and start again", s.dir, s.why)
	}
}

// start starts the goroutines.
func (s *Store) start(o Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.spare = newGroup(s.db), newGroup(s.db)
	s.bodies.Store(s.generation.opens << 40)
	stopSync := make(chan struct{})
	if s.sync.mode == modeInterval {
		s.dirty = make(chan struct{}, 1)
		s.run(func() { s.syncAll(stopSync) })
	}
	s.run(func() {
		defer close(stopSync)
		s.commitAll()
	})
	for i := range o.Readers {
		s.run(func() { s.readAll(i) })
	}
}

// next is the generation of the process that opens the store after g.
func (g generation) next(m mode) generation {
	n := generation{number: g.number, opens: g.opens + 1, mode: m}
	if !g.clean && g.mode != modeAlways {
		n.number++
	}
	return n
}

func readGeneration(db crdb.Reader) (generation, error) {
	value, done, err := db.Get(keyGeneration)
	if err != nil {
		return generation{}, fmt.Errorf("the generation record: %w", err)
	}
	g, err := parseGeneration(value)
	if err != nil {
		err = fmt.Errorf("the generation record: %w", err)
	}
	return g, errors.Join(err, done.Close())
}

func readTotals(db crdb.Reader) (sums, error) {
	value, done, err := db.Get(keyTotals)
	if errors.Is(err, crdb.ErrNotFound) {
		return sums{}, nil
	}
	if err != nil {
		return sums{}, err
	}
	t, err := parseTotals(value)
	if err != nil {
		err = fmt.Errorf("the totals: %w", err)
	}
	return t, errors.Join(err, done.Close())
}

// cannotOpen says why the library does not open what lies in the directory.
func (d directory) cannotOpen(err error) error {
	text := err.Error()
	if details := crdbErrors.FlattenDetails(err); details != "" {
		text += " (" + strings.ReplaceAll(details, "\n", " ") + ")"
	}
	return fmt.Errorf("the store in %s is damaged and was not opened: %s; restore the directory from a backup, or move it away and start with a new one, without what it held",
		d.path, strings.ReplaceAll(text, d.path+"/", ""))
}
