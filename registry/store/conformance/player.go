package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

const hour = 3600_000

// player gives a store updates, one step at a time, and after each opens it anew and compares what it has with what it has to have. A store
// that keeps nothing has only its answers to be judged by.
type player struct {
	o      Opened
	store  store.Store
	keeper store.Keeper // nil for a store that keeps nothing
	naive  *naive
	owners map[string]*owner
	now    int64
	epochs uint64
	count  int
	// owed says that the last update was lazy: a crash may lose it.
	owed bool
}

func newPlayer(o Opened) *player {
	p := &player{o: o, naive: newNaive(), owners: map[string]*owner{}, now: 500_000 * hour}
	p.use(o.Store)
	return p
}

func (p *player) use(s store.Store) {
	p.store = s
	p.keeper, _ = s.(store.Keeper)
	for _, w := range p.owners {
		w.store = s
	}
}

func (p *player) owner(id string) *owner {
	w := p.owners[id]
	if w == nil {
		w = newOwner(id, p.store)
		p.owners[id] = w
	}
	return w
}

// body is one that differs from every other, and from its neighbours in length.
func (p *player) body() protocol.Body {
	p.count++
	return protocol.Body(fmt.Sprintf(`{"type":"f","n":%d,"fill":"%*d"}`, p.count, 1+p.count%70, 0))
}

// change is what an update does besides carrying the client's state on.
type change struct {
	frames int
	// shared says which of the frames have a shared body: every so many-th, 0 for none.
	shared int
	record bool
	// drop is by how many frames the floor goes up, clean by how many of the dead ones the store is told to give back.
	drop, clean               uint64
	dropRecords, cleanRecords uint64
	snapshot                  string
	unsnapshot, lazy, forget  bool
	again                     bool // the same shared body for all
	// follow moves the cursor of a topic, which is New where the client has none yet; unfollow takes it away. pattern and unpattern are the same for patterns.
	follow, unfollow, pattern, unpattern string
	named, closed                        bool
}

// do gives one update, waits for its answer, and notes what it has to come to.
func (p *player) do(id string, c change) error {
	w := p.owner(id)
	was := p.naive.state(id)
	w.update = store.Update{Was: was, Lazy: c.lazy, Delete: c.forget}
	u := &w.update
	if !c.forget {
		p.fill(u, c)
	} else if l := p.naive.clients[id]; l != nil { // the owner knows all that it has subscribed to
		for _, topic := range slices.Sorted(maps.Keys(l.follows)) {
			u.Follows = append(u.Follows, store.Follow{Topic: topic, Gone: true})
		}
		for _, pattern := range slices.Sorted(maps.Keys(l.patterns)) {
			u.Patterns = append(u.Patterns, store.Pattern{Pattern: pattern, Gone: true})
		}
	}
	p.follow(id, u, c)
	p.naive.apply(id, u, p.store.Generation())
	if l := p.naive.clients[id]; l != nil {
		l.is.Bytes, l.is.Records, l.is.Follows = l.size(), uint64(len(l.stored)), len(l.follows)+len(l.patterns)
		l.is.Oldest = 0
		if len(l.frames) > 0 {
			l.is.Oldest = l.frames[0].at
		}
		u.Is = l.is
	}
	p.owed = u.Lazy
	w.give()
	return w.wait(allKept)
}

// fill says in u what c wants, as far as there is what it wants.
func (p *player) fill(u *store.Update, c change) {
	is := u.Was
	if is.Epoch == 0 {
		p.epochs++
		is.Epoch = p.epochs<<32 | 7
	}
	u.At, is.Seen = p.now, p.now
	if c.frames > 0 {
		u.First = is.Head + 1
		is.Head += uint64(c.frames)
	}
	p.bodies(u, c)
	if c.record && c.frames > 0 {
		u.Record = &store.Record{Key: [16]byte{1, byte(p.count)}, Sum: [16]byte{2, byte(p.count)}}
	}
	is.Floor = min(is.Floor+c.drop, is.Head)
	is.Acked, is.Sent = max(is.Acked, is.Floor), is.Head
	is.Cleaned = min(is.Cleaned+c.clean, is.Floor)
	is.All, is.Closed = is.All+uint64(c.frames), is.Closed || c.closed
	is.RecordFloor = min(is.RecordFloor+c.dropRecords, is.Head)
	is.RecordsCleaned = min(is.RecordsCleaned+c.cleanRecords, is.RecordFloor)
	switch {
	case c.snapshot != "":
		u.Snapshot = []byte(c.snapshot)
		is.SnapshotAsOf, is.SnapshotBytes = is.Head, len(c.snapshot)
	case c.unsnapshot:
		is.SnapshotAsOf, is.SnapshotBytes = 0, 0
	}
	u.Is = is
}

// follow says in u what c changes of what the client has subscribed to, with the frames of the same update.
func (p *player) follow(id string, u *store.Update, c change) {
	var l life
	if is := p.naive.clients[id]; is != nil {
		l = *is
	}
	if _, had := l.follows[c.follow]; c.follow != "" {
		u.Follows = append(u.Follows, store.Follow{Topic: c.follow, Cursor: u.Is.Head + 1<<40, Named: c.named, New: !had})
	}
	if _, had := l.follows[c.unfollow]; had && c.unfollow != c.follow {
		u.Follows = append(u.Follows, store.Follow{Topic: c.unfollow, Gone: true})
	}
	if c.pattern != "" && !l.patterns[c.pattern] {
		u.Patterns = append(u.Patterns, store.Pattern{Pattern: c.pattern})
	}
	if l.patterns[c.unpattern] && c.unpattern != c.pattern {
		u.Patterns = append(u.Patterns, store.Pattern{Pattern: c.unpattern, Gone: true})
	}
}

func (p *player) bodies(u *store.Update, c change) {
	var last store.BodyID
	for i := range c.frames {
		b := p.body()
		id := store.BodyID{}
		if c.shared > 0 && i%c.shared == 0 && p.keeper != nil {
			if c.again && i > 0 {
				b, id = u.Bodies[0], last
			} else {
				id = p.keeper.Share(b, p.now)
				p.naive.shared[id] = true
			}
			last = id
		}
		u.Bodies = append(u.Bodies, b)
		if c.shared > 0 && p.keeper != nil {
			u.Shared = append(u.Shared, id)
		}
	}
}

// tidy lets go of the shared bodies that nobody refers to any more, by the hour.
func (p *player) tidy() error {
	if p.keeper == nil {
		return nil
	}
	before := p.now
	if h, some := p.naive.oldest(); some {
		before = int64(h) * hour
	}
	return p.keeper.Tidy(context.Background(), before)
}

// after opens the store anew, as from a crash if that is wanted and has nothing to lose, and compares.
func (p *player) after(crash bool) error {
	open := p.o.Reopen
	if crash && p.o.Crash != nil && !p.owed {
		open = p.o.Crash
	}
	if open != nil {
		again, err := open()
		if err != nil {
			return fmt.Errorf("reopen: %w", err)
		}
		p.use(again)
		p.owed = false
	}
	if p.keeper == nil {
		return nil
	}
	return p.compare()
}
