package registry

import (
	"sync"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// A topic is an actor like a client's, under a name that no client can have, whose session is the topic's log (P-32). What it has besides is topicSide.

// topicName is the name of a topic's actor, in memory and in the store.
func topicName(topic string) string { return store.TopicMark + topic }

// topicOf is the topic that an actor's name stands for; ok is false for a client's.
func topicOf(name string) (topic string, ok bool) {
	if name == "" || name[:1] != store.TopicMark {
		return "", false
	}
	return name[1:], true
}

func (c *client) isTopic() bool { return c.id[:1] == store.TopicMark }

// config is what the actor's session is made with.
func (c *client) config() *session.Config {
	if c.isTopic() {
		return &c.reg.cfg.Topic
	}
	return &c.reg.cfg.Session
}

// topicSide is what a topic's actor has besides its session. Its followers that are awake are those that have asked for its frames; the lock is held for
// an assignment only. Whoever has left memory since is found out when news cannot be told to it.
type topicSide struct {
	mu    sync.Mutex
	awake map[*client]struct{}
	list  []*client         // of awake; nil when it has changed
	news  []*session.Pulled // what is not being told yet
	bytes int               // of the bodies in news
	going bool              // a goroutine is telling it
	// asleep: a follower may be that is not in awake; the store knows them all.
	asleep bool
	// unborn: those who follow by a pattern may not know the topic.
	unborn bool
}

// isUnborn reports, and setUnborn says, whether those who follow by a pattern may not know the topic.
func (t *topicSide) isUnborn() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unborn
}

func (t *topicSide) setUnborn(unborn bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unborn = unborn
}

// telling reports whether news is being told.
func (t *topicSide) telling() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.going
}

// setAsleep says whether a follower may be that is not in awake, and reports what was said before.
func (t *topicSide) setAsleep(asleep bool) (before bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, t.asleep = t.asleep, asleep
	return before
}

const (
	// keepNews bounds what waits to be told. Beyond it followers are told where the log is, and ask for it.
	keepNews      = 64
	keepNewsBytes = 1 << 20
)

func newTopicSide(asleep bool) *topicSide {
	return &topicSide{awake: map[*client]struct{}{}, asleep: asleep, unborn: true}
}

// join takes a follower in; false: it was there.
func (t *topicSide) join(c *client) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, in := t.awake[c]; in {
		return false
	}
	t.awake[c] = struct{}{}
	t.list = nil
	return true
}

func (t *topicSide) leave(c *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, in := t.awake[c]; in {
		delete(t.awake, c)
		t.list = nil
	}
}

// lost takes out a follower that is not awake any more: it sleeps, or is gone for good.
func (t *topicSide) lost(c *client) {
	t.leave(c)
	t.setAsleep(true)
}

// followers are those that are awake, as they are now; the slice is not changed any more.
func (t *topicSide) followers() []*client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = make([]*client, 0, len(t.awake))
		for c := range t.awake {
			t.list = append(t.list, c)
		}
	}
	return t.list
}

// add takes in news. It returns whether the caller is to start telling it.
func (t *topicSide) add(p *session.Pulled) (start bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	size := 0
	for _, b := range p.Frames {
		size += len(b)
	}
	if len(t.news) >= keepNews || t.bytes+size > keepNewsBytes {
		where := *p
		where.After, where.Frames, where.Shared = p.Head, nil, nil
		t.news, t.bytes = append(t.news[:0], &where), 0
	} else {
		t.news, t.bytes = append(t.news, p), t.bytes+size
	}
	start = !t.going
	t.going = true
	return start
}

// take hands over the news that waits, as one; nil, and the telling is over, for none.
func (t *topicSide) take() *session.Pulled {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.news) == 0 {
		t.going = false
		return nil
	}
	p := t.news[0]
	if len(t.news) > 1 {
		p = together(t.news)
	}
	clear(t.news)
	t.news, t.bytes = t.news[:0], 0
	return p
}

// together is several news as one. Where they leave frames out, so does it.
func together(news []*session.Pulled) *session.Pulled {
	first, last := news[0], news[len(news)-1]
	all := *last
	all.After, all.Frames, all.Shared = first.After, nil, nil
	for _, p := range news {
		if p.After != all.After+uint64(len(all.Frames)) || (p.Shared == nil) != (first.Shared == nil) {
			all.After, all.Frames, all.Shared = last.Head, nil, nil
			return &all
		}
		all.Frames, all.Shared = append(all.Frames, p.Frames...), append(all.Shared, p.Shared...)
	}
	return &all
}

// tellNews has the followers told what the topic has confirmed.
func (c *client) tellNews(first, last uint64, shared []session.BodyID) {
	st := c.session.State(false)
	if c.isAll() {
		c.reg.allHead.Store(st.Head)
	}
	p := &session.Pulled{
		Topic: c.id[1:], Epoch: st.Epoch, Floor: st.Floor, Head: st.Head, Closed: c.session.Over(),
		After: first - 1, Frames: c.session.Fresh(first, last), Shared: shared,
	}
	if n := len(p.Frames); n != int(last-first+1) { // some are not in memory
		p.After, p.Frames, p.Shared = last, nil, nil
	} else if len(shared) != n {
		p.Shared = nil
	}
	if side := c.more.topic; side.add(p) {
		c.reg.sys.Go(func() { c.fanOut(side) })
	}
}

