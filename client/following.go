package client

import (
	"time"

	"github.com/restante/restante/protocol"
)

// subscribed reads the answer to a subscribe (P-19).
func (a *attachment) subscribed(raw []byte) error {
	var s protocol.Subscribed
	if err := decode(raw, &s); err != nil {
		return err
	}
	k, ok := a.c.subs.answered(s.Topic)
	if !ok {
		a.c.wakeWriter() // it may be ended by now, which waited for this
		return nil
	}
	if protocol.IsPattern(s.Topic) {
		a.c.subs.stands(s, nil)
		return nil
	}
	if err := checkSubscribed(s, k); err != nil {
		return err
	}
	if k.awaiting && s.Resume == protocol.ResumeUpToDate {
		a.c.subs.stands(s, nil)
		return nil
	}
	n := a.standsAt(s, k)
	switch {
	case n == nil:
		return nil
	case s.Snapshot:
		a.c.subs.stands(s, n)
		return nil
	}
	a.c.subs.stands(s, nil)
	a.tell(n)
	return nil
}

func checkSubscribed(s protocol.Subscribed, k ask) error {
	bad := func(what string) error {
		return violation(protocol.CodeBadFrame, "the server's subscribed for %s %s", s.Topic, what)
	}
	switch {
	case !protocol.CheckEpoch(s.Epoch):
		return bad("has no valid epoch")
	case s.Floor == nil || s.Head == nil || *s.Floor > *s.Head || *s.Head > protocol.MaxSeq:
		return bad("has no floor and head that can be")
	}
	switch s.Resume {
	case protocol.ResumeReplay:
		if k.since == nil || k.since.Epoch != "" && k.since.Epoch != s.Epoch || k.since.Seq > *s.Head {
			return bad("says replay, which does not follow from the cursor that was sent")
		}
	case protocol.ResumeFresh, protocol.ResumeUpToDate, protocol.ResumeTooOld:
	default:
		return bad("has a resume that this client does not know")
	}
	return nil
}

// standsAt returns where the topic begins by the broker's answer; nil where that is dealt with.
func (a *attachment) standsAt(s protocol.Subscribed, k ask) *news {
	n := &news{topic: s.Topic, cursor: protocol.Cursor{Epoch: s.Epoch, Seq: *s.Floor}}
	if s.Closed {
		n.closedAt = *s.Head
	}
	live := s.Resume == protocol.ResumeFresh && k.history < 0 && k.since == nil
	if live || s.Resume == protocol.ResumeUpToDate {
		switch a.c.inbox.adoptTopic(s.Topic, s.Epoch) {
		case goesOn:
			a.goesOn(s)
			return nil
		case elsewhere:
			return a.elsewhere(s, k, n)
		}
	}
	switch s.Resume {
	case protocol.ResumeFresh:
		n.cursor.Seq = *s.Head
		if k.history >= 0 {
			n.cursor.Seq = max(*s.Floor, *s.Head-min(*s.Head, uint64(k.history)))
			n.loose = true
		}
		if k.since != nil {
			n.reset = ReasonFresh
		}
	case protocol.ResumeUpToDate:
		n.unknown, n.closedAt = true, 0
	case protocol.ResumeReplay:
		n.cursor.Seq, n.keep = k.since.Seq, k.settled
	case protocol.ResumeTooOld:
		n.reset = s.Reason
	}
	return n
}

// goesOn is a subscription of which nothing has been missed. A closed topic of which nothing is to come ends.
func (a *attachment) goesOn(s protocol.Subscribed) {
	a.c.subs.stands(s, nil)
	if s.Closed && a.c.inbox.passed(s.Topic, *s.Head) && a.c.subs.closed(s.Topic) {
		a.tell(&news{topic: s.Topic, end: &Unsubscribed{Topic: s.Topic, Closed: true}})
	}
}

// elsewhere is a subscription that the broker holds in another epoch than the client: it was made on a connection that broke, or the topic was deleted and
// born again. It is ended and made anew with the old cursor, which brings the reset and everything that the new log holds. One that comes to the same again is
// told as it is.
func (a *attachment) elsewhere(s protocol.Subscribed, k ask, n *news) *news {
	if k.renewed {
		n.reset, n.loose = protocol.ReasonEpoch, true
		return n
	}
	a.c.inbox.await(s.Topic)
	a.c.subs.renew(s.Topic)
	a.c.wakeWriter()
	return nil
}

// topicSnapshot reads the snapshot of a topic. One that this client has not asked for was asked for on another connection of the same client, and begins the topic here too.
func (a *attachment) topicSnapshot(raw []byte) error {
	var s protocol.Snapshot
	if err := decode(raw, &s); err != nil {
		return err
	}
	n, otherwise := a.c.subs.arrived(s.Topic)
	if n == nil && otherwise || !a.greeted {
		return nil
	}
	asked := n != nil
	if !asked {
		if protocol.CheckTopic(s.Topic) != nil {
			return nil
		}
		n = &news{topic: s.Topic, loose: true}
	}
	if asked && s.AsOf < n.cursor.Seq && !n.loose || s.AsOf > protocol.MaxSeq || s.Data == nil {
		return violation(protocol.CodeBadFrame, "the server sent a snapshot of %s as of %d with a floor of %d", s.Topic, s.AsOf, n.cursor.Seq)
	}
	n.cursor.Seq, n.snapshot, n.data, n.loose = s.AsOf, true, s.Data, false
	if asked {
		a.tell(n)
	} else if !a.c.inbox.tellUnasked(a.placed(n)) {
		a.c.report(protocol.Errorf(protocol.CodeOverloaded, "a snapshot of %s that another connection had asked for found no room and was dropped", s.Topic))
	}
	return nil
}

// unsubscribed reads the end of a subscription.
func (a *attachment) unsubscribed(topic string) {
	if !a.greeted {
		return
	}
	switch a.c.subs.unsubscribed(topic) {
	case strange:
		a.c.inbox.tellUnasked(a.placed(&news{topic: topic, forget: true}))
	case ended:
		a.tell(&news{topic: topic, forget: true})
	case cut:
		a.tell(&news{topic: topic, end: &Unsubscribed{Topic: topic}})
	}
	a.c.wakeWriter()
}

// topicRefused reads an error about a topic; false if it is none that answers a message of this client's.
func (a *attachment) topicRefused(e *protocol.Error) bool {
	if e.Code == protocol.CodeSnapshotUnavailable {
		n, _ := a.c.subs.arrived(e.Topic)
		if n != nil {
			a.c.report(e)
			a.tell(n)
		}
		return n != nil
	}
	known, dropped, told := a.c.subs.refused(e, time.Now())
	if dropped {
		n := &news{topic: e.Topic, forget: true}
		if !told {
			n.forget, n.end = false, &Unsubscribed{Topic: e.Topic, Err: e}
		}
		a.tell(n)
	}
	if known {
		a.c.wakeWriter()
	}
	return known
}

// tell queues news behind the frames that come before it.
func (a *attachment) tell(n *news) { a.c.inbox.tell(a.placed(n)) }

// placed says behind which frame n comes. What is answered on this connection covers nothing that the outbox held at its hello.
func (a *attachment) placed(n *news) *news {
	if a.awaited != nil {
		n.life = a.awaited.life
	} else {
		n.life = a.marks.life.Load()
	}
	n.after, n.epoch = max(a.last, a.hello.Head), a.hello.Epoch
	return n
}
