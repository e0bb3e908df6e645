package client

import (
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

// answer ends a wait for the broker's word on a subscription.
type answer struct {
	subscribed protocol.Subscribed
	err        error
}

// subscription is one topic or pattern that the application wants, or does not want any more, and what is known of it on the connection there is.
type subscription struct {
	topic string
	// since and history (-1 for none) are how it is asked for until it is settled. From then on it is asked for with the cursor in the topic.
	since   *protocol.Cursor
	history int
	settled bool
	// leaving says that it ends as soon as the broker has heard of it; next is what was asked for meanwhile.
	leaving bool
	next    *subscription
	// anew says that it is ended before it is asked for again, since what is held has lost its beginning.
	anew bool

	// asking is the type of the message under way on this connection, "" for none: one at a time, since answers carry no id.
	asking string
	// asked says that the broker has heard of it on this connection, renewed that anew was, sent is the since that went with it.
	asked, renewed bool
	sent           *protocol.Cursor
	// awaited waits for the snapshot that was announced.
	awaited *news
	// after is when it may be asked for again.
	after time.Time
	tries tries

	waiting []chan answer
}

// tell answers all that wait, and says whether there was anybody.
func (s *subscription) tell(a answer) bool {
	any := len(s.waiting) > 0
	for _, w := range s.waiting {
		w <- a
	}
	s.waiting = nil
	return any
}

// wait adds somebody who waits. The channel has room for the one answer.
func (s *subscription) wait() chan answer {
	w := make(chan answer, 1)
	s.waiting = append(s.waiting, w)
	return w
}

// subscriptions are what the client subscribes to, in the order of the calls.
type subscriptions struct {
	backoff Backoff
	most    int

	mu   sync.Mutex
	list []*subscription
	// ended is why there will be no more; nil while there may be.
	ended error
}

func newSubscriptions(s settings) *subscriptions {
	return &subscriptions{backoff: s.Backoff, most: s.MaxSubscriptions}
}

// find returns the subscription to the topic; nil for none. The lock is held.
func (s *subscriptions) find(topic string) *subscription {
	if i := s.index(topic); i >= 0 {
		return s.list[i]
	}
	return nil
}

func (s *subscriptions) index(topic string) int {
	return slices.IndexFunc(s.list, func(e *subscription) bool { return e.topic == topic })
}

// add takes e in, unless there is no room for it. The lock is held.
func (s *subscriptions) add(e *subscription) error {
	if s.most > 0 && len(s.list) >= s.most {
		return ErrTooManySubscriptions
	}
	s.list = append(s.list, e)
	return nil
}

// want asks for a subscription. fresh says that the client had none to that topic.
func (s *subscriptions) want(topic string, since *protocol.Cursor, history int) (w chan answer, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return nil, false, s.ended
	}
	wanted := &subscription{topic: topic, since: since, history: history, tries: tries{Backoff: s.backoff, n: 1}}
	switch e := s.find(topic); {
	case e == nil:
		return wanted.wait(), true, s.add(wanted)
	case e.leaving && e.next == nil:
		e.next = wanted
		return wanted.wait(), false, nil
	case e.leaving:
		return e.next.wait(), false, nil
	default:
		e.asked = e.asking != ""
		return e.wait(), false, nil
	}
}

// leave ends a subscription, also one that another connection or an earlier process has made.
func (s *subscriptions) leave(topic string) (chan answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return nil, s.ended
	}
	e := s.find(topic)
	if e == nil {
		e = &subscription{topic: topic, history: -1, tries: tries{Backoff: s.backoff, n: 1}}
		if err := s.add(e); err != nil {
			return nil, err
		}
	}
	if e.next != nil {
		e.next.tell(answer{err: ErrUnsubscribed})
		e.next = nil
	}
	if !e.leaving {
		e.tell(answer{err: ErrUnsubscribed})
		e.leaving, e.anew, e.awaited, e.after = true, false, nil, time.Time{}
	}
	return e.wait(), nil
}

// giveUp takes out one who waits no more.
func (s *subscriptions) giveUp(topic string, w chan answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(topic); e != nil {
		e.waiting = slices.DeleteFunc(e.waiting, func(c chan answer) bool { return c == w })
		if e.next != nil {
			e.next.waiting = slices.DeleteFunc(e.next.waiting, func(c chan answer) bool { return c == w })
		}
	}
}

// due returns the messages that are to be written now, and when there will be more; zero for no such time. cursor is where the client stands in a topic.
func (s *subscriptions) due(now time.Time, cursor func(topic string) *protocol.Cursor) (out []protocol.Message, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		leaves := e.leaving || e.anew
		switch {
		case e.asking != "", e.asked && !leaves:
			continue
		case e.after.After(now):
			if next.IsZero() || e.after.Before(next) {
				next = e.after
			}
			continue
		}
		m := protocol.Message{Type: protocol.TypeSubscribe, Topic: e.topic, History: -1}
		switch {
		case leaves:
			m.Type = protocol.TypeUnsubscribe
		case e.settled:
			m.Since = cursor(e.topic)
		default:
			m.Since, m.History = e.since, e.history
		}
		e.asking, e.asked, e.sent = m.Type, true, m.Since
		out = append(out, m)
	}
	return out, next
}

// lost takes note of the end of a connection. It returns the topics that are to be made anew: nobody knows whether the broker has begun them, and a snapshot that it
// wrote on that connection does not come again.
func (s *subscriptions) lost() (anew []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		unheard := e.asking == protocol.TypeSubscribe && !e.settled && (e.since != nil || e.history >= 0)
		if (unheard || e.awaited != nil) && !e.leaving {
			e.anew = true
		}
		if e.anew {
			anew = append(anew, e.topic)
		}
		e.asking, e.asked, e.renewed, e.awaited = "", false, false, nil
	}
	return anew
}

// wanted are the topics and patterns that are subscribed to or asked for.
func (s *subscriptions) wanted() (topics []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if !e.leaving || e.next != nil {
			topics = append(topics, e.topic)
		}
	}
	return topics
}

// end takes no more subscriptions, and tells those who wait.
func (s *subscriptions) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	s.ended = why
	for _, e := range s.list {
		e.tell(answer{err: why})
		if e.next != nil {
			e.next.tell(answer{err: why})
		}
	}
	s.list = nil
}
