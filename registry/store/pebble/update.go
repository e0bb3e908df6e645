package pebble

import (
	"encoding/binary"
	"strings"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// fewKeys is up to how many keys are deleted one by one. Above it one deletion of a range is cheaper; but such deletions by the thousand are
// slow to read through, so that small clients must not need them.
const fewKeys = 32

// hourMillis is what an hour bucket of shared bodies spans.
const hourMillis = 3600_000

// hourOf is the bucket of a time.
func hourOf(at int64) uint32 {
	return uint32(min(max(at/hourMillis, 0), 1<<32-1))
}

// The batch is in memory: encoding into it cannot fail.

func (g *group) set(key, value []byte)     { _ = g.batch.Set(key, value, nil) }
func (g *group) delete(key []byte)         { _ = g.batch.Delete(key, nil) }
func (g *group) deleteRange(a, end []byte) { _ = g.batch.DeleteRange(a, end, nil) }

// put encodes u, an update of the client id.
func (g *group) put(id string, u *store.Update, generation uint32) {
	g.follow(id, u)
	if u.Delete {
		g.forget(id, &u.Was)
		return
	}
	g.giveUp(id, u)
	g.key = appendName(g.key[:0], spaceState, id)
	g.end = appendState(g.end[:0], &kept{u.Is, generation})
	g.set(g.key, g.end)
	for i, b := range u.Bodies {
		if seq := u.First + uint64(i); seq > u.Is.Cleaned {
			g.frame(id, seq, u.At, b, sharedOf(u, i))
		}
	}
	if u.Record != nil && u.First > u.Is.RecordsCleaned {
		g.key = appendNumbered(g.key[:0], spaceRecord, id, u.First)
		k := store.KeptRecord{Record: *u.Record, First: u.First, Last: u.First + uint64(max(len(u.Bodies), 1)) - 1, At: u.At}
		g.end = appendRecord(g.end[:0], &k)
		g.set(g.key, g.end)
	}
	switch {
	case u.Snapshot != nil:
		g.key = appendName(g.key[:0], spaceSnapshot, id)
		g.end = appendSnapshot(g.end[:0], u.Is.SnapshotAsOf, u.Snapshot)
		g.set(g.key, g.end)
	case u.Was.SnapshotBytes > 0 && u.Is.SnapshotBytes == 0:
		g.key = appendName(g.key[:0], spaceSnapshot, id)
		g.delete(g.key)
	}
	g.clean(spaceFrame, id, u.Was.Cleaned, min(u.Is.Cleaned, u.Was.Head))
	if u.Was.Records > 0 {
		g.clean(spaceRecord, id, u.Was.RecordsCleaned, min(u.Is.RecordsCleaned, u.Was.Head))
	}
}

// giveUp deletes what the store has above the frames that u goes on from: an actor that failed has given up their numbers.
func (g *group) giveUp(id string, u *store.Update) {
	from := u.Is.Head - min(u.Is.Head, uint64(len(u.Bodies)))
	g.clean(spaceFrame, id, max(from, u.Was.Cleaned), u.Was.Head)
	if u.Was.Records > 0 {
		g.clean(spaceRecord, id, max(from, u.Was.RecordsCleaned), u.Was.Head)
	}
}

// forget deletes all there is of the client id, which was was.
func (g *group) forget(id string, was *store.State) {
	g.key = appendName(g.key[:0], spaceState, id)
	g.delete(g.key)
	if was.SnapshotBytes > 0 {
		g.key = appendName(g.key[:0], spaceSnapshot, id)
		g.delete(g.key)
	}
	g.clean(spaceFrame, id, was.Cleaned, was.Head)
	if was.Records > 0 {
		g.clean(spaceRecord, id, was.RecordsCleaned, was.Head)
	}
	if topic, is := topicOf(id); is { // nobody follows it any more
		g.key = append(appendName(g.key[:0], spaceFollower, topic), 0)
		g.end = append(appendName(g.end[:0], spaceFollower, topic), 1)
		g.deleteRange(g.key, g.end)
	}
}

// topicOf is the topic that an owner's name stands for.
func topicOf(name string) (topic string, is bool) { return strings.CutPrefix(name, store.TopicMark) }

// follow encodes what has changed in what the client id has subscribed to.
func (g *group) follow(id string, u *store.Update) {
	for i := range u.Follows {
		f := &u.Follows[i]
		g.key = appendPair(g.key[:0], spaceSubscription, id, f.Topic)
		if f.Gone {
			g.delete(g.key)
			g.delete(appendPair(nil, spaceFollower, f.Topic, id))
			continue
		}
		g.end = appendFollow(g.end[:0], f)
		g.set(g.key, g.end)
		if f.New {
			g.key = appendPair(g.key[:0], spaceFollower, f.Topic, id)
			g.set(g.key, []byte{formMark})
		}
	}
	for _, p := range u.Patterns {
		g.key = appendPair(g.key[:0], spaceSubscription, id, p.Pattern)
		g.end = appendPair(g.end[:0], spacePattern, p.Pattern, id)
		if p.Gone {
			g.delete(g.key)
			g.delete(g.end)
			continue
		}
		g.set(g.key, []byte{formMark})
		g.set(g.end, []byte{formMark})
	}
}

func sharedOf(u *store.Update, i int) store.BodyID {
	if u.Shared == nil {
		return store.BodyID{}
	}
	return u.Shared[i]
}

func (g *group) frame(id string, seq uint64, at int64, body protocol.Body, shared store.BodyID) {
	g.key = appendNumbered(g.key[:0], spaceFrame, id, seq)
	if shared != (store.BodyID{}) {
		g.end = appendShared(g.end[:0], at, shared, len(body))
		g.set(g.key, g.end)
		return
	}
	g.end = appendOwn(g.end[:0], at)
	op := g.batch.SetDeferred(len(g.key), len(g.end)+len(body))
	copy(op.Key, g.key)
	copy(op.Value[copy(op.Value, g.end):], body)
	_ = op.Finish()
}

// share encodes a shared body.
func (g *group) share(id store.BodyID, body protocol.Body) {
	g.plain(appendBody(g.key[:0], id), body)
}

// plain encodes a value that is bytes.
func (g *group) plain(key, value []byte) {
	g.key = key
	op := g.batch.SetDeferred(len(key), 1+len(value))
	copy(op.Key, key)
	op.Value[0] = formPlain
	copy(op.Value[1:], value)
	_ = op.Finish()
}

// clean deletes the numbered things (after, last] of the client id.
func (g *group) clean(space byte, id string, after, last uint64) {
	if last <= after {
		return
	}
	g.key = appendNumbered(g.key[:0], space, id, after+1)
	if last-after > fewKeys {
		g.end = appendNumbered(g.end[:0], space, id, last+1)
		g.deleteRange(g.key, g.end)
		return
	}
	number := g.key[len(g.key)-numberLen:]
	for n := after + 1; n <= last; n++ {
		binary.BigEndian.PutUint64(number, n)
		g.delete(g.key)
	}
}

// count keeps the totals as u changes them, and notes what has died.
func (t *sums) count(id string, u *store.Update) {
	owners := &t.Clients
	if _, topic := topicOf(id); topic {
		owners = &t.Topics
	}
	if u.Was.Epoch != 0 {
		*owners--
		t.Frames -= int64(u.Was.Frames())
		t.Bytes -= u.Was.Bytes
	}
	grown := u.Was.Bytes
	if u.Delete {
		t.dead += u.Was.Bytes
		return
	}
	for _, b := range u.Bodies {
		grown += int64(len(b)) + protocol.FrameOverhead
	}
	*owners++
	t.Frames += int64(u.Is.Frames())
	t.Bytes += u.Is.Bytes
	t.dead += max(grown-u.Is.Bytes, 0)
}
