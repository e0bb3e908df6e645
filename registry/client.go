package registry

import (
	"errors"
	"sync"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// client is the client actor. Its turn is the only one that touches session, more and alarm: it is its outbox's only
// writer. It is an actor of our own kind (actors.Mailbox), so that an idle one costs a few hundred bytes.
//
// Where a store keeps clients, an actor begins with its mailbox held, and handles its mail once the store has said what it knows
// (wake.go); until somebody makes the client, its session is not alive.
type client struct {
	actors.Mailbox
	reg     *Registry
	id      string
	session session.Session
	more    *more  // nil for an idle client that lives in memory only
	alarm   *alarm // the earliest deadline registered with the keepalive actor; nil for none
}

// more is what an idle client in memory lacks.
type more struct {
	peers    []slot  // the connections that the session knows; at most the limit of P-15
	one      [1]slot // the room of peers while there is one
	flushing bool    // the flusher has it

	topic *topicSide // of a topic's actor; nil else
	*kept            // where a store keeps clients; nil else
}

// kept is what the actor of a client has that is in the store as well.
type kept struct {
	was    store.State // what the store has been told; zero for nothing
	gets   []get       // who waits for the stored snapshot
	got    uint64      // the last token of a get
	shares []share     // of a topic's frames that are not confirmed yet
}

// share is the shared body that a topic's frame is.
type share struct {
	seq uint64
	id  session.BodyID
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
	shared []store.BodyID
}

var turns = sync.Pool{New: func() any { return new(turn) }}

// keepBodies is how many bodies' places a reused turn keeps.
const keepBodies = 64

// reset lets go of all that the turn pointed at.
func (t *turn) reset() {
	t.fx.Reset()
	if t.update.Token == 0 {
		return // nothing was committed
	}
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
	if !c.session.Alive() && !c.enter(m) {
		return
	}
	t := turns.Get().(*turn)
	before := c.size()
	done := false
	defer func() {
		if !done {
			c.abandon(&t.fx)
			c.account(before)
		}
	}()
	now := c.reg.sys.Now()
	if _, publishes := m.(*publishMail); publishes && c.more != nil {
		t.fx.Defer = c.reg.crowd.joins(now)
	}
	c.input(now, m, &t.fx)
	c.obey(t)
	done = true
	c.account(before)
	if t.fx.Sleep {
		c.rest()
	}
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
		c.count(&fx.Events[i])
	}
}

// input feeds m to the session.
func (c *client) input(now time.Duration, m any, fx *session.Effects) {
	s := &c.session
	switch m := m.(type) {
	case *publishMail:
		s.Publish(now, m.in, fx)
	case flushedMail:
		if c.more != nil {
			c.more.flushing = false
		}
		s.Pump(now, fx)
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
		st := c.state(true)
		m.to.state = &st
	case *stateMail:
		st := c.state(m.one)
		m.to.state = &st
		m.to.answer(c, session.Reply{Closed: s.Over()})
	case *snapshotMail:
		c.snapshot(now, m, fx)
	case *giveUpMail:
		s.GiveUp(now, m.to, fx)
	case touchMail:
		s.Touch(now)
	case tickMail:
		if c.alarm == nil || now < c.alarm.at {
			return // of an alarm that an earlier one has taken the place of
		}
		c.alarm = nil
		s.Tick(now, fx)
	case *judgeMail:
		c.judge(now, m, fx)
	case *deleteMail:
		for _, f := range m.followers {
			c.more.topic.join(f)
		}
		s.Delete(now, m.to, fx)
	case *settleMail:
		m.done.Done()
	case drainMail:
		s.Drain(now, m.d.by, m.d.retryMS(), m.d.why, fx)
	case *confirmedMail:
		s.Confirmed(now, m.token, m.err, errors.Is(m.err, store.ErrUnknown), fx)
	case *answeredMail:
		c.answered(now, m, fx)
	case *bodiesMail:
		s.Bodies(now, m.token, m.bodies, m.err, fx)
	case flushMail:
		s.Flush(now, fx)
	case squeezeMail:
		s.Squeeze(now, fx)
	default:
		if !c.follows(now, m, fx) {
			c.foreign(now, m, fx)
		}
	}
}

// Failed follows a panic in Receive (actors.Owner): the outbox stays as confirmed, the connections are closed with 4003,
// and whoever waited for the failed message is answered.
func (c *client) Failed(m, _ any) {
	e := errActorFailed
	if c.session.Alive() {
		t := new(turn) // not of the pool: the failed one may be half used
		before := c.size()
		c.session.Recover(c.reg.sys.Now(), &t.fx)
		c.obey(t)
		c.account(before)
	} else if _, loading := m.(*loadedMail); loading {
		c.unloaded(e) // the client is whole in the store: the next who calls loads it again
	}
	c.refuse(m, e, protocol.CloseClientRestarted)
}

// errActorFailed is nobody's to change.
var errActorFailed = protocol.Errorf(protocol.CodeInternal, "the client's actor failed on this call")

// attach gives the connection its Link before the session decides, so that the Link is there when the first batch is.
func (c *client) attach(now time.Duration, m *attachMail, fx *session.Effects) {
	if c.more == nil {
		c.more = &more{}
	}
	if c.more.peers == nil {
		c.more.peers = c.more.one[:0]
	}
	c.more.peers = append(c.more.peers, slot{m.in.Gen, m.peer})
	m.in.ClientID = c.id
	m.peer.Attached(&Link{c, m.in.Gen})
	c.session.Attach(now, m.in, fx)
}

func (c *client) peer(gen uint64) Peer {
	if c.more != nil {
		for i := range c.more.peers {
			if c.more.peers[i].gen == gen {
				return c.more.peers[i].peer
			}
		}
	}
	return nil
}

func (c *client) dropPeer(gen uint64) {
	if c.more == nil {
		return
	}
	peers := c.more.peers
	for i := range peers {
		if peers[i].gen == gen {
			last := len(peers) - 1
			peers[i], peers[last] = peers[last], slot{}
			c.more.peers = peers[:last]
			break
		}
	}
	if len(c.more.peers) == 0 {
		c.more.peers = nil
		if c.reg.disk == nil && c.more.topic == nil {
			c.more = nil
		}
	}
}

// state describes the client, as the HTTP table has it.
func (c *client) state(one bool) protocol.State {
	st := c.session.State(one)
	st.ClientID = c.id
	st.LastSeen = c.reg.lastSeen(c.session.LastActive())
	return st
}

// ClientID names the owner to the store.
func (c *client) ClientID() string { return c.id }

// Confirmed brings the store's late word on a commit.
func (c *client) Confirmed(token uint64, err error) { c.tell(&confirmedMail{token, err}) }

// Loaded brings the client as the store has it, and lets its mail in.
func (c *client) Loaded(st *store.Client, err error) { c.Release(c, &loadedMail{st, err}) }

// Bodies brings frames that were not in memory.
func (c *client) Bodies(token uint64, bodies []protocol.Body, err error) {
	if errors.Is(err, store.ErrExpired) {
		err = session.ErrExpired
	}
	c.tell(&bodiesMail{token, bodies, err})
}

// SnapshotData brings the stored snapshot.
func (c *client) SnapshotData(token, asOf uint64, data []byte, err error) {
	c.tell(&answeredMail{token, asOf, data, err})
}
