package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// client is the client actor. Its turn is the only one that touches session, peers and timer: it is its outbox's only
// writer. It is an actor of our own kind (actors.Mailbox), so that an idle one costs a few hundred bytes.
type client struct {
	actors.Mailbox
	reg     *Registry
	id      string
	session session.Session
	peers   *peers        // nil while nothing is attached
	timer   time.Duration // the earliest deadline registered with the keepalive actor; 0 for none
}

// peers are the connections that the session knows, by generation; at most the limit of P-15.
type peers struct {
	slots []slot
}

type slot struct {
	gen  uint64
	peer Peer
}

// turn is what handling one message needs besides the client; it is reused.
type turn struct {
	fx     session.Effects
	update store.Update
	bodies []protocol.Body
}

var turns = sync.Pool{New: func() any { return new(turn) }}

// keepBodies is how many bodies' places a reused turn keeps.
const keepBodies = 64

// reset lets go of all that the turn pointed at.
func (t *turn) reset() {
	t.fx.Reset()
	t.update = store.Update{}
	clear(t.bodies)
	if t.bodies = t.bodies[:0]; cap(t.bodies) > keepBodies {
		t.bodies = nil
	}
}

// tell queues m and wakes the actor; false: this life is over.
func (c *client) tell(m any) bool { return c.Tell(c, m) }

// do is tell for goroutines at the edge, which may run the turn themselves.
func (c *client) do(m any) bool { return c.Do(c, m) }

// Receive handles one message: input to the session, effects out (actors.Owner).
func (c *client) Receive(m any) {
	t := turns.Get().(*turn)
	before, frames, places := c.session.Held(), c.session.Frames(), c.session.Places()
	done := false
	defer func() {
		if !done {
			c.abandon(&t.fx)
		}
		c.account(before, frames, places)
	}()
	c.input(c.reg.sys.Now(), m, &t.fx)
	c.obey(t)
	done = true
	t.reset()
	turns.Put(t)
}

// abandon does what a turn that panicked still owes to others: nobody waits for ever for its fault. What has been done already is
// not done again; the connections are Recover's to close.
func (c *client) abandon(fx *session.Effects) {
	for _, to := range fx.Settled {
		to.(sender).release(c.reg)
	}
	for _, r := range fx.Replies {
		if to, ok := r.To.(sender); ok {
			to.release(c.reg)
			to.answer(c, r)
		}
	}
	for _, a := range fx.Asks {
		c.ask(a)
	}
	for i := range fx.Events {
		c.reg.count(&fx.Events[i])
	}
}

// input feeds m to the session.
func (c *client) input(now time.Duration, m any, fx *session.Effects) {
	s := &c.session
	switch m := m.(type) {
	case *publishMail:
		s.Publish(now, m.in, fx)
	case writtenMail:
		s.Written(now, uint64(m), fx)
	case *messageMail:
		s.Message(now, m.gen, m.m, m.err, fx)
		if p := c.peer(m.gen); p != nil {
			p.Handled(1)
		}
	case *outcomeMail:
		s.Outcome(now, m.gen, m.b, fx)
	case pingMail:
		s.PingDue(now, uint64(m), fx)
	case *attachMail:
		c.attach(now, m, fx)
	case goneMail:
		c.dropPeer(m.gen)
		s.Gone(now, m.gen, m.left, fx)
	case *readMail:
		s.Read(now, m.in, fx)
	case *ackMail:
		s.AckBy(now, m.cursor, m.connectionID, m.to, fx)
		m.to.state = c.state(true)
	case *stateMail:
		m.to.state = c.state(m.one)
		m.to.answer(c, session.Reply{})
	case *giveUpMail:
		s.GiveUp(m.to, fx)
	case touchMail:
		s.Touch(now)
	case tickMail:
		if c.timer == 0 || now < c.timer {
			return // an entry of the wheel that an earlier one has taken the place of
		}
		c.timer = 0
		s.Tick(now, fx)
	case *judgeMail:
		c.judge(now, m, fx)
	case *deleteMail:
		s.Delete(now, m.to, fx)
	case *settleMail:
		m.done.Done()
	case drainMail:
		s.Drain(now, m.d.by, m.d.retryMS(), fx)
	case *confirmedMail:
		s.Confirmed(now, m.token, m.err, errors.Is(m.err, store.ErrUnknown), fx)
	case *answeredMail:
		s.Answered(now, m.token, m.asOf, m.data, m.err, fx)
	default:
		c.foreign(now, m, fx)
	}
}

// Failed follows a panic in Receive (actors.Owner): the outbox stays as confirmed, the connections are closed with 4003,
// and whoever waited for the failed message is answered.
func (c *client) Failed(m, _ any) {
	t := new(turn) // not of the pool: the failed one may be half used
	before, frames, places := c.session.Held(), c.session.Frames(), c.session.Places()
	c.session.Recover(c.reg.sys.Now(), &t.fx)
	c.obey(t)
	c.account(before, frames, places)
	answerFailed(c, m)
}

