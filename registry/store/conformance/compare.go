package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// compare holds all that the store has to what it has to have.
func (p *player) compare() error {
	if got, want := p.keeper.Totals(), p.naive.totals(); got != want {
		return fmt.Errorf("the totals are %+v, not %+v", got, want)
	}
	if err := p.keeper.Err(); err != nil {
		return fmt.Errorf("the store has failed: %w", err)
	}
	ids := p.naive.ids()
	if err := p.scans(ids); err != nil {
		return err
	}
	if err := p.subscriptions(); err != nil {
		return err
	}
	for _, id := range append(ids, "nobody", "a~") {
		if err := p.client(id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// subscribed holds what a client is loaded with to what it has subscribed to.
func (p *player) subscribed(id string, l *life, c *store.Client) error {
	var follows []store.Follow
	for _, topic := range slices.Sorted(maps.Keys(l.follows)) {
		f := l.follows[topic]
		f.Gone = !p.naive.followers[topic][id]
		follows = append(follows, f)
	}
	if !slices.Equal(c.Follows, follows) {
		return fmt.Errorf("it follows %+v, not %+v", c.Follows, follows)
	}
	if patterns := slices.Sorted(maps.Keys(l.patterns)); !slices.Equal(c.Patterns, patterns) {
		return fmt.Errorf("it has subscribed to %q, not to %q", c.Patterns, patterns)
	}
	return nil
}

// topics are those that Followers and Matching are asked about.
var topics = []string{"t", "t.a", "t.b", "t.a.b", "u", "nothing.of.it"}

// subscriptions holds Followers and Matching to what they have to say.
func (p *player) subscriptions() error {
	for _, topic := range topics {
		want := slices.Sorted(maps.Keys(p.naive.followers[topic]))
		for after := range len(want) + 1 {
			start := ""
			if after > 0 {
				start = want[after-1]
			}
			var got []string
			if err := p.keeper.Followers(topic, start, func(id string) bool { got = append(got, id); return true }); err != nil {
				return fmt.Errorf("followers of %s: %w", topic, err)
			}
			if !slices.Equal(got, want[after:]) {
				return fmt.Errorf("the followers of %s after %q are %q, not %q", topic, start, got, want[after:])
			}
		}
		got, expect := map[[2]string]bool{}, map[[2]string]bool{}
		err := p.keeper.Matching(topic, func(pattern, id string) bool { got[[2]string{pattern, id}] = true; return true })
		if err != nil {
			return fmt.Errorf("who matches %s: %w", topic, err)
		}
		for id, l := range p.naive.clients {
			for pattern := range l.patterns {
				if protocol.Matches(pattern, topic) {
					expect[[2]string{pattern, id}] = true
				}
			}
		}
		if !maps.Equal(got, expect) {
			return fmt.Errorf("%s is matched by %v, not by %v", topic, got, expect)
		}
	}
	return nil
}

func (p *player) scans(ids []string) error {
	if err := p.scan("", ids, math.MaxInt); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	middle := len(ids) / 2
	if err := p.scan(ids[middle], ids[middle+1:], math.MaxInt); err != nil {
		return err
	}
	return p.scan(ids[0][:len(ids[0])-1], ids, 1) // an id that is a part of another, and an end
}

// scan holds a Scan to what it has to say: ids, as many as most.
func (p *player) scan(after string, ids []string, most int) error {
	var got []string
	var wrong error
	err := p.keeper.Scan(after, func(id string, is store.State) bool {
		if want := p.naive.state(id); is != want {
			wrong = fmt.Errorf("the scan says of %s %+v, not %+v", id, is, want)
		}
		got = append(got, id)
		return len(got) < most
	})
	if err != nil {
		return fmt.Errorf("scan after %q: %w", after, err)
	}
	if want := ids[:min(len(ids), most)]; !slices.Equal(got, want) {
		return fmt.Errorf("the scan after %q finds %q, not %q", after, got, want)
	}
	return wrong
}

// client compares one client, or one that is not there.
func (p *player) client(id string) error {
	is, err := p.keeper.Stat(id)
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if want := p.naive.state(id); is != want {
		return fmt.Errorf("stat says %+v, not %+v", is, want)
	}
	w := newOwner(id, p.store)
	want := p.naive.clients[id]
	for _, hot := range []int64{0, 100, math.MaxInt64} {
		p.keeper.Load(w, hot)
		h, err := w.hear("Loaded", 0)
		if err != nil {
			return err
		}
		if (h.client == nil) != (want == nil) {
			return fmt.Errorf("loaded is %v, and has to be %v", h.client, want)
		}
		if want == nil {
			continue
		}
		if err := want.loaded(h.client, hot); err != nil {
			return fmt.Errorf("loaded with hot %d: %w", hot, err)
		}
		if err := p.subscribed(id, want, h.client); err != nil {
			return err
		}
	}
	if want == nil {
		return nil
	}
	return p.reads(w, want)
}

func (l *life) loaded(c *store.Client, hot int64) error {
	if c.State != l.is {
		return fmt.Errorf("the state is %+v, not %+v", c.State, l.is)
	}
	if c.Generation != l.generation {
		return fmt.Errorf("it was written in generation %d, not %d", c.Generation, l.generation)
	}
	if !slices.Equal(c.Records, l.records) {
		return fmt.Errorf("the records are %v, not %v", c.Records, l.records)
	}
	if len(c.Frames) != len(l.frames) {
		return fmt.Errorf("%d frames are there, not %d", len(c.Frames), len(l.frames))
	}
	for i := len(l.frames) - 1; i >= 0; i-- { // the newest first: theirs are the bodies that go into hot
		got, want := c.Frames[i], l.frames[i]
		seq := l.is.Floor + uint64(i) + 1
		if got.At != want.at || got.Size != len(want.body) {
			return fmt.Errorf("frame %d is of %d with %d bytes, not of %d with %d", seq, got.At, got.Size, want.at, len(want.body))
		}
		hot -= int64(len(want.body))
		if hot < 0 && got.Body != nil || hot >= 0 && !bytes.Equal(got.Body, want.body) {
			return fmt.Errorf("the body of frame %d is %q, with %d hot bytes left, and has to be %q", seq, got.Body, hot, want.body)
		}
	}
	return nil
}

// reads holds Read and ReadSnapshot to what they have to say.
func (p *player) reads(w *owner, l *life) error {
	if l.snapshot != nil {
		p.keeper.ReadSnapshot(w, 5)
		h, err := w.hear("SnapshotData", 5)
		if err != nil {
			return err
		}
		if !bytes.Equal(h.data, l.snapshot) || h.asOf != l.is.SnapshotAsOf {
			return fmt.Errorf("the snapshot is %q as of %d, not %q as of %d", h.data, h.asOf, l.snapshot, l.is.SnapshotAsOf)
		}
	}
	if len(l.frames) == 0 {
		return nil
	}
	middle := uint64(len(l.frames) / 2)
	for i, r := range []store.Read{
		{After: l.is.Floor, Last: l.is.Head, Frames: 1 << 30, Bytes: 1 << 30},
		{After: l.is.Floor + middle, Last: l.is.Head, Frames: 3, Bytes: 1 << 30},
		{After: l.is.Floor, Last: l.is.Floor + middle, Frames: 1 << 30, Bytes: 100},
		{After: l.is.Head - 1, Last: l.is.Head, Frames: 1, Bytes: 1},
	} {
		r.Token = uint64(i)
		if r.Last <= r.After {
			continue
		}
		p.keeper.Read(w, r)
		h, err := w.hear("Bodies", r.Token)
		if err != nil {
			return err
		}
		if err := l.read(r, h); err != nil {
			return fmt.Errorf("read %+v: %w", r, err)
		}
	}
	return nil
}

// read works out what r has to give, and compares.
func (l *life) read(r store.Read, h heard) error {
	size, n := 0, 0
	for seq := r.After + 1; seq <= r.Last; seq++ {
		b := l.frames[seq-l.is.Floor-1].body
		if size += len(b); n > 0 && (size > r.Bytes || n >= r.Frames) {
			break
		}
		if n >= len(h.bodies) || !bytes.Equal(h.bodies[n], b) {
			return fmt.Errorf("the body of frame %d is missing, or another", seq)
		}
		n++
	}
	if n != len(h.bodies) {
		return fmt.Errorf("%d bodies came, not %d", len(h.bodies), n)
	}
	return nil
}
