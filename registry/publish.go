package registry

import (
	"context"
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
// is reached, cannot be reached, or timed out; when ctx ends first, the error is internal and the outcome is not known.
func (r *Registry) Publish(ctx context.Context, clientID string, p Publish) (protocol.Published, error) {
	in := session.Publish{Bodies: p.Bodies, Level: levelOf(p.Wait)}
	if p.Key != "" {
		k := session.IdempotencyKey(p.Credential, p.Key)
		in.Record, in.Sum = &k, session.SumOf(p.Bodies)
	}
	w := newWaiter()
	in.To = w
	if e := r.admit(p.Bodies, &w.inFlight); e != nil {
		return protocol.Published{}, e
	}
	c, e := r.tell(clientID, (*client).do, &publishMail{in})
	if e != nil {
		w.release(r)
		return protocol.Published{}, e
	}
	timeout := p.Timeout
	if in.Level == session.LevelStored {
		timeout = 0
	}
	rep, err := w.wait(ctx, c, timeout)
	if err != nil {
		return protocol.Published{}, err
	}
	st := rep.Stored
	return protocol.Published{
		ClientID: clientID, Epoch: st.Epoch.String(), FirstSeq: st.First, Seq: st.Last,
		Status: st.Status, Reason: st.Reason, Duplicate: st.Duplicate,
	}, nil
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

// wait returns the answer. After timeout, if there is one, the client is asked to answer with what there is.
func (w *waiter) wait(ctx context.Context, c *client, timeout time.Duration) (session.Reply, error) {
	select {
	case rep := <-w.ch: // the usual case: the turn ran on this goroutine
		return rep, replyError(rep)
	default:
	}
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case rep := <-w.ch:
			return rep, replyError(rep)
		case <-late:
			late = nil
			c.tell(&giveUpMail{w}) // a life that is over has answered already
		case <-ctx.Done():
			c.tell(&giveUpMail{w})
			return session.Reply{}, protocol.Errorf(protocol.CodeInternal, "the caller gave up: %s", context.Cause(ctx))
		}
	}
}

func replyError(r session.Reply) error {
	if r.Err != nil {
		return r.Err
	}
	return nil
}

// admit counts a publish as in flight, or says why it may not be (P-29). Nobody else's frames go for it.
func (r *Registry) admit(bodies []protocol.Body, n *inFlight) *protocol.Error {
	size := int64(0)
	for _, b := range bodies {
		size += int64(len(b)) + protocol.FrameOverhead
	}
	if d := r.draining.Load(); d != nil {
		return d.refusal()
	}
	flying := r.counters.InFlightBytes.Add(size)
	*n = inFlight(size)
	var why string
	switch {
	case r.cfg.MaxInFlightBytes > 0 && flying > r.cfg.MaxInFlightBytes:
		why = "publishers have as much in flight as they may have"
	case r.cfg.MaxTotalBytes > 0 && r.counters.OutboxBytes.Load()+flying > r.cfg.MaxTotalBytes:
		why = "the outboxes hold as much as they may hold"
	default:
		return nil
	}
	n.release(r)
	r.counters.Refused.Add(string(protocol.CodeOverloaded))
	return overloaded(why)
}

// forward passes a send on to its target's actor (P-18). Mailboxes keep the order, so sends of one connection to one
// target are stored as sent.
func (c *client) forward(f session.Forward) {
	to := &sendBack{from: c, gen: f.Gen, id: f.ID}
	if e := c.reg.send(c.id, f.To, f.ID, f.Frame, to, &to.inFlight, (*client).tell); e != nil {
		c.tell(&outcomeMail{f.Gen, sendAnswer(f.ID, session.Reply{Err: e})})
	}
}

// send appends frame to the outbox of target, from sender, under id.
func (r *Registry) send(sender, target, id string, frame protocol.Body, to any, n *inFlight, post func(*client, any) bool) *protocol.Error {
	body := []protocol.Body{protocol.WithFrom(frame, sender)}
	if e := r.admit(body, n); e != nil {
		return e
	}
	k := session.SendKey(sender, id)
	_, e := r.tell(target, post, &publishMail{session.Publish{To: to, Bodies: body, Record: &k, Sum: session.SumOf(body)}})
	if e != nil {
		n.release(r)
	}
	return e
}

// Send is a send of sender's outside a connection: from an embedding program, or POST …/messages (P-18). It returns the receipt.
func (r *Registry) Send(ctx context.Context, sender, target, id string, frame protocol.Body) (protocol.Receipt, error) {
	_, _ = r.tellKnown(sender, (*client).tell, touchMail{}) // its own side did something, also while it sleeps (P-28)
	w := newWaiter()
	if e := r.send(sender, target, id, frame, w, &w.inFlight, (*client).do); e != nil {
		refused := *e // which may be everybody's
		refused.ID = id
		return protocol.Receipt{}, &refused
	}
	select {
	case rep := <-w.ch:
		if rep.Err != nil {
			e := *rep.Err
			e.ID = id
			return protocol.Receipt{}, &e
		}
		status := protocol.StatusStored
		if rep.Stored.Duplicate {
			status = protocol.StatusDuplicate
		}
		return protocol.Receipt{Type: "receipt", ID: id, Status: status, Epoch: rep.Stored.Epoch.String(), Seq: rep.Stored.Last}, nil
	case <-ctx.Done():
		return protocol.Receipt{}, protocol.Errorf(protocol.CodeInternal, "the caller gave up: %s", context.Cause(ctx))
	}
}
