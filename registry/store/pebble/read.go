package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// ask is what an owner wants read. They wait in the order asked; an owner has a few under way at most.
type ask struct {
	owner store.Owner
	kind  askKind
	hot   int64
	read  store.Read // of a snapshot, its token alone
}

type askKind int

const (
	askLoad askKind = iota
	askRead
	askSnapshot
)

// result answers an ask.
type result struct {
	client *store.Client
	bodies []protocol.Body
	data   []byte
	asOf   uint64
	err    error
}

func (a *ask) answer(r result) {
	switch a.kind {
	case askLoad:
		a.owner.Loaded(r.client, r.err)
	case askRead:
		a.owner.Bodies(a.read.Token, r.bodies, r.err)
	case askSnapshot:
		a.owner.SnapshotData(a.read.Token, r.asOf, r.data, r.err)
	}
}

// Load has the client read, with the bodies of its newest frames up to hot bytes.
func (s *Store) Load(o store.Owner, hot int64) {
	s.ask(&ask{owner: o, kind: askLoad, hot: hot})
}

// Read has bodies read that lie in the store; one that is not there fails it.
func (s *Store) Read(o store.Owner, r store.Read) {
	s.ask(&ask{owner: o, kind: askRead, read: r})
}

// ReadSnapshot has the stored snapshot read; there is none where it has been dropped meanwhile.
func (s *Store) ReadSnapshot(o store.Owner, token uint64) {
	s.ask(&ask{owner: o, kind: askSnapshot, read: store.Read{Token: token}})
}

func (s *Store) ask(a *ask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		go a.answer(result{err: s.failure})
	case s.closing:
		go a.answer(result{err: errClosed})
	default: // a failed store's are answered by answerAll
		s.asks = append(s.asks, a)
		s.asked.Signal()
	}
}

// unanswered takes all that readers were asked, also what they are at. mu is held.
func (s *Store) unanswered() []*ask {
	var all []*ask
	for i, a := range s.reading {
		if a != nil {
			all = append(all, a)
			s.reading[i] = nil
		}
	}
	all = append(all, s.asks...)
	s.asks = nil
	return all
}

// readAll is a reader.
func (s *Store) readAll(i int) {
	for {
		s.mu.Lock()
		for s.failure == nil && !s.closing && len(s.asks) == 0 {
			s.asked.Wait()
		}
		if s.failure != nil || len(s.asks) == 0 {
			s.mu.Unlock()
			return
		}
		a := s.asks[0]
		s.asks[0] = nil
		s.asks = s.asks[1:]
		s.reading[i] = a
		s.mu.Unlock()

		r := s.find(a)
		if r.err != nil && !errors.Is(r.err, store.ErrExpired) {
			s.onRead(r.err) // which answers a, too
			return
		}
		s.mu.Lock()
		if s.failure != nil { // which answers a
			s.mu.Unlock()
			return
		}
		s.reading[i] = nil
		s.mu.Unlock()
		a.answer(r)
	}
}

// find reads what a asks for. An error is one of the store's.
func (s *Store) find(a *ask) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r.err = asError(p)
		}
	}()
	id := a.owner.ClientID()
	switch a.kind {
	case askLoad:
		r.client, r.err = load(s.db, id, a.hot, s.hours.Load())
	case askRead:
		r.bodies, r.err = readBodies(s.db, id, a.read, s.hours.Load())
	case askSnapshot:
		r.asOf, r.data, r.err = readSnapshot(s.db, id)
	}
	return r
}

// load reads the client id; nil if the store does not have it. Shared bodies are kept from the given hour on.
func load(db crdb.Reader, id string, hot int64, hours uint32) (*store.Client, error) {
	k, err := readState(db, id)
	if err != nil || k.Epoch == 0 {
		return nil, err
	}
	c := &store.Client{State: k.State, Generation: k.generation}
	if c.Frames, c.Expired, err = loadFrames(db, id, &k.State, hot, hours); err != nil {
		return nil, err
	}
	if c.Records, err = loadRecords(db, id, &k.State); err != nil || k.Follows == 0 {
		return c, err
	}
	c.Follows, c.Patterns, err = loadFollows(db, id)
	return c, err
}

// loadFollows reads what the client id has subscribed to.
func loadFollows(db crdb.Reader, id string) (follows []store.Follow, patterns []string, err error) {
	prefix := append(appendName(nil, spaceSubscription, id), 0)
	it, err := db.NewIter(&crdb.IterOptions{LowerBound: prefix, UpperBound: append(appendName(nil, spaceSubscription, id), 1)})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		name := string(it.Key()[len(prefix):])
		if protocol.IsPattern(name) {
			patterns = append(patterns, name)
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, nil, err
		}
		f, err := parseFollow(value)
		if err != nil {
			return nil, nil, fmt.Errorf("what %s follows, %s: %w", id, name, err)
		}
		f.Topic = name
		if f.Gone, err = missing(db, appendPair(nil, spaceFollower, name, id)); err != nil {
			return nil, nil, err
		}
		follows = append(follows, f)
	}
	return follows, patterns, it.Error()
}

// missing reports whether there is nothing under the key.
func missing(db crdb.Reader, key []byte) (bool, error) {
	_, done, err := db.Get(key)
	if errors.Is(err, crdb.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, done.Close()
}

// readState reads the state of the client id, the zero one if the store does not have it.
func readState(db crdb.Reader, id string) (kept, error) {
	value, done, err := db.Get(appendName(nil, spaceState, id))
	if errors.Is(err, crdb.ErrNotFound) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, err
	}
	k, err := parseState(value)
	if err != nil {
		err = fmt.Errorf("the state of %s: %w", id, err)
	}
	return k, errors.Join(err, done.Close())
}