func (c *client) isAll() bool { return c.id == allName }

const allName = store.TopicMark + protocol.AllTopic

// resumeNews goes on with telling what an earlier process may not have told everybody, after a restore.
func (c *client) resumeNews() {
	c.more.topic.setUnborn(c.session.Announced() == 0)
	if head := c.session.State(false).Head; c.session.Announced() < head && !c.isAll() {
		c.tellNews(head+1, head, nil)
	}
}

// follow registers who asks, and asks the log for it.
func (c *client) follow(now time.Duration, m *pullMail, fx *session.Effects) {
	if m.p.Kind != session.PullSnapshot && !c.isAll() {
		c.more.topic.join(m.from)
	}
	in := session.LogRead{To: m, After: m.p.After, Since: m.p.Since, Frames: m.p.Frames, Bytes: m.p.Bytes, Snapshot: m.p.Kind == session.PullSnapshot}
	c.session.Log(now, in, fx)
}

// pullMail is what a follower asks a topic's actor.
type pullMail struct {
	from *client
	p    session.Pull
	done bool
}

// answer passes the log on to the follower.
func (m *pullMail) answer(_ *client, r session.Reply) {
	if m.done {
		return
	}
	m.done = true
	p := &session.Pulled{Topic: m.p.Topic, Token: m.p.Token, Life: m.p.Life, Err: r.Err}
	if l := r.Log; l != nil {
		p.Epoch, p.Floor, p.Head, p.Closed, p.Resume, p.Reason = l.Epoch, l.Floor, l.Head, l.Closed, l.Resume, l.Reason
		p.Snapshot, p.AsOf, p.Data, p.After, p.Frames = l.HasSnapshot, l.AsOf, l.Data, l.After, l.Frames
	}
	m.from.tell(&pulledMail{p})
}

// release has nothing to give back.
func (*pullMail) release(*Registry) {}

// pulledMail answers a pull; newsMail is what a topic says by itself, shared by all its followers.
type (
	pulledMail struct{ p *session.Pulled }
	newsMail   struct{ p *session.Pulled }
	// leaveMail: a client does not follow the topic any more.
	leaveMail struct{ from *client }
	// bornMail: there is a topic now that a pattern of the client's matches. topicGoneMail: there was one.
	bornMail      struct{ topic string }
	topicGoneMail struct{ topic string }
	// listedMail are the topics that a pattern matches.
	listedMail struct {
		pattern string
		topics  []string
		err     *protocol.Error
	}
	// announcedMail: every follower has been told of the topic's frames up to here.
	announcedMail uint64
)

// follows handles what only topics' actors and their followers are told; false: m is something else.
func (c *client) follows(now time.Duration, m any, fx *session.Effects) bool {
	s := &c.session
	switch m := m.(type) {
	case *newsMail:
		s.News(now, m.p, fx)
	case *pulledMail:
		s.Pulled(now, m.p, fx)
	case *pullMail:
		c.follow(now, m, fx)
	case *leaveMail:
		c.more.topic.leave(m.from)
	case *bornMail:
		s.Born(now, m.topic, fx)
	case *topicGoneMail:
		s.TopicGone(now, m.topic, fx)
	case *listedMail:
		s.Listed(now, m.pattern, m.topics, m.err, fx)
	case *closeMail:
		c.closeTopic(now, m, fx)
	case touchlessMail:
	case announcedMail:
		s.Announce(now, uint64(m), fx)
	case *subscribeMail:
		if m.leave {
			s.Unsubscribe(now, m.in, fx)
		} else {
			s.Subscribe(now, m.in, fx)
		}
	default:
		return false
	}
	return true
}

// closeTopic publishes the topic's last frame, or answers with the one that there is.
func (c *client) closeTopic(now time.Duration, m *closeMail, fx *session.Effects) {
	if !c.session.Closed() {
		c.session.Publish(now, m.in, fx)
		return
	}
	c.session.Reclose(now, m.in.To, fx)
}

// subscribeMail is a subscribe or unsubscribe without a connection.
type subscribeMail struct {
	in    session.Subscribe
	leave bool
}

// pull obeys one Pull of the session's.
func (c *client) pull(p session.Pull) {
	r := c.reg
	switch p.Kind {
	case session.PullList:
		if r.disk == nil {
			r.patterns.add(p.Topic, c)
		}
		r.sys.Go(func() {
			topics, err := r.matching(p.Topic)
			c.tell(&listedMail{p.Topic, topics, protocol.AsError(err)})
		})
	case session.PullLeave:
		if protocol.IsPattern(p.Topic) {
			r.patterns.remove(p.Topic, c)
		} else if t := r.look(topicName(p.Topic)); t != nil {
			t.tell(&leaveMail{c})
		}
	default:
		m := &pullMail{from: c, p: p}
		tell := r.tellKnown
		if p.Make {
			tell = r.tell
		}
		if _, e := tell(topicName(p.Topic), (*client).tell, m); e != nil {
			m.answer(c, session.Reply{Err: e})
		}
	}
}

// goneTopic tells the followers that the topic's life is over. Those that sleep learn it from the store.
func (c *client) goneTopic() {
	side := c.more.topic
	m := &topicGoneMail{c.id[1:]}
	for _, f := range side.followers() {
		f.tell(m)
		side.leave(f)
	}
	side.setUnborn(true)
}
