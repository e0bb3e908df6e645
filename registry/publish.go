package registry

import (
	"context"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// Publish is one call's frames for one client. Bodies are checked, at least one, and the registry's from now on.
type Publish struct {
	Bodies []protocol.Body
	// Credential and Key identify a repeat (P-18); Key "" for none.
	Credential, Key string
	// Wait is protocol.StatusStored (or ""), StatusSent or StatusAcked; Timeout bounds the wait for the latter two.
	Wait    string
	Timeout time.Duration
}

// Publish appends p's frames to clientID's outbox, all or none, making the client where there is none. It returns when the level
// is reached, cannot be reached, or timed out; when ctx ends first, the error is internal and the outcome is not known. The slice p.Bodies is the caller's
// again when it returns; the bodies are not.
func (r *Registry) Publish(ctx context.Context, clientID string, p Publish) (protocol.Published, error) {
	var t taken
	call, e := r.publish(clientID, p, &t, false)
	switch {
	case e != nil:
		return protocol.Published{}, e
	case call == nil:
		return protocol.Published{ClientID: clientID, Epoch: t.epoch.String(), FirstSeq: t.First, Seq: t.Last, Status: protocol.StatusStored}, nil
	}
	timeout := p.Timeout
	if call.mail.in.Level == session.LevelStored {
		timeout = 0
	}
	rep, err := call.wait(ctx, call.client, timeout)
	if err != nil {
		return protocol.Published{}, err
	}
	st := &rep.Stored
	out := protocol.Published{
		ClientID: clientID, Epoch: st.Epoch.String(), FirstSeq: st.First, Seq: st.Last, Status: st.Status, Reason: st.Reason, Duplicate: st.Duplicate,
	}
	call.done()
	return out, nil
}

// Post is Publish for a caller that has no use for the answer: it does not wait for the store. Frames of one caller are stored in the order posted. The error is
// what is known at once; a refusal that comes later is counted, and nobody told.
func (r *Registry) Post(clientID string, bodies []protocol.Body) error {
	var t taken
	call, e := r.publish(clientID, Publish{Bodies: bodies}, &t, true)
	switch {
	case e != nil:
		return e
	case call == nil || !call.here():
		return nil
	case call.reply.Err != nil:
		return call.reply.Err
	}
	call.done()
	return nil
}

// publish gives p to the actor of id. Where the actor was done with it at once, in a few words, t says what came of it, and there is no call to wait for.
// unheard says that nobody will.
func (r *Registry) publish(id string, p Publish, t *taken, unheard bool) (*publishing, *protocol.Error) {
	flying, e := r.admit(p.Bodies)
	if e != nil {
		return nil, e
	}
	level := levelOf(p.Wait)
	short := r.cfg.Session.Instant && level == session.LevelStored && p.Key == ""
	var call *publishing
	for {
		c, e := r.find(id)
		done := e != nil
		if !done && short {
			done, e = c.append(p.Bodies, t)
		}
		if done {
			flying.release(r)
			return nil, e
		}
		if call == nil {
			call = publishings.Get().(*publishing)
			call.fill(p, level)
			call.inFlight, call.unheard = flying, unheard
		}
		taken, handled := c.DoNow(c, &call.mail)
		if taken {
			call.client, call.ours = c, handled && call.here()
			return call, nil
		}
	}
}

// publishing is a publish under way: its mail and who waits for it in one piece. It is used again where that is safe.
type publishing struct {
	waiter
	mail   publishMail
	one    [1]protocol.Body // of a call with one frame, which most are
	record session.RecordKey
	client *client // who took the mail
	ours   bool    // in a turn of the caller's goroutine, which is over, and it answered: nobody else knows of the call any more
}

var publishings = sync.Pool{New: func() any { return new(publishing) }}

// fill writes the mail of a publish to a client.
func (call *publishing) fill(p Publish, level session.Level) {
	call.mail.in = session.Publish{To: &call.waiter, Bodies: append(call.one[:0], p.Bodies...), Level: level}
	if p.Key != "" {
		call.record = session.IdempotencyKey(p.Credential, p.Key)
		call.mail.in.Record, call.mail.in.Sum = &call.record, session.SumOf(p.Bodies)
	}
}

// done gives the call back once its answer has been read; one without an error.
func (call *publishing) done() {
	if call.ours {
		*call = publishing{}
		publishings.Put(call)
	}
}

// taken is what came of an append.
type taken struct {
	session.Taken
	epoch session.Epoch
}

// append appends bodies in a turn of the caller's own and without any mail, where nobody has to be told of them but the caller: the client has no connection
// and nothing under way, and the store need not be asked. Without done nothing has happened, and the caller goes the ordinary way.
func (c *client) append(bodies []protocol.Body, t *taken) (done bool, e *protocol.Error) {
	if !c.Enter() {
		return false, nil
	}
	done, e = true, errActorFailed // where a panic in this turn leaves it
	defer c.Leave(c)
	if c.session.Busy() {
		return false, nil
	}
	before := size{held: c.session.Held(), frames: c.session.Frames()} // nothing else changes
	defer c.account(before)
	if done = c.session.Append(c.reg.sys.Now(), bodies, &t.Taken); done {
		t.epoch = c.session.Epoch()
		c.countTaken(&t.Taken)
	}
	return done, nil
}

func levelOf(wait string) session.Level {
	switch wait {
	case protocol.StatusSent:
		return session.LevelSent
	case protocol.StatusAcked:
		return session.LevelAcked
	}
	return session.LevelStored
}

// admit counts a publish as in flight, or says why it may not be (P-29). Nobody else's frames go for it.
func (r *Registry) admit(bodies []protocol.Body) (inFlight, *protocol.Error) {
	n := inFlight(0)
	for _, b := range bodies {
		n += inFlight(len(b)) + protocol.FrameOverhead
	}
	if d := r.draining.Load(); d != nil {
		return 0, d.refusal()
	}
	flying := r.counters.InFlightBytes.Add(int64(n))
	var why string
	switch {
	case r.cfg.MaxInFlightBytes > 0 && flying > r.cfg.MaxInFlightBytes:
		why = "publishers have as much in flight as they may have"
	case r.cfg.MaxTotalBytes > 0 && r.counters.OutboxBytes.Load()+flying > r.cfg.MaxTotalBytes:
		why = "the outboxes hold as much as they may hold"
	default:
		return n, nil
	}
	n.release(r)
	r.counters.Refused.Add(string(protocol.CodeOverloaded))
	return 0, overloaded(why)
}

// forward passes a send on to its target's actor (P-18). Mailboxes keep the order, so sends of one connection to one
// target are stored as sent.
func (c *client) forward(f session.Forward) {
	to := &sendBack{from: c, gen: f.Gen, id: f.ID}
	if _, e := c.reg.send(c.id, f.To, f.ID, f.Frame, to, &to.inFlight, (*client).tell); e != nil {
		c.tell(&outcomeMail{f.Gen, sendAnswer(f.ID, session.Reply{Err: e})})
	}
}

// send appends frame to the outbox of target, from sender, under id. It returns the actor that took it.
func (r *Registry) send(sender, target, id string, frame protocol.Body, to any, n *inFlight, post func(*client, any) bool) (*client, *protocol.Error) {
	body := []protocol.Body{protocol.WithFrom(frame, sender)}
	flying, e := r.admit(body)
	if e != nil {
		return nil, e
	}
	*n = flying
	k := session.SendKey(sender, id)
	c, e := r.tell(target, post, &publishMail{session.Publish{To: to, Bodies: body, Record: &k, Sum: session.SumOf(body)}})
	if e != nil {
		n.release(r)
	}
	return c, e
}

// Send is a send of sender's outside a connection: from an embedding program, or POST …/messages (P-18). It returns the receipt.
func (r *Registry) Send(ctx context.Context, sender, target, id string, frame protocol.Body) (protocol.Receipt, error) {
	_, _ = r.tellKnown(sender, (*client).tell, touchMail{}) // its own side did something, also while it sleeps (P-28)
	w := new(waiter)
	c, e := r.send(sender, target, id, frame, w, &w.inFlight, (*client).do)
	if e != nil {
		return protocol.Receipt{}, errorOf(id, e)
	}
	rep, err := w.wait(ctx, c, 0)
	if err != nil {
		return protocol.Receipt{}, errorOf(id, protocol.AsError(err))
	}
	status := protocol.StatusStored
	if rep.Stored.Duplicate {
		status = protocol.StatusDuplicate
	}
	return protocol.Receipt{Type: "receipt", ID: id, Status: status, Epoch: rep.Stored.Epoch.String(), Seq: rep.Stored.Last}, nil
}

// errorOf is e, which may be everybody's, about the send with that id.
func errorOf(id string, e *protocol.Error) *protocol.Error {
	of := *e
	of.ID = id
	return &of
}
