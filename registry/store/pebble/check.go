package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// maxProblems is how many problems a Report lists.
const maxProblems = 100

// Report is what Check has found.
type Report struct {
	// Generation is that of the epochs; Clean says that the store was closed in good order.
	Generation uint32
	Clean      bool
	// Totals are the sums over what is there; Records, Snapshots and Shared count the other things, Follows what clients have subscribed to.
	Totals                     store.Totals
	Records, Snapshots, Shared int64
	Follows                    int64
	// Problems says in sentences what is not as it has to be, as far as the first 100; Found is how many there are.
	Problems []string
	Found    int
}

func (r *Report) problem(format string, args ...any) {
	if r.Found++; r.Found <= maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Check reads the whole store in dir and changes nothing. Its error is a sentence about a directory that cannot be opened: one in use, or so
// damaged that there is nothing to check. It blocks for as long as reading it all takes.
func Check(dir string) (r Report, err error) {
	err = inspect(dir, func(db *crdb.DB) error {
		c := checker{db: db, report: &r}
		return c.all()
	})
	return r, err
}

// inspect opens the store in dir for reading only, and has f look at it.
func inspect(dir string, f func(db *crdb.DB) error) (err error) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	d := directory{vfs.Default, dir}
	found, err := d.examine()
	switch {
	case err != nil:
		return err
	case found != dirStore:
		return fmt.Errorf("there is no store in %s: name the data directory of a broker", dir)
	}
	l, err := d.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := d.checkJournals(); err != nil {
		return d.cannotOpen(err)
	}
	fatal := make(chan error, 1)
	o := Options{}.withDefaults()
	opts := library(&o, held{vfs.Default}, logger{slog.New(slog.DiscardHandler), func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}})
	opts.ReadOnly, opts.ErrorIfNotExists = true, true
	opts.EventListener = &crdb.EventListener{DataCorruption: func(crdb.DataCorruptionInfo) {}} // the reader hears of it too
	done := make(chan error, 1)
	go func() { // the library's Fatalf never comes back
		done <- func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = d.cannotOpen(asError(p))
				}
			}()
			db, err := crdb.Open(dir, opts)
			if err != nil {
				return d.cannotOpen(err)
			}
			return errors.Join(f(db), db.Close())
		}()
	}()
	select {
	case err := <-done:
		return err
	case err := <-fatal:
		return d.cannotOpen(err)
	}
}

// checker goes through a store. What it cannot read is a problem, as is what does not fit.
type checker struct {
	db     *crdb.DB
	report *Report
	hours  uint32 // the first hour whose shared bodies are kept
}

// named is an owner's name in a sentence.
func named(name string) string {
	if topic, is := topicOf(name); is {
		return "topic " + topic
	}
	return "client " + name
}

func (c *checker) all() error {
	if g, err := readGeneration(c.db); err != nil {
		c.report.problem("%v", err)
	} else {
		c.report.Generation, c.report.Clean = g.number, g.clean
	}
	var err error
	if c.hours, err = readHours(c.db); err != nil {
		c.report.problem("%v", plain(err))
	}
	for _, part := range []func(){c.clients, c.follows, c.strangers, c.bodies, c.sums} {
		part()
	}
	return nil
}

// clients checks each client with its frames, records and snapshot.
func (c *checker) clients() {
	err := scan(c.db, "", func(id string, k *kept) bool {
		if topic, is := topicOf(id); is {
			if err := protocol.CheckTopic(topic); err != nil && topic != protocol.AllTopic {
				c.report.problem("%v", protocol.AsError(err).Message)
			}
			c.report.Totals.Topics++
		} else {
			if err := protocol.CheckClientID(id); err != nil {
				c.report.problem("%v", protocol.AsError(err).Message)
			}
			c.report.Totals.Clients++
		}
		c.state(id, k)
		c.frames(id, &k.State)
		c.records(id, &k.State)
		c.snapshot(id, &k.State)
		c.report.Totals.Frames += int64(k.Frames())
		c.report.Totals.Bytes += k.Bytes
		return true
	})
	if err != nil {
		c.report.problem("the clients cannot be read to their end: %v", plain(err))
	}
}

