package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// obey carries out what the session asks for, in the order of architecture's seam.
func (c *client) obey(t *turn) {
	fx := &t.fx
	c.seek(t, 0)
	for i := 0; i < len(fx.Writes); i++ { // a batch that is written at once may bring about the next, and more
		commits := len(fx.Commits)
		c.write(&fx.Writes[i], i >= writesAtOnce, fx)
		c.seek(t, commits)
	}
	if fx.Deferred && c.more != nil && len(c.more.peers) > 0 {
		c.reg.flush(c)
	}
	for _, p := range fx.Pauses {
		if peer := c.peer(p.Gen); peer != nil {
			peer.Pause(p.Stop)
		}
	}
	for _, f := range fx.Forwards {
		c.forward(f)
	}
	for _, to := range fx.Settled {
		to.(sender).release(c.reg)
	}
	for _, r := range fx.Replies {
		if to, ok := r.To.(sender); ok {
			to.release(c.reg)
			to.answer(c, r)
		}
	}
	for _, x := range fx.Closes {
		if p := c.peer(x.Gen); p != nil {
			p.Close(x.Code)
			c.dropPeer(x.Gen)
		}
	}
	for i := range fx.Events {
		c.count(&fx.Events[i])
	}
	fx.Events = fx.Events[:0]
	if fx.First > 0 {
		c.tellNews(fx.First, fx.Last, c.shared(fx.First, fx.Last))
		fx.First, fx.Last = 0, 0
	}
	if fx.Next > 0 && (c.alarm == nil || fx.Next < c.alarm.at) {
		c.disarm()
		c.alarm = &alarm{at: fx.Next}
		c.alarm.client.Store(c)
		c.reg.sys.At(c.alarm, fx.Next)
	}
	if fx.Retire {
		c.end()
	}
}

// seek gives what is asked of others to them: the commits from the given one on, reads of bodies, and questions.
func (c *client) seek(t *turn, commits int) {
	fx := &t.fx
	for i := commits; i < len(fx.Commits); i++ { // a commit that is confirmed at once may bring about more
		c.commit(&fx.Commits[i], t)
	}
	for _, f := range fx.Fetches {
		c.reg.disk.Read(c, store.Read{Token: f.Token, After: f.After, Last: f.Last, Frames: f.Frames, Bytes: f.Bytes})
	}
	fx.Fetches = fx.Fetches[:0]
	for _, p := range fx.Pulls {
		c.pull(p)
	}
	fx.Pulls = fx.Pulls[:0]
	for _, a := range fx.Asks {
		c.ask(a)
	}
	fx.Asks = fx.Asks[:0] // asked: see abandon
}

// writesAtOnce is how many batches one turn writes of a client whose sockets take them at once. Others are to have their turn as well.
const writesAtOnce = 4

// write hands a batch to its connection. later: its next batch is for a later turn.
func (c *client) write(w *session.Write, later bool, fx *session.Effects) {
	p := c.peer(w.Gen)
	if p == nil || !p.Write(w.Batch) {
		return
	}
	if later {
		c.tell(writtenMail(w.Gen))
		return
	}
	c.session.Written(c.reg.sys.Now(), w.Gen, fx)
}

// end closes this life, or begins the next where mail has come meanwhile.
func (c *client) end() {
	t := new(turn)
	next := c.session.Ended(&t.fx)
	c.obey(t)
	c.endGets()
	if c.isTopic() {
		c.goneTopic()
	}
	if !next {
		if rest, done := c.reg.retire(c, beginsALife); done {
			c.reg.counted(c).Add(-1)
			c.session = session.Session{} // nothing of this life counts any more
			c.disarm()
			c.reg.sys.Closed(Address, c.id)
			for _, m := range rest {
				c.tooLate(m)
			}
			return
		}
	}
	t.reset()
	c.session.Reborn(c.reg.sys.Now(), &t.fx)
	if !c.isTopic() {
		c.reg.counters.ClientsCreated.Add(1)
	}
	c.obey(t)
}

// commit gives one update to the store.
func (c *client) commit(k *session.Commit, t *turn) {
	u := &t.update
	u.Token, u.First, u.Snapshot, u.Lazy, u.Delete = k.Token, k.First, k.Snapshot, k.Lazy, k.Delete
	u.Bodies, u.Record, u.Shared, u.Follows, u.Patterns = nil, nil, nil, nil, nil
	if c.reg.disk != nil {
		u.Was, u.Is = c.more.was, store.State{}
		if !k.Delete {
			u.Is, u.At = c.reg.keptState(k.Is), c.reg.wall(c.reg.sys.Now())
		}
		c.more.was = u.Is
	}
	if k.First > 0 {
		t.bodies = c.session.Appended(t.bodies[:0], k.First, k.Last)
		u.Bodies = t.bodies
	}
	if c.reg.disk != nil {
		c.kept(k, t)
	}
	if k.Record != nil {
		u.Record = &store.Record{Key: *k.Record, Sum: k.Sum}
	}
	if now, err := c.reg.store.Commit(c, u); now {
		c.session.Confirmed(c.reg.sys.Now(), k.Token, err, errors.Is(err, store.ErrUnknown), &t.fx)
	}
}

// kept fills in what only a store that keeps clients is told: subscriptions, and which bodies are shared.
func (c *client) kept(k *session.Commit, t *turn) {
	u := &t.update
	for _, f := range k.Follows {
		u.Follows = append(u.Follows, store.Follow(f))
	}
	for _, p := range k.Patterns {
		u.Patterns = append(u.Patterns, store.Pattern(p))
	}
	t.shared = t.shared[:0]
	switch {
	case k.First == 0 || !c.reg.sharing:
		return
	case c.isTopic():
		for i, b := range u.Bodies {
			id := c.reg.disk.Share(b, u.At)
			t.shared = append(t.shared, id)
			c.more.shares = append(c.more.shares, share{k.First + uint64(i), session.BodyID(id)})
		}
	case k.Shared != nil:
		for _, id := range k.Shared {
			t.shared = append(t.shared, store.BodyID(id))
		}
	default:
		return
	}
	u.Shared = t.shared
}

// shared takes out which bodies in the store the frames first to last are; it holds fewer where that is not known of all.
func (c *client) shared(first, last uint64) (ids []session.BodyID) {
	if c.more.kept == nil {
		return nil
	}
	rest := c.more.shares[:0]
	for _, s := range c.more.shares {
		switch {
		case s.seq > last:
			rest = append(rest, s)
		case s.seq == first+uint64(len(ids)):
			ids = append(ids, s.id)
		}
	}
	c.more.shares = rest
	return ids
}

// ask asks the store for the stored snapshot, or calls the provider on a goroutine of its own.
func (c *client) ask(a session.Ask) {
	if a.Stored {
		c.reg.disk.ReadSnapshot(c, a.Token)
		return
	}
	c.reg.sys.Go(func() {
		ctx, cancel := context.WithTimeout(c.reg.base, c.config().SnapshotTimeout)
		defer cancel()
		m := &answeredMail{token: a.Token}
		defer func() {
			if p := recover(); p != nil {
				m.err = fmt.Errorf("it panicked: %v", p)
				c.reg.counters.Panics.Add(1)
				c.reg.sys.Logger().Error("snapshot provider panicked", "name", c.id, "panic", p)
			}
			c.tell(m)
		}()
		provide, name := c.reg.cfg.Snapshot, c.id
		if c.isTopic() {
			provide, name = c.reg.cfg.TopicSnapshot, c.id[1:]
		}
		m.asOf, m.data, m.err = provide(ctx, name, a.Floor, a.Head)
	})
}
