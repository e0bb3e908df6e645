package conformance

import (
	"maps"
	"slices"
	"strings"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// naive is what a store has to have: slices and maps, and nothing clever.
type naive struct {
	clients map[string]*life
	shared  map[store.BodyID]bool // those that Tidy has not let go of
	// followers are the clients that each topic knows of: a deleted topic knows nobody any more, whatever they think.
	followers map[string]map[string]bool
}

// life is one client.
type life struct {
	is         store.State
	generation uint32
	frames     []frame // the retained ones
	records    []store.KeptRecord
	stored     []uint64 // the first frames of the records that are not given back, dead or not
	snapshot   []byte
	follows    map[string]store.Follow // by topic
	patterns   map[string]bool
}

type frame struct {
	body   protocol.Body
	at     int64
	shared store.BodyID
}

func newNaive() *naive {
	return &naive{clients: map[string]*life{}, shared: map[store.BodyID]bool{}, followers: map[string]map[string]bool{}}
}

func (n *naive) ids() []string { return slices.Sorted(maps.Keys(n.clients)) }

// state is the client's, zero for none.
func (n *naive) state(id string) store.State {
	if l := n.clients[id]; l != nil {
		return l.is
	}
	return store.State{}
}

// apply does what u says.
func (n *naive) apply(id string, u *store.Update, generation uint32) {
	for _, f := range u.Follows {
		if n.followers[f.Topic] == nil {
			n.followers[f.Topic] = map[string]bool{}
		}
		if f.Gone {
			delete(n.followers[f.Topic], id)
		} else if f.New {
			n.followers[f.Topic][id] = true
		}
	}
	if u.Delete {
		delete(n.clients, id)
		if topic, is := strings.CutPrefix(id, store.TopicMark); is {
			delete(n.followers, topic)
		}
		return
	}
	l := n.clients[id]
	if l == nil {
		l = &life{follows: map[string]store.Follow{}, patterns: map[string]bool{}}
		n.clients[id] = l
	}
	for i, b := range u.Bodies {
		f := frame{body: b, at: u.At}
		if u.Shared != nil {
			f.shared = u.Shared[i]
		}
		l.frames = append(l.frames, f)
	}
	if u.Record != nil {
		l.records = append(l.records, store.KeptRecord{Record: *u.Record, First: u.First, Last: u.First + uint64(len(u.Bodies)) - 1, At: u.At})
	}
	if u.Record != nil {
		l.stored = append(l.stored, u.First)
	}
	l.stored = slices.DeleteFunc(l.stored, func(first uint64) bool { return first <= u.Is.RecordsCleaned })
	l.frames = l.frames[u.Is.Floor-l.is.Floor:]
	l.records = slices.DeleteFunc(l.records, func(k store.KeptRecord) bool { return k.First <= u.Is.RecordFloor })
	for _, f := range u.Follows {
		if delete(l.follows, f.Topic); !f.Gone {
			f.New = false
			l.follows[f.Topic] = f
		}
	}
	for _, p := range u.Patterns {
		if delete(l.patterns, p.Pattern); !p.Gone {
			l.patterns[p.Pattern] = true
		}
	}
	switch {
	case u.Snapshot != nil:
		l.snapshot = slices.Clone(u.Snapshot)
	case u.Is.SnapshotBytes == 0:
		l.snapshot = nil
	}
	l.is, l.generation = u.Is, generation
}

func (n *naive) totals() (t store.Totals) {
	for id, l := range n.clients {
		if strings.HasPrefix(id, store.TopicMark) {
			t.Topics++
		} else {
			t.Clients++
		}
		t.Frames += int64(len(l.frames))
		t.Bytes += l.is.Bytes
	}
	return t
}

// oldest is the least hour of a shared body that is still referred to.
func (n *naive) oldest() (hour uint32, some bool) {
	for _, l := range n.clients {
		for _, f := range l.frames {
			if f.shared != (store.BodyID{}) && (!some || f.shared.Hour < hour) {
				hour, some = f.shared.Hour, true
			}
		}
	}
	return hour, some
}

// size is what l counts towards max_total_bytes.
func (l *life) size() (bytes int64) {
	for _, f := range l.frames {
		bytes += int64(len(f.body)) + protocol.FrameOverhead
	}
	return bytes + 64*int64(len(l.records)) + int64(len(l.snapshot))
}
