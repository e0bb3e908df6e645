package registry

import (
	"sync"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/topic"
)

// wakeAtOnce is how many sleeping followers are being woken at once for a topic's news.
const wakeAtOnce = 64

// fanOut tells a topic's news to its followers, on a goroutine of its own, until there is no more of it. It runs their turns itself, those of many followers on every
// core: nobody is woken for his turn, and news that comes meanwhile is told together.
func (c *client) fanOut(side *topicSide) {
	for p := side.take(); p != nil; p = side.take() {
		m := &newsMail{p}
		if c.isAll() {
			c.reg.tellAll(m)
		} else {
			c.tellFollowers(side, m)
		}
		if c.reg.disk != nil && c.reg.base.Err() == nil {
			c.tell(announcedMail(p.Head))
		}
	}
}

func (c *client) tellFollowers(side *topicSide, m *newsMail) {
	c.reg.together(side.followers(), func(f *client) {
		if !f.do(m) {
			side.lost(f)
		}
	})
	if side.isUnborn() {
		side.setUnborn(false)
		c.tellPatterns()
	}
	if c.reg.disk != nil && side.setAsleep(false) {
		c.wakeFollowers(side, m)
	}
}

// tellAll tells every client that is awake; whoever wakes asks for it.
func (r *Registry) tellAll(m *newsMail) {
	for i := range r.shards {
		r.together(r.shards[i].all(), func(f *client) {
			if !f.isTopic() {
				f.do(m)
			}
		})
	}
}

// manyAtOnce is from how many clients on their turns are shared out among the cores.
const manyAtOnce = 256

// together calls do for each of all, on every core where there are many, and returns when that is done.
func (r *Registry) together(all []*client, do func(*client)) {
	var others sync.WaitGroup
	defer others.Wait()
	if each := (len(all) + r.cores - 1) / r.cores; len(all) >= manyAtOnce {
		for ; len(all) > each; all = all[each:] {
			part := all[:each]
			others.Go(func() {
				for _, c := range part {
					do(c)
				}
			})
		}
	}
	for _, c := range all {
		do(c)
	}
}

// wakeFollowers wakes those that the store knows of and that have not been told: they ask for what they lack. A few are woken at a time.
func (c *client) wakeFollowers(side *topicSide, m *newsMail) {
	r := c.reg
	for after := ""; r.base.Err() == nil; {
		var ids []string
		err := r.disk.Followers(c.id[1:], after, func(id string) bool {
			ids = append(ids, id)
			return len(ids) < wakeAtOnce
		})
		if err != nil || len(ids) == 0 {
			if err != nil && r.base.Err() == nil {
				r.sys.Logger().Error("not all followers of a topic were woken", "topic", c.id[1:], "err", err)
				side.setAsleep(true)
			}
			return
		}
		r.wakeAll(ids, func(f *client) any {
			if !side.join(f) {
				return nil
			}
			return m // it may take this without asking: from now on it is told of what comes
		})
		after = ids[len(ids)-1]
	}
}

// wakeAll tells each of the clients what say gives, nil for nothing, waking those that sleep, and returns when they have handled it or the broker ends.
func (r *Registry) wakeAll(ids []string, say func(*client) any) {
	var all sync.WaitGroup
	for _, id := range ids {
		for {
			f := r.wake(id)
			m := say(f)
			if m == nil {
				break
			}
			if !f.tell(m) {
				continue // it is going to sleep: the next is awake
			}
			all.Add(1)
			if !f.tell(&settleMail{&all}) {
				all.Done()
			}
			break
		}
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-r.base.Done():
	}
}

// tellPatterns tells those who follow the topic by a pattern that it is there.
func (c *client) tellPatterns() {
	r := c.reg
	m := &bornMail{c.id[1:]}
	if r.disk == nil {
		for _, f := range r.patterns.match(m.topic) {
			f.do(m)
		}
		return
	}
	var ids []string
	tell := func() {
		r.wakeAll(ids, func(*client) any { return m })
		ids = ids[:0]
	}
	err := r.disk.Matching(m.topic, func(_, id string) bool {
		if ids = append(ids, id); len(ids) == wakeAtOnce {
			tell()
		}
		return r.base.Err() == nil
	})
	tell()
	if err != nil && r.base.Err() == nil {
		r.sys.Logger().Error("not all who follow a topic by a pattern were told of it", "topic", m.topic, "err", err)
	}
}

// patterns are the subscriptions to patterns, where no store has them.
type patterns struct {
	mu sync.Mutex
	by topic.Patterns[*client]
}

func (p *patterns) add(pattern string, c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by.Add(pattern, c)
}

func (p *patterns) remove(pattern string, c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by.Remove(pattern, c)
}

func (p *patterns) match(topic string) (all []*client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by.Match(topic, func(c *client) { all = append(all, c) })
	return all
}

// matching returns the topics that there are and that the pattern matches, in any order.
func (r *Registry) matching(pattern string) (topics []string, err error) {
	seen := map[string]bool{}
	take := func(name string) bool {
		t, is := topicOf(name)
		if is && t != protocol.AllTopic && !seen[t] && protocol.Matches(pattern, t) {
			seen[t] = true
			topics = append(topics, t)
		}
		return is
	}
	for i := range r.shards {
		for _, c := range r.shards[i].all() {
			take(c.id)
		}
	}
	if r.disk != nil {
		err = r.scanTopics("", take)
	}
	return topics, err
}
