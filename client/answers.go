package client

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// ask is how a subscription was asked for that has been answered.
type ask struct {
	since   *protocol.Cursor
	history int
	// settled says that it was asked for again, awaiting that its snapshot is yet to come, renewed that it was made anew on this connection.
	settled, awaiting, renewed bool
}

// answered takes note that the broker has answered a subscribe; false if none is under way.
func (s *subscriptions) answered(topic string) (ask, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(topic)
	if e == nil || e.asking != protocol.TypeSubscribe {
		return ask{}, false
	}
	e.asking = ""
	e.tries.n = 1
	a := ask{since: e.sent, history: e.history, settled: e.settled, awaiting: e.awaited != nil, renewed: e.renewed}
	if e.settled {
		a.history = -1
	}
	return a, !e.leaving
}

// stands tells those who wait what the broker has answered. With awaited the subscription is settled when its snapshot has come.
func (s *subscriptions) stands(answered protocol.Subscribed, awaited *news) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(answered.Topic)
	if e == nil || e.leaving {
		return
	}
	if awaited != nil {
		e.awaited = awaited
	} else if e.awaited == nil {
		e.settled = true
	}
	e.tell(answer{subscribed: answered})
}

// renew has a subscription made anew.
func (s *subscriptions) renew(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(topic); e != nil && !e.leaving {
		e.anew, e.renewed = true, true
	}
}

// arrived returns what has waited for the topic's snapshot, and settles its subscription; nil for nothing. mine says that the client subscribes to the topic and
// that it begins otherwise than with this snapshot.
func (s *subscriptions) arrived(topic string) (awaited *news, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(topic)
	if e == nil {
		return nil, false
	}
	if awaited = e.awaited; awaited != nil {
		e.awaited, e.settled = nil, true
	}
	return awaited, !e.settled || e.anew || e.leaving
}

// left is what an unsubscribed has come to.
type left uint8

const (
	strange left = iota // it is about nothing that the client subscribes to
	again               // the subscription goes on, and is asked for again
	ended               // it has ended, as the application wanted
	cut                 // it has ended without that
)

// unsubscribed takes note that the broker has ended a subscription.
func (s *subscriptions) unsubscribed(topic string) left {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(topic)
	if i < 0 {
		return strange
	}
	e := s.list[i]
	switch {
	case e.asking == protocol.TypeSubscribe:
		return again // the answer to that comes next
	case e.asking == protocol.TypeUnsubscribe && e.leaving:
		e.tell(answer{})
		if e.next != nil {
			s.list[i] = e.next
		} else {
			s.list = slices.Delete(s.list, i, i+1)
		}
		return ended
	case e.asking == protocol.TypeUnsubscribe:
		e.asking, e.asked, e.anew, e.tries.n = "", false, false, 1
		return again
	case e.leaving, e.anew, !e.settled:
		return again
	}
	e.tell(answer{err: ErrUnsubscribed})
	s.list = slices.Delete(s.list, i, i+1)
	return cut
}

// refused takes note of an error that answers a subscription's message; false if it answers none. dropped says that the subscription has ended by it, and
// told that somebody has waited for the answer.
func (s *subscriptions) refused(e *protocol.Error, now time.Time) (known, dropped, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(e.Topic)
	if i < 0 || s.list[i].asking == "" {
		return false, false, false
	}
	sub := s.list[i]
	was := sub.asking
	sub.asking = ""
	switch {
	case sub.leaving && was == protocol.TypeSubscribe:
		return true, false, false // whatever it says, the end is asked for next
	case retried(e.Code):
		sub.asked = false
		sub.after = now.Add(max(retryAfter(e.RetryAfterMS), sub.tries.next()))
		return true, false, false
	}
	told = sub.tell(answer{err: e}) || sub.leaving
	if sub.next != nil {
		s.list[i] = sub.next
	} else {
		s.list = slices.Delete(s.list, i, i+1)
	}
	return true, true, told
}

// closed drops the subscription to a topic that is closed, and says whether it was wanted.
func (s *subscriptions) closed(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(topic)
	if i < 0 || s.list[i].leaving {
		return false
	}
	s.list[i].tell(answer{err: ErrUnsubscribed})
	s.list = slices.Delete(s.list, i, i+1)
	return true
}
