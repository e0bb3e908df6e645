package registry

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// What an actor whose mailbox was held is told first.
type (
	// loadedMail is the client as the store has it; nil where there is none.
	loadedMail struct {
		st  *store.Client
		err error
	}
	// reapedMail says that the store has forgotten a client that slept (sleepers.go).
	reapedMail struct {
		was   store.State
		round *round
		err   error
	}
)

// wake returns the actor of id, which asks the store for the client where it is not in memory; there may turn out to be none.
func (r *Registry) wake(id string) *client {
	c, fresh := r.place(id)
	if fresh {
		r.load(c)
	}
	return c
}

// load asks the store for c, whose mailbox is held.
func (r *Registry) load(c *client) {
	hot := c.config().SpillAbove
	if hot <= 0 {
		hot = math.MaxInt64
	}
	r.disk.Load(c, hot)
}

// enter handles mail of an actor without a living session; true: there is one now, and m is for it.
func (c *client) enter(m any) bool {
	switch m := m.(type) {
	case *loadedMail:
		switch {
		case m.err != nil:
			c.unloaded(protocol.AsError(m.err))
		case m.st == nil:
			c.vacate()
		default:
			c.restore(m.st)
		}
		return false
	case *reapedMail:
		c.reaped(m)
		return false
	}
	if !beginsALife(m) {
		c.tooLate(m)
	} else if e := c.reg.admitActor(c.id); e != nil {
		c.refuse(m, e, e.Code.Info().Close)
	} else {
		c.begin()
		return true
	}
	c.vacate()
	return false
}

// begin makes the client; it has been counted.
func (c *client) begin() {
	c.session = session.New(c.config(), c.reg.sys.Now())
	if !c.isTopic() {
		c.reg.counters.ClientsCreated.Add(1)
	}
}

// admitActor counts one more client or topic, or says why there may be none (P-29).
func (r *Registry) admitActor(name string) *protocol.Error {
	if d := r.draining.Load(); d != nil {
		return d.refusal()
	}
	all, most, what := &r.counters.Clients, r.cfg.MaxClients, "clients"
	if _, is := topicOf(name); is {
		all, most, what = &r.counters.Topics, r.cfg.MaxTopics, "topics"
	}
	if n := all.Add(1); most > 0 && n > most {
		all.Add(-1)
		r.counters.Refused.Add(string(protocol.CodeOverloaded))
		return overloaded("the broker has as many " + what + " as it may have")
	}
	return nil
}

// counted is the gauge that c is counted in.
func (r *Registry) counted(c *client) *atomic.Int64 {
	if c.isTopic() {
		return &r.counters.Topics
	}
	return &r.counters.Clients
}

// vacate ends an actor that has found no client, unless mail has come that makes one.
func (c *client) vacate() {
	rest, done := c.reg.retire(c, beginsALife)
	if !done {
		return
	}
	c.reg.sys.Closed(Address, c.id)
	for _, m := range rest {
		c.tooLate(m)
	}
}

// unloaded ends an actor whose client the store could not give; everybody who waits is told e.
func (c *client) unloaded(e *protocol.Error) {
	rest, _ := c.reg.retire(c, func(any) bool { return false })
	c.reg.sys.Closed(Address, c.id)
	for _, m := range rest {
		c.refuse(m, e, protocol.CloseDraining)
	}
}

// restore begins the session with what the store has.
func (c *client) restore(st *store.Client) {
	t := new(turn)
	r := c.reg
	now := r.sys.Now()
	s := session.Restore(c.config(), r.savedState(&st.State), st.Expired)
	for i := range st.Frames {
		f := &st.Frames[i]
		s.RestoreFrame(f.Body, f.Size, r.mono(f.At), f.OfTopic)
	}
	for i := range st.Records {
		k := &st.Records[i]
		s.RestoreRecord(k.Key, k.Sum, k.First, k.Last, r.mono(k.At))
	}
	for _, f := range st.Follows {
		s.RestoreFollow(session.Followed(f))
	}
	for _, p := range st.Patterns {
		s.RestorePattern(p)
	}
	c.session, c.more.was = s, st.State
	c.session.Restored(now, st.Generation != r.store.Generation(), &t.fx)
	if st.Generation == r.store.Generation() && !c.isTopic() { // else no cursor has come over
		c.session.HoldPlace(now, r.cfg.Session.ResumeWindow, &t.fx)
	}
	if d := r.draining.Load(); d != nil { // it was not in the map, or not awake, when everybody else was told
		c.session.Drain(now, d.by, d.retryMS(), d.why, &t.fx)
	}
	if !c.isTopic() {
		c.session.News(now, &session.Pulled{Topic: protocol.AllTopic, Head: r.allHead.Load()}, &t.fx)
	}
	r.counters.Wakes.Add(1)
	c.account(size{held: st.State.Bytes, frames: st.State.Frames()}) // it was counted while it slept
	c.obey(t)
	if c.isTopic() {
		c.resumeNews()
	}
}

// rest lets go of the session: the store has all of it, and whoever calls loads it again. Mail that has come meanwhile keeps the
// actor awake. Whoever watches it is told nothing: the client goes on.
func (c *client) rest() {
	if len(c.more.gets) > 0 || c.more.topic != nil && c.more.topic.telling() {
		return
	}
	hot := c.session.Hot()
	rest, done := c.reg.retire(c, func(m any) bool { return !trifle(m) })
	if !done {
		return
	}
	c.session, c.more = session.Session{}, nil
	c.disarm()
	c.reg.counters.HotBytes.Add(-hot)
	c.reg.counters.Sleeps.Add(1)
	for _, m := range rest {
		c.tooLate(m)
	}
}

// wall is a time of the broker's clock in Unix milliseconds, and mono the other way round; a time to come, by a wall clock that was set
// back, counts as now.
func (r *Registry) wall(d time.Duration) int64 { return r.started.Add(d).UnixMilli() }

func (r *Registry) mono(ms int64) time.Duration {
	return min(time.UnixMilli(ms).Sub(r.started), r.sys.Now())
}

// lastSeen is a time of the broker's clock as the HTTP table has it.
func (r *Registry) lastSeen(d time.Duration) string {
	return r.started.Add(d).UTC().Format(time.RFC3339Nano)
}

func (r *Registry) keptState(s *session.Saved) store.State {
	st := store.State{
		Epoch: s.Epoch, Floor: s.Floor, Head: s.Head, Acked: s.Acked, Sent: s.Sent,
		RecordFloor: s.RecordFloor, Cleaned: s.Cleaned, RecordsCleaned: s.RecordsCleaned, Records: s.Records,
		Seen: r.wall(s.Seen), Bytes: s.Bytes, SnapshotAsOf: s.SnapshotAsOf, SnapshotBytes: s.SnapshotBytes,
		All: s.All, Follows: s.Follows, Closed: s.Closed,
	}
	if s.Floor < s.Head {
		st.Oldest = r.wall(s.Oldest)
	}
	return st
}

func (r *Registry) savedState(st *store.State) session.Saved {
	return session.Saved{
		Epoch: st.Epoch, Floor: st.Floor, Head: st.Head, Acked: st.Acked, Sent: st.Sent,
		RecordFloor: st.RecordFloor, Cleaned: st.Cleaned, RecordsCleaned: st.RecordsCleaned, Records: st.Records,
		Seen: time.UnixMilli(st.Seen).Sub(r.started), Oldest: r.mono(st.Oldest), Bytes: st.Bytes, SnapshotAsOf: st.SnapshotAsOf, SnapshotBytes: st.SnapshotBytes,
		All: st.All, Follows: st.Follows, Closed: st.Closed,
	}
}
