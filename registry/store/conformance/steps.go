package conformance

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// step is one step of the script.
type step struct {
	name string
	id   string
	change
}

// script goes once through all that there is.
var script = []step{
	{"a first frame", "a", change{frames: 1}},
	{"frames of another client", "a.b", change{frames: 3}},
	{"a client whose id is the beginning of another's", "b", change{frames: 2, record: true}},
	{"an id of the greatest length", strings.Repeat("z", 128), change{frames: 1}},
	{"many frames", "a", change{frames: 120}},
	{"an ack", "a", change{drop: 50, lazy: true}},
	{"a publish with an ack", "a", change{frames: 2, drop: 10, record: true}},
	{"a few dead frames given back", "a", change{clean: 5, lazy: true}},
	{"many dead frames given back", "a", change{clean: 50, lazy: true}},
	{"records of several frames", "b", change{frames: 5, record: true}},
	{"another record", "b", change{frames: 1, record: true}},
	{"records say nothing any more", "b", change{dropRecords: 3, lazy: true}},
	{"records given back", "b", change{cleanRecords: 3, lazy: true}},
	{"a snapshot", "a.b", change{snapshot: `{"all":3}`}},
	{"another in its place", "a.b", change{snapshot: `{"all":[1,2,3]}`}},
	{"a snapshot lives on beside other things", "a.b", change{frames: 1, drop: 2}},
	{"a snapshot dropped", "a.b", change{unsnapshot: true}},
	{"a snapshot with frames", "b", change{snapshot: `1`, frames: 2}},
	{"shared bodies", "a", change{frames: 6, shared: 2}},
	{"one shared body many times", "c", change{frames: 6, shared: 1, again: true}},
	{"shared bodies acked", "c", change{drop: 6, clean: 6, lazy: true}},
	{"a topic", "#t.a", change{frames: 3}},
	{"a topic whose name is the beginning of another's", "#t", change{frames: 1}},
	{"a client follows a topic", "a", change{follow: "t.a", named: true}},
	{"its cursor moves with frames", "a", change{follow: "t.a", named: true, frames: 2, shared: 1}},
	{"another follows it by a pattern", "b", change{pattern: "t.*", follow: "t.a"}},
	{"and by a second", "b", change{pattern: ">"}},
	{"a pattern that begins like a topic", "a.b", change{pattern: "t.a.>", follow: "u", named: true}},
	{"a follow with an ack", "a", change{follow: "t", drop: 1, lazy: true}},
	{"the topic forgotten", "#t.a", change{forget: true}},
	{"a follower that has not heard of it moves its cursor", "a", change{follow: "t.a", named: true}},
	{"its next life", "#t.a", change{frames: 1, closed: true}},
	{"the follower has heard of it", "a", change{unfollow: "t.a"}},
	{"and follows again", "a", change{follow: "t.a"}},
	{"a pattern given up", "b", change{unpattern: "t.*", unfollow: "t.a"}},
	{"all acked", "a", change{drop: 1000, lazy: true}},
	{"all given back", "a", change{clean: 1000, lazy: true}},
	{"a publish that a bound drops at once", "a", change{frames: 40, drop: 38, clean: 38}},
	{"a client of few things forgotten", "a.b", change{forget: true}},
	{"its next life", "a.b", change{frames: 2}},
	{"a client of many things forgotten", "a", change{forget: true}},
	{"a client with a snapshot and records forgotten", "b", change{forget: true}},
	{"a next life without frames", "b", change{}},
}

// scripted plays the script, with the store opened anew after each step; here and there as from a crash.
func scripted(o Opened) error {
	p := newPlayer(o)
	for i, s := range script {
		p.now += 17 * 60_000
		if err := p.do(s.id, s.change); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := p.after(i%3 == 0); err != nil {
			return fmt.Errorf("after %q: %w", s.name, err)
		}
		if err := p.tidy(); err != nil {
			return fmt.Errorf("tidy after %q: %w", s.name, err)
		}
		if err := p.after(i%3 == 1); err != nil {
			return fmt.Errorf("after %q and a tidying: %w", s.name, err)
		}
	}
	return p.store.Close()
}

// random plays steps that r draws.
func random(o Opened, r *rapid.T) error {
	p := newPlayer(o)
	ids := []string{"a", "a.b", "b", "@:~", "#t", "#t.a", "#u"}
	var err error
	r.Repeat(map[string]func(*rapid.T){
		"": func(t *rapid.T) {
			if err == nil {
				err = p.after(rapid.Bool().Draw(t, "crash"))
			}
			if err != nil {
				_ = p.store.Close()
				t.Fatal(err)
			}
		},
		"updates": func(t *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(t, "updates") {
				p.now += rapid.Int64Range(0, hour).Draw(t, "later")
				if err = p.do(rapid.SampledFrom(ids).Draw(t, "id"), draw(t)); err != nil {
					return
				}
			}
		},
		"forget": func(t *rapid.T) {
			if id := rapid.SampledFrom(ids).Draw(t, "id"); p.naive.clients[id] != nil {
				err = p.do(id, change{forget: true})
			}
		},
		"tidy": func(*rapid.T) { err = p.tidy() },
	})
	return p.store.Close()
}

func draw(t *rapid.T) (c change) {
	few := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	c.frames = few("frames", 45)
	c.shared = few("shared", 3)
	c.again = rapid.Bool().Draw(t, "again")
	c.record = rapid.Bool().Draw(t, "record")
	c.drop = uint64(few("drop", 60))
	c.clean = uint64(few("clean", 60))
	c.dropRecords = uint64(few("dropRecords", 60))
	c.cleanRecords = uint64(few("cleanRecords", 60))
	if few("snapshot", 3) == 0 {
		c.snapshot = strings.Repeat("7", 1+few("digits", 30))
	}
	c.unsnapshot = rapid.Bool().Draw(t, "unsnapshot")
	if few("subscribes", 2) == 0 {
		c.follow = rapid.SampledFrom([]string{"", "t", "t.a", "u"}).Draw(t, "follow")
		c.unfollow = rapid.SampledFrom([]string{"", "t", "t.a", "u"}).Draw(t, "unfollow")
		c.pattern = rapid.SampledFrom([]string{"", "*", "t.*", "t.>", ">", "*.a", "t.a.*"}).Draw(t, "pattern")
		c.unpattern = rapid.SampledFrom([]string{"", "*", "t.*", "t.>", ">", "*.a", "t.a.*"}).Draw(t, "unpattern")
		c.named = rapid.Bool().Draw(t, "named")
	}
	c.lazy = c.frames == 0 && rapid.Bool().Draw(t, "lazy")
	return c
}