func (c *checker) state(id string, k *kept) {
	for _, bound := range []struct {
		low, high       uint64
		lowName, higher string
	}{
		{k.Floor, k.Head, "floor", "head"},
		{k.Cleaned, k.Floor, "cleaned", "floor"},
		{k.Acked, k.Head, "acked", "head"},
		{k.Sent, k.Head, "sent", "head"},
		{k.RecordFloor, k.Head, "record floor", "head"},
		{k.RecordsCleaned, k.RecordFloor, "records cleaned", "record floor"},
		{k.SnapshotAsOf, k.Head, "snapshot", "head"},
	} {
		if bound.low > bound.high {
			c.report.problem("%s: its %s, %d, is above its %s, %d", named(id), bound.lowName, bound.low, bound.higher, bound.high)
		}
	}
	if k.Epoch == 0 {
		c.report.problem("%s: it has no epoch", named(id))
	}
	if k.generation == 0 || k.generation > c.report.Generation {
		c.report.problem("%s: it was written in generation %d of %d", named(id), k.generation, c.report.Generation)
	}
}

// frames checks that those from Cleaned on are there without a hole, and none beside them. One that is not retained any more may lack its
// shared body.
func (c *checker) frames(id string, is *store.State) {
	next := is.Cleaned + 1
	c.each(spaceFrame, id, func(seq uint64, value []byte) {
		switch {
		case seq <= is.Cleaned || seq > is.Head:
			c.report.problem("%s: there is a frame %d, beside the frames %d to %d", named(id), seq, is.Cleaned+1, is.Head)
			return
		case seq > next:
			c.report.problem("%s: the frames %d to %d are missing", named(id), next, seq-1)
		}
		next = seq + 1
		e, err := parseEntry(value)
		if err != nil {
			c.report.problem("%s: frame %d is %v", named(id), seq, err)
			return
		}
		if seq <= is.Floor || e.expired(c.hours) {
			return
		}
		b, err := bodyOf(c.db, &e, id, seq)
		if err != nil {
			c.report.problem("%v", plain(err))
		} else if err := protocol.CheckStored(b); err != nil {
			c.report.problem("%s: frame %d: %s", named(id), seq, protocol.AsError(err).Message)
		} else if topic, is := topicOf(id); is {
			if of, n, err := protocol.TopicOf(b); err != nil || of != topic || n != seq {
				c.report.problem("%s: frame %d: it is the frame %q %d", named(id), seq, of, n)
			}
		}
	})
	if next <= is.Head {
		c.report.problem("%s: the frames %d to %d are missing", named(id), next, is.Head)
	}
}

func (c *checker) records(id string, is *store.State) {
	n := uint64(0)
	defer func() {
		if n != is.Records {
			c.report.problem("%s: there are %d records, not %d", named(id), n, is.Records)
		}
	}()
	c.each(spaceRecord, id, func(first uint64, value []byte) {
		c.report.Records++
		n++
		k, err := parseRecord(first, value)
		switch {
		case err != nil:
			c.report.problem("%s: the record at frame %d is %v", named(id), first, err)
		case first <= is.RecordsCleaned || k.Last > is.Head:
			c.report.problem("%s: there is a record of the frames %d to %d, beside those from %d to %d", named(id), first, k.Last, is.RecordsCleaned+1, is.Head)
		}
	})
}

func (c *checker) snapshot(id string, is *store.State) {
	if is.SnapshotBytes == 0 {
		return
	}
	asOf, b, err := readSnapshot(c.db, id)
	switch {
	case err != nil:
		c.report.problem("%v", plain(err))
	case b == nil:
		c.report.problem("%s: its snapshot is missing", named(id))
	case asOf != is.SnapshotAsOf:
		c.report.problem("%s: its snapshot is as of %d, not %d", named(id), asOf, is.SnapshotAsOf)
	case len(b) != is.SnapshotBytes:
		c.report.problem("%s: its snapshot has %d bytes, not %d", named(id), len(b), is.SnapshotBytes)
	}
}

// each goes through the numbered things of a client.
func (c *checker) each(space byte, id string, f func(n uint64, value []byte)) {
	it, err := c.db.NewIter(&crdb.IterOptions{LowerBound: appendNumbered(nil, space, id, 0), UpperBound: append(appendName(nil, space, id), 1)})
	if err == nil {
		for ok := it.First(); ok; ok = it.Next() {
			_, n, valid := parseNumbered(it.Key())
			value, verr := it.ValueAndErr()
			if verr != nil || !valid {
				break
			}
			f(n, value)
		}
		err = errors.Join(it.Error(), it.Close())
	}
	if err != nil {
		c.report.problem("%s: its %s cannot be read: %v", named(id), map[byte]string{spaceFrame: "frames", spaceRecord: "records"}[space], plain(err))
	}
}
