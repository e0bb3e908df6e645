package registry

import (
	"context"
	"slices"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// afterTopics comes after the names of all topics, and before those of all clients.
const afterTopics = "$"

// PublishTopic appends p's frames to the topic's log, all or none, making the topic where there is none, and returns when the store has confirmed
// them. p.Wait and p.Timeout are not used. The error is conflict where the topic is closed.
func (r *Registry) PublishTopic(ctx context.Context, topic string, p Publish) (protocol.TopicPublished, error) {
	in := session.Publish{Topic: topic, Bodies: p.Bodies}
	if p.Key != "" {
		k := session.IdempotencyKey(p.Credential, p.Key)
		in.Record, in.Sum = &k, session.SumOf(p.Bodies)
	}
	flying, e := r.admit(p.Bodies)
	if e != nil {
		return protocol.TopicPublished{}, e
	}
	w := &waiter{inFlight: flying}
	in.To = w
	c, e := r.tell(topicName(topic), (*client).do, &publishMail{in})
	if e != nil {
		w.release(r)
	}
	return w.published(ctx, topic, c, e)
}

// Broadcast publishes to protocol.AllTopic, which every client follows (P-32).
func (r *Registry) Broadcast(ctx context.Context, p Publish) (protocol.TopicPublished, error) {
	return r.PublishTopic(ctx, protocol.AllTopic, p)
}

// CloseTopic appends the topic's last frame, after which nothing can be published to it; where that was done before, it answers the same.
// The error is not_found where there is no such topic.
func (r *Registry) CloseTopic(ctx context.Context, topic string) (protocol.TopicPublished, error) {
	w := new(waiter)
	in := session.Publish{To: w, Topic: topic, Closes: true, Bodies: []protocol.Body{protocol.TopicClosed()}}
	c, e := r.tellKnown(topicName(topic), (*client).do, &closeMail{in})
	return w.published(ctx, topic, c, e)
}

// closeMail is a publish that makes no topic.
type closeMail struct{ in session.Publish }

func (w *waiter) published(ctx context.Context, topic string, c *client, e *protocol.Error) (protocol.TopicPublished, error) {
	if e != nil {
		return protocol.TopicPublished{}, e
	}
	rep, err := w.wait(ctx, c, 0)
	if err != nil {
		return protocol.TopicPublished{}, err
	}
	st := rep.Stored
	return protocol.TopicPublished{
		Topic: topic, Epoch: st.Epoch.String(), FirstSeq: st.First, Seq: st.Last, Status: st.Status, Duplicate: st.Duplicate,
	}, nil
}

// ReadTopic returns the page of the topic's log after in.Since (P-7); it makes no topic. Only up_to_date waits, and not on a closed topic.
func (r *Registry) ReadTopic(ctx context.Context, topic string, in Read) (protocol.TopicPage, error) {
	w := new(waiter)
	m := &readMail{in: session.Read{To: w, Since: in.Since, Limit: in.Limit, Wait: in.Wait > 0}, known: true}
	c, e := r.tellKnown(topicName(topic), (*client).do, m)
	if e != nil {
		return protocol.TopicPage{}, e
	}
	rep, err := w.wait(ctx, c, in.Wait)
	if err != nil {
		return protocol.TopicPage{}, err
	}
	p := rep.Page
	return protocol.TopicPage{
		Topic: topic, Resume: p.Resume, Reason: p.Reason, Epoch: p.Epoch, Floor: p.Floor, Head: p.Head, Closed: rep.Closed,
		Snapshot: p.Snapshot, Frames: p.Frames, Cursor: p.Cursor, More: p.More,
	}, nil
}

// Topic describes the topic, with up to limit of its followers whose ids come after cursor; 0 for none of them.
func (r *Registry) Topic(ctx context.Context, topic, cursor string, limit int) (protocol.TopicState, error) {
	st, err := r.topicState(ctx, topic)
	if err != nil || limit == 0 {
		return st, err
	}
	ids, err := r.followersAfter(topic, cursor, limit+1)
	if err != nil {
		return st, err
	}
	if len(ids) > limit {
		ids = ids[:limit]
		st.Cursor = ids[limit-1]
	}
	st.Followers = make([]protocol.Follower, 0, len(ids))
	for _, id := range ids {
		st.Followers = append(st.Followers, protocol.Follower{ClientID: id})
	}
	return st, nil
}

func (r *Registry) topicState(ctx context.Context, topic string) (protocol.TopicState, error) {
	w := new(waiter)
	c, e := r.tellKnown(topicName(topic), (*client).do, &stateMail{to: w})
	if e != nil {
		return protocol.TopicState{}, e
	}
	rep, err := w.wait(ctx, c, 0)
	if err != nil {
		return protocol.TopicState{}, err
	}
	return topicState(topic, *w.state, rep.Closed), nil
}

func topicState(topic string, st protocol.State, closed bool) protocol.TopicState {
	return protocol.TopicState{
		Topic: topic, Epoch: st.Epoch, Floor: st.Floor, Head: st.Head, Frames: st.Frames, Bytes: st.Bytes, Closed: closed, LastActive: st.LastSeen,
	}
}

// followersAfter returns up to most followers of the topic, in byte order: those that the store has, or without one those in memory.
func (r *Registry) followersAfter(topic, cursor string, most int) (ids []string, err error) {
	if r.disk != nil {
		err = r.disk.Followers(topic, cursor, func(id string) bool {
			ids = append(ids, id)
			return len(ids) < most
		})
		return ids, err
	}
	c := r.look(topicName(topic))
	if c == nil {
		return nil, nil
	}
	for _, f := range c.more.topic.followers() {
		if f.id > cursor && r.look(f.id) == f {
			ids = append(ids, f.id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), most)], nil
}

// followed reports whether anybody follows the topic whose actor has that name; every client follows protocol.AllTopic. It may block.
func (r *Registry) followed(name string) bool {
	topic, is := topicOf(name)
	if !is {
		return false
	}
	ids, err := r.followersAfter(topic, "", 1)
	return name == allName || err != nil || len(ids) > 0
}

// Topics returns up to limit topics whose names come after cursor, in byte order; its Cursor is "" on the last page. It wakes none.
func (r *Registry) Topics(ctx context.Context, cursor string, limit int) (protocol.TopicList, error) {
	names := r.idsAfter(topicName(cursor), afterTopics, limit+2) // protocol.AllTopic is not told of
	asleep := map[string]store.State{}
	if r.disk != nil {
		err := r.disk.Scan(topicName(cursor), func(name string, st store.State) bool {
			if _, is := topicOf(name); !is || len(asleep) > limit+1 {
				return false
			}
			if _, awake := slices.BinarySearch(names, name); !awake {
				asleep[name] = st
			}
			return true
		})
		if err != nil {
			return protocol.TopicList{}, err
		}
		for name := range asleep {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == allName })
	list := protocol.TopicList{Topics: []protocol.TopicState{}}
	if len(names) > limit {
		names = names[:limit]
		list.Cursor = names[limit-1][1:]
	}
	for _, name := range names {
		if st, sleeps := asleep[name]; sleeps {
			list.Topics = append(list.Topics, topicState(name[1:], r.sleeperState(name, &st), st.Closed))
			continue
		}
		st, err := r.topicState(ctx, name[1:])
		if err == nil {
			list.Topics = append(list.Topics, st)
		} else if protocol.AsError(err).Code != protocol.CodeNotFound { // it has gone since: no reason to fail
			return protocol.TopicList{}, err
		}
	}
	return list, nil
}

// scanTopics calls f with the names of the topics that the store has after the given one, until f returns false.
func (r *Registry) scanTopics(after string, f func(name string) bool) error {
	return r.disk.Scan(after, func(name string, _ store.State) bool {
		_, is := topicOf(name)
		return is && f(name) && r.base.Err() == nil
	})
}

// DeleteTopic forgets the topic and ends its subscriptions; not_found where there is none.
func (r *Registry) DeleteTopic(ctx context.Context, topic string) error {
	var followers []*client
	if r.disk != nil {
		err := r.disk.Followers(topic, "", func(id string) bool {
			if f := r.look(id); f != nil {
				followers = append(followers, f)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return r.forget(ctx, topicName(topic), followers)
}

// PutTopicSnapshot stores data as the topic's state as of a seq of its log, making the topic where there is none. It is as PutSnapshot.
func (r *Registry) PutTopicSnapshot(ctx context.Context, topic string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error) {
	return ofTopic(topic)(r.PutSnapshot(ctx, topicName(topic), asOf, data))
}

// TopicSnapshot returns the stored snapshot of the topic; not_found where there is none.
func (r *Registry) TopicSnapshot(ctx context.Context, topic string) (protocol.StoredSnapshot, error) {
	return ofTopic(topic)(r.Snapshot(ctx, topicName(topic)))
}

// DeleteTopicSnapshot forgets the stored snapshot of the topic; not_found where there is none.
func (r *Registry) DeleteTopicSnapshot(ctx context.Context, topic string) error {
	return r.DeleteSnapshot(ctx, topicName(topic))
}

// ofTopic names the topic whose snapshot it is.
func ofTopic(topic string) func(protocol.StoredSnapshot, error) (protocol.StoredSnapshot, error) {
	return func(s protocol.StoredSnapshot, err error) (protocol.StoredSnapshot, error) {
		if err == nil {
			s.ClientID, s.Topic = "", topic
		}
		return s, err
	}
}

// subscribe is a client's subscribe or unsubscribe outside a connection; it returns the answer's frame.
func (r *Registry) subscribe(ctx context.Context, clientID string, m protocol.Message) ([]byte, error) {
	w := new(waiter)
	mail := &subscribeMail{
		in:    session.Subscribe{Topic: m.Topic, Since: m.Since, History: m.History, To: w},
		leave: m.Type == protocol.TypeUnsubscribe,
	}
	tell := r.tell
	if mail.leave {
		tell = r.tellKnown
	}
	c, e := tell(clientID, (*client).do, mail)
	if e != nil {
		return nil, e
	}
	rep, err := w.wait(ctx, c, 0)
	if err != nil {
		return nil, err
	}
	return rep.Frame, nil
}

// recoverNews has the topics go on with news that an earlier process may not have told everybody. It is called once, at the start.
func (r *Registry) recoverNews() {
	var behind []string
	err := r.disk.Scan("", func(name string, st store.State) bool {
		if _, is := topicOf(name); !is {
			return false
		}
		if st.All < st.Head && name != allName {
			behind = append(behind, name)
		}
		return r.base.Err() == nil
	})
	for _, name := range behind {
		r.wakeAll([]string{name}, func(*client) any { return touchlessMail{} })
	}
	if err != nil && r.base.Err() == nil {
		r.sys.Logger().Error("the topics whose followers may lack frames could not all be found", "err", err)
	}
}

// touchlessMail wakes an actor, and says nothing to it.
type touchlessMail struct{}