// answerFailed answers the mail that the actor failed on, unless that has been done.
func answerFailed(c *client, m any) {
	failed := session.Reply{Err: protocol.Errorf(protocol.CodeInternal, "the client's actor failed on this call")}
	switch m := m.(type) {
	case *publishMail:
		if to, ok := m.in.To.(sender); ok {
			to.release(c.reg)
			to.answer(c, failed)
		}
	case *readMail:
		m.in.To.(*waiter).answer(c, failed)
	case *ackMail:
		m.to.answer(c, failed)
	case *stateMail:
		m.to.answer(c, failed)
	case *deleteMail:
		m.to.answer(c, failed)
	case *attachMail:
		m.peer.Refused(protocol.Piece{Body: protocol.EncodeError(failed.Err)}, protocol.CloseClientRestarted)
	case *judgeMail:
		if !m.judged {
			m.round.judged(true, 0)
		}
	}
}

// attach gives the connection its Link before the session decides, so that the Link is there when the first batch is.
func (c *client) attach(now time.Duration, m *attachMail, fx *session.Effects) {
	if c.peers == nil {
		c.peers = &peers{}
	}
	c.peers.slots = append(c.peers.slots, slot{m.in.Gen, m.peer})
	m.in.ClientID = c.id
	m.peer.Attached(&Link{c, m.in.Gen})
	c.session.Attach(now, m.in, fx)
}

// obey carries out what the session asks for, in the order of architecture's seam.
func (c *client) obey(t *turn) {
	fx := &t.fx
	for i := 0; i < len(fx.Commits); i++ { // a commit that is confirmed at once may bring about more
		c.commit(fx.Commits[i], t)
	}
	for _, a := range fx.Asks {
		c.ask(a)
	}
	fx.Asks = fx.Asks[:0] // asked: see abandon
	for _, w := range fx.Writes {
		if p := c.peer(w.Gen); p != nil {
			p.Write(w.Batch)
		}
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
		c.reg.count(&fx.Events[i])
	}
	fx.Events = fx.Events[:0]
	if fx.Next > 0 && (c.timer == 0 || fx.Next < c.timer) {
		c.timer = fx.Next
		c.reg.sys.At(c, fx.Next)
	}
	if fx.Retire {
		c.end()
	}
}

// end closes this life, or begins the next where mail has come meanwhile.
func (c *client) end() {
	t := new(turn)
	next := c.session.Ended(&t.fx)
	c.obey(t)
	if !next {
		if rest, done := c.reg.retire(c); done {
			c.session = session.Session{} // nothing of this life counts any more
			c.reg.sys.Closed(Address, c.id)
			for _, m := range rest {
				c.tooLate(m)
			}
			return
		}
	}
	t.reset()
	c.session.Reborn(c.reg.sys.Now(), &t.fx)
	c.reg.counters.ClientsCreated.Add(1)
	c.obey(t)
}

// commit gives one update to the store.
func (c *client) commit(k session.Commit, t *turn) {
	u := &t.update
	*u = store.Update{Token: k.Token, First: k.First, Delete: k.Delete}
	if k.First > 0 {
		t.bodies = c.session.Appended(t.bodies[:0], k.First, k.Last)
		u.Bodies = t.bodies
	}
	if k.Record != nil {
		u.Record = &store.Record{Key: *k.Record, Sum: k.Sum}
	}
	if now, err := c.reg.store.Commit(c, u); now {
		c.session.Confirmed(c.reg.sys.Now(), k.Token, err, errors.Is(err, store.ErrUnknown), &t.fx)
	}
}

// ask calls the snapshot provider on a goroutine of its own.
func (c *client) ask(a session.Ask) {
	c.reg.sys.Go(func() {
		ctx, cancel := context.WithTimeout(c.reg.base, c.reg.cfg.Session.SnapshotTimeout)
		defer cancel()
		m := &answeredMail{token: a.Token}
		defer func() {
			if p := recover(); p != nil {
				m.err = fmt.Errorf("it panicked: %v", p)
				c.reg.counters.Panics.Add(1)
				c.reg.sys.Logger().Error("snapshot provider panicked", "client_id", c.id, "panic", p)
			}
			c.tell(m)
		}()
		m.asOf, m.data, m.err = c.reg.cfg.Snapshot(ctx, c.id, a.Floor, a.Head)
	})
}

func (c *client) peer(gen uint64) Peer {
	if c.peers != nil {
		for i := range c.peers.slots {
			if c.peers.slots[i].gen == gen {
				return c.peers.slots[i].peer
			}
		}
	}
	return nil
}

func (c *client) dropPeer(gen uint64) {
	if c.peers == nil {
		return
	}
	for i := range c.peers.slots {
		if c.peers.slots[i].gen == gen {
			last := len(c.peers.slots) - 1
			c.peers.slots[i] = c.peers.slots[last]
			c.peers.slots[last] = slot{}
			c.peers.slots = c.peers.slots[:last]
			break
		}
	}
	if len(c.peers.slots) == 0 {
		c.peers = nil
	}
}

// state describes the client, as the HTTP table has it.
func (c *client) state(one bool) protocol.State {
	st := c.session.State(one)
	st.ClientID = c.id
	st.LastSeen = c.reg.started.Add(c.session.LastActive()).UTC().Format(time.RFC3339Nano)
	return st
}

// ClientID names the owner to the store.
func (c *client) ClientID() string { return c.id }

// Confirmed brings the store's late word on a commit.
func (c *client) Confirmed(token uint64, err error) { c.tell(&confirmedMail{token, err}) }

// Loaded brings the client as the store has it.
func (c *client) Loaded(*store.Client, error) {}

// Bodies brings frames that were not in memory.
func (c *client) Bodies(uint64, []protocol.Body, error) {}

// SnapshotData brings the stored snapshot.
func (c *client) SnapshotData(uint64, []byte, error) {}
