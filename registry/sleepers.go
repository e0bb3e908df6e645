package registry

import (
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// maxReaping is how many sleepers are being reaped, or woken to be judged, at once.
const maxReaping = 256

// sweepSleepers judges the clients that are not in memory by what the store says of them, and has the store give back space. Nobody
// is woken to be reaped; one whose frames or records have grown too old is woken to let go of them, and one that was last seen in a time to
// come, by a clock that was ahead, to be seen now.
func (r *Registry) sweepSleepers(done func(protocol.Sweep)) {
	rd := &round{done: done}
	rd.left.Store(1)
	defer rd.end()
	reaping := make(chan struct{}, maxReaping)
	err := r.disk.Scan("", func(id string, st store.State) bool {
		if r.look(id) != nil {
			return r.base.Err() == nil // its own shard judges it
		}
		cfg := &r.cfg.Session
		_, topic := topicOf(id)
		if topic {
			cfg = &r.cfg.Topic
		}
		ttl, age, recordTTL := cfg.ClientTTL, cfg.Bounds.Age, cfg.RecordTTL
		now := r.wall(r.sys.Now())
		idle := ttl > 0 && now-st.Seen >= ttl.Milliseconds()
		old := age > 0 && st.Frames() > 1 && now-st.Oldest >= age.Milliseconds() ||
			recordTTL > 0 && st.Records > 0 && now-st.Seen >= recordTTL.Milliseconds() || st.Seen > now
		followed := idle && r.followed(id)
		idle = idle && !followed
		if !idle && !old {
			if !topic {
				rd.kept.Add(1)
			}
			return r.base.Err() == nil
		}
		select {
		case reaping <- struct{}{}:
		case <-r.base.Done():
			return false
		}
		rd.left.Add(1)
		if idle && st.Follows == 0 { // else it has to say itself what it followed
			if !r.reap(id, st, rd, reaping) {
				<-reaping
				if topic {
					rd.end()
				} else {
					rd.judged(true, 0)
				}
			}
		} else if m := (&judgeMail{round: rd, followed: followed, woken: reaping}); !r.wake(id).tell(m) {
			m.end()
		}
		return r.base.Err() == nil
	})
	if err == nil && r.base.Err() == nil {
		err = r.disk.Tidy(r.base, r.unshared())
	}
	if err != nil && r.base.Err() == nil {
		r.sys.Logger().Error("the sweep of the store was cut short", "err", err)
	}
}

// unsharedAfter is how long after the age bound a shared body stays: whoever is awake has let go of its frames by then.
const unsharedAfter = 3 * time.Hour

// unshared is the time before which nobody has a use for a shared body.
func (r *Registry) unshared() int64 {
	if !r.sharing {
		return 0
	}
	return r.wall(r.sys.Now() - max(r.cfg.Session.Bounds.Age, r.cfg.Topic.Bounds.Age) - unsharedAfter)
}

// reap has the store forget a client that sleeps and was last heard of in the state was. Its actor is put into the map first, with its mailbox
// held: mail that comes meanwhile begins the next life (P-28). It is false where the client has come to life since the store was scanned.
func (r *Registry) reap(id string, was store.State, rd *round, reaping <-chan struct{}) bool {
	c, fresh := r.place(id)
	if !fresh {
		return false
	}
	if now, err := r.disk.Stat(id); err != nil || now != was {
		r.load(c)
		return false
	}
	o := &reaper{client: c, was: was, round: rd, reaping: reaping}
	if now, err := r.disk.Commit(o, &store.Update{Token: 1, Was: was, Delete: true, Lazy: true}); now {
		o.Confirmed(1, err)
	}
	return true
}

// reaper is a client's owner while it is being reaped in its sleep.
type reaper struct {
	*client
	was     store.State
	round   *round
	reaping <-chan struct{}
}

// Confirmed brings the store's word on the deletion, and lets the mail in.
func (o *reaper) Confirmed(_ uint64, err error) {
	<-o.reaping
	o.Release(o.client, &reapedMail{o.was, o.round, err})
}

// reaped ends the actor of a client that the store has forgotten.
func (c *client) reaped(m *reapedMail) {
	if m.err != nil {
		if c.isTopic() {
			m.round.end()
		} else {
			m.round.judged(true, 0)
		}
		c.unloaded(protocol.AsError(m.err))
		return
	}
	n := c.reg.counters
	c.reg.counted(c).Add(-1)
	if !c.isTopic() {
		n.ClientsReaped.Add(1)
	}
	n.OutboxBytes.Add(-m.was.Bytes)
	n.OutboxFrames.Add(-int64(m.was.Frames()))
	n.Pruned[actors.PrunedReaped].Add(int64(m.was.Frames()))
	if c.isTopic() {
		m.round.end()
	} else {
		m.round.judged(false, 0)
	}
	c.vacate()
}

// squeeze has clients give memory back, since their bodies are over the limit; one round at a time.
func (r *Registry) squeeze() {
	if !r.squeezing.CompareAndSwap(false, true) {
		return
	}
	r.sys.Go(func() {
		defer r.squeezing.Store(false)
		for i := range r.shards {
			for _, c := range r.shards[i].all() {
				if r.counters.HotBytes.Load() <= r.cfg.MemoryLimit/10*9 {
					return
				}
				c.do(squeezeMail{}) // in turn, so that the gauge has fallen before the next is asked
			}
		}
	})
}

// Flush has every client tell the store what it lacks; the process is about to end.
func (r *Registry) Flush() {
	if r.disk == nil {
		return
	}
	for i := range r.shards {
		for _, c := range r.shards[i].all() {
			c.do(flushMail{})
		}
	}
}

func (r *Registry) epochOf(st *store.State) string {
	return session.Epoch{Bits: st.Epoch, Gen: r.store.Generation()}.String()
}

// sleeperState describes a client that is not in memory, as the HTTP table has it.
func (r *Registry) sleeperState(id string, st *store.State) protocol.State {
	return protocol.State{
		ClientID: id, Epoch: r.epochOf(st), Floor: st.Floor, Head: st.Head, Acked: st.Acked, Bytes: st.Bytes, Frames: st.Frames(),
		LastSeen: time.UnixMilli(st.Seen).UTC().Format(time.RFC3339Nano),
	}
}
