package registry

import "iter"

// table finds client actors by id, as a map would. A broker's collector spends most of its time on that map, which is as large as all the clients: here a client
// takes 15 to 23 bytes, of which the collector reads one pointer, and not 32 to 60 with two.
//
// It is open addressing: an actor is at the place of its hash, or at the next one that was free. Places are in the order of the hashes, so that the table may have any
// size. The zero value is empty and ready. Whoever uses it holds the shard's lock.
type table struct {
	actors []*client // nil: free
	hashes []uint32  // of the actors
	n      int
}

// firstTable is how many places a table has at least, once it has any. It grows by half when 4 of 5 places are taken, and shrinks to half when 3 of 4 are free.
const firstTable = 8

// get returns the actor of id, whose hash is h, or nil.
func (t *table) get(h uint32, id string) *client {
	if t.n == 0 {
		return nil
	}
	for i := t.home(h); t.actors[i] != nil; i = t.after(i) {
		if t.hashes[i] == h && t.actors[i].id == id {
			return t.actors[i]
		}
	}
	return nil
}

// put adds c, whose hash is h; its id is not there.
func (t *table) put(h uint32, c *client) {
	if 5*(t.n+1) > 4*len(t.actors) {
		t.resize(max(firstTable, len(t.actors)+len(t.actors)/2))
	}
	t.place(h, c)
	t.n++
}

// remove takes c out, whose hash is h; it must be there. What comes behind it moves up, so that nothing is hidden by a free place.
func (t *table) remove(h uint32, c *client) {
	gap := t.home(h)
	for t.actors[gap] != c {
		gap = t.after(gap)
	}
	for i := t.after(gap); t.actors[i] != nil; i = t.after(i) {
		if t.reaches(t.hashes[i], i, gap) {
			t.actors[gap], t.hashes[gap] = t.actors[i], t.hashes[i]
			gap = i
		}
	}
	t.actors[gap] = nil
	t.n--
	if size := len(t.actors) / 2; t.n < size/2 && size >= firstTable {
		t.resize(size)
	}
}

// all yields every actor, in no order; the table must not change meanwhile.
func (t *table) all() iter.Seq[*client] {
	return func(yield func(*client) bool) {
		for _, c := range t.actors {
			if c != nil && !yield(c) {
				return
			}
		}
	}
}

// place puts c at the first free place; there is one.
func (t *table) place(h uint32, c *client) {
	i := t.home(h)
	for t.actors[i] != nil {
		i = t.after(i)
	}
	t.actors[i], t.hashes[i] = c, h
}

func (t *table) resize(size int) {
	actors, hashes := t.actors, t.hashes
	t.actors, t.hashes = make([]*client, size), make([]uint32, size)
	for i, c := range actors {
		if c != nil {
			t.place(hashes[i], c)
		}
	}
}

// home is the place of a hash.
func (t *table) home(h uint32) int {
	return int(uint64(h) * uint64(len(t.actors)) >> 32)
}

// after is the place after i, which after the last one is the first.
func (t *table) after(i int) int {
	if i++; i == len(t.actors) {
		return 0
	}
	return i
}

// reaches reports whether what has the hash h and is at i may be at gap, which is before it: whether its own place is not behind gap.
func (t *table) reaches(h uint32, i, gap int) bool {
	home := t.home(h)
	if gap <= i {
		return home <= gap || home > i
	}
	return home <= gap && home > i
}