// loadFrames reads the retained frames, the newest first, so that their bodies are those that fit hot. It ends at the first whose shared body is gone.
func loadFrames(db crdb.Reader, id string, is *store.State, hot int64, hours uint32) (frames []store.Frame, expired uint64, err error) {
	if is.Head <= is.Floor {
		return nil, 0, nil
	}
	n := is.Frames()
	it, err := numbered(db, spaceFrame, id, is.Floor, is.Head)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok := it.Last()
	if ok { // the newest is there: so n is no fancy of an altered state
		frames = make([]store.Frame, n)
	}
	for seq := is.Head; seq > is.Floor; seq-- {
		e, err := entryAt(it, ok, id, seq)
		if err != nil {
			return nil, 0, err
		}
		if e.expired(hours) {
			return frames[seq-is.Floor:], seq, nil
		}
		f := &frames[seq-is.Floor-1]
		f.At, f.Size, f.OfTopic = e.at, e.size, e.shared != (store.BodyID{}) || protocol.OfTopic(e.body)
		if hot -= int64(e.size); hot >= 0 {
			if f.Body, err = bodyOf(db, &e, id, seq); err != nil {
				return nil, 0, err
			}
		}
		ok = it.Prev()
	}
	return frames, 0, nil
}

// expired reports whether e's body is a shared one that has been let go of.
func (e *entry) expired(hours uint32) bool {
	return e.shared.Hour < hours && e.shared != (store.BodyID{})
}

func loadRecords(db crdb.Reader, id string, is *store.State) (records []store.KeptRecord, err error) {
	if is.Head <= is.RecordFloor {
		return nil, nil
	}
	it, err := numbered(db, spaceRecord, id, is.RecordFloor, is.Head)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		first := numberIn(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		k, err := parseRecord(first, value)
		if err != nil {
			return nil, fmt.Errorf("the record at frame %d of %s: %w", first, id, err)
		}
		records = append(records, k)
	}
	return records, it.Error()
}

// readBodies reads the bodies that r asks for, at least one.
func readBodies(db crdb.Reader, id string, r store.Read, hours uint32) (bodies []protocol.Body, err error) {
	it, err := numbered(db, spaceFrame, id, r.After, max(r.Last, r.After+1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	size := 0
	ok := it.First()
	for seq := r.After + 1; seq <= max(r.Last, r.After+1); seq++ {
		e, err := entryAt(it, ok, id, seq)
		if err != nil {
			return nil, err
		}
		if e.expired(hours) {
			if len(bodies) == 0 {
				return nil, store.ErrExpired
			}
			break
		}
		size += e.size
		if len(bodies) > 0 && (size > r.Bytes || len(bodies) >= r.Frames) {
			break
		}
		b, err := bodyOf(db, &e, id, seq)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, b)
		ok = it.Next()
	}
	return bodies, nil
}

// numbered iterates over the numbered things (after, last] of the client id.
func numbered(db crdb.Reader, space byte, id string, after, last uint64) (*crdb.Iterator, error) {
	return db.NewIter(&crdb.IterOptions{
		LowerBound: appendNumbered(nil, space, id, after+1),
		UpperBound: appendNumbered(nil, space, id, last+1),
	})
}

// entryAt is the frame seq, which is where the iterator stands.
func entryAt(it *crdb.Iterator, ok bool, id string, seq uint64) (entry, error) {
	if !ok {
		return entry{}, errors.Join(fmt.Errorf("frame %d of %s is missing", seq, id), it.Error())
	}
	if numberIn(it.Key()) != seq {
		return entry{}, fmt.Errorf("frame %d of %s is missing", seq, id)
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return entry{}, err
	}
	e, err := parseEntry(value)
	if err != nil {
		err = fmt.Errorf("frame %d of %s: %w", seq, id, err)
	}
	return e, err
}

// bodyOf is e's body in memory of its own.
func bodyOf(db crdb.Reader, e *entry, id string, seq uint64) (protocol.Body, error) {
	if e.shared == (store.BodyID{}) {
		return bytes.Clone(e.body), nil
	}
	b, err := readPlain(db, appendBody(nil, e.shared), fmt.Sprintf("the shared body of frame %d of %s", seq, id))
	if err == nil && len(b) != e.size {
		err = fmt.Errorf("the shared body of frame %d of %s has %d bytes, not %d", seq, id, len(b), e.size)
	}
	return b, err
}

// readSnapshot reads the stored snapshot of the client id; nil if the store has none.
func readSnapshot(db crdb.Reader, id string) (asOf uint64, data []byte, err error) {
	value, done, err := db.Get(appendName(nil, spaceSnapshot, id))
	if errors.Is(err, crdb.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	asOf, data, err = parseSnapshot(value)
	if err != nil {
		err = fmt.Errorf("the snapshot of %s: %w", id, err)
	}
	return asOf, bytes.Clone(data), errors.Join(err, done.Close())
}

// readPlain reads a value that is bytes, and must be there.
func readPlain(db crdb.Reader, key []byte, what string) ([]byte, error) {
	value, done, err := db.Get(key)
	if errors.Is(err, crdb.ErrNotFound) {
		return nil, fmt.Errorf("%s is missing", what)
	}
	if err != nil {
		return nil, err
	}
	b, err := parsePlain(value)
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return slices.Clone(b), errors.Join(err, done.Close())
}
