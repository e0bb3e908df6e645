package client

import (
	"slices"

	"github.com/restante/restante/protocol"
)

// tell queues what there is to tell of a topic. Its number is bounded by that of the subscriptions: it answers what the client has asked.
func (b *inbox) tell(n *news) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.finishing {
		return
	}
	if b.supersedes(n) {
		return
	}
	b.news = append(b.news, n)
	b.newsBytes += len(n.data)
	signal(b.arrived)
}

// supersedes takes out the news that a reset makes idle, and returns true for news that says nothing beyond what waits. So what waits for a handler that
// stands still does not grow with the number of connections.
func (b *inbox) supersedes(n *news) bool {
	for i := len(b.news) - 1; i >= 0; i-- {
		o := b.news[i]
		switch {
		case o.topic != n.topic:
		case !o.begins():
			return false
		case n.reset != "" && n.begins():
			b.topics.name(n.topic).await = true // the frames that would come between the two have lost their beginning
			b.newsBytes -= len(o.data)
			b.news = slices.Delete(b.news, i, i+1)
		case n.unknown, n.keep && o.keep && o.cursor == n.cursor:
			return true
		}
	}
	return false
}

// tellUnasked queues what the client has not asked for: a snapshot or an end that another connection of the same client has brought about. It returns
// false where there is no room.
func (b *inbox) tellUnasked(n *news) bool {
	b.mu.Lock()
	full := b.maxItems > 0 && len(b.news) >= b.maxItems || b.maxBytes > 0 && b.newsBytes >= b.maxBytes
	idle := n.forget && b.topics.at[n.topic] == nil
	b.mu.Unlock()
	if !full && !idle {
		b.tell(n)
	}
	return !full
}

// dueNews takes out the first news if every frame before it has been handed over, and moves the position as it says.
func (b *inbox) dueNews() *news {
	if len(b.news) == 0 {
		return nil
	}
	n := b.news[0]
	if n.life > b.pos.life || n.life == b.pos.life && n.after > b.pos.cursor.Seq {
		return nil
	}
	b.news[0] = nil
	b.news = b.news[1:]
	b.newsBytes -= len(n.data)
	b.topics.tell(n)
	return n
}

// restart takes note that a connection reads the outbox of that epoch under that life: news waits for the same frames as before. News that waited for frames of an
// outbox which is gone goes first.
func (b *inbox) restart(life uint64, epoch string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.news {
		switch {
		case n.epoch == epoch:
			n.life = life
		case n.life > b.pos.life:
			n.life, n.after = life, 0
		}
	}
}

// standingIn is the cursor in a topic as it will be when all news has been told; false where it is not known.
func (b *inbox) standingIn(topic string) (protocol.Cursor, bool) {
	for i := len(b.news) - 1; i >= 0; i-- {
		if n := b.news[i]; n.topic == topic && !n.unknown {
			if !n.begins() {
				return protocol.Cursor{}, false
			}
			if p := b.topics.at[topic]; n.keep && p != nil && p.begun && p.cursor.Epoch == n.cursor.Epoch && p.cursor.Seq > n.cursor.Seq {
				return p.cursor, true
			}
			return n.cursor, true
		}
	}
	p := b.topics.at[topic]
	if p == nil || !p.begun {
		return protocol.Cursor{}, false
	}
	return p.cursor, true
}

// topicSince is the cursor to subscribe with again; nil where none is known that says its epoch.
func (b *inbox) topicSince(topic string) *protocol.Cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.standingIn(topic)
	if !ok || c.Epoch == "" {
		return nil
	}
	return &c
}

// topicCursor is the cursor of the last frame of the topic that was handed over; "" where it is not known.
func (b *inbox) topicCursor(topic string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.topics.at[topic]
	if p == nil || !p.begun || p.cursor.Epoch == "" {
		return ""
	}
	return p.cursor.String()
}

// expect takes up a topic whose state the application already has, up to since.
func (b *inbox) expect(topic string, since protocol.Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics.at[topic] != nil {
		return // its frames are coming already, by a pattern
	}
	p := b.topics.name(topic)
	p.cursor, p.begun = since, true
}

// adopted is what adoptTopic found of a topic that goes on.
type adopted uint8

const (
	nowhere   adopted = iota // no position is known
	goesOn                   // the position is of that epoch
	elsewhere                // it is of another one
)

// adoptTopic gives a position that only frames have told of the epoch that the broker says.
func (b *inbox) adoptTopic(topic, epoch string) adopted {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.standingIn(topic)
	switch {
	case !ok:
		return nowhere
	case c.Epoch != "" && c.Epoch != epoch:
		return elsewhere
	}
	ahead := false
	for _, n := range b.news {
		if n.topic == topic && n.begins() {
			ahead = true // what moves the position is not told yet
			if n.cursor.Epoch == "" {
				n.cursor.Epoch = epoch
			}
		}
	}
	if !ahead {
		p := b.topics.name(topic)
		p.cursor.Epoch, p.await = epoch, false
	}
	return goesOn
}

// passed reports whether everything of the topic up to seq has been handed over, or will be with the news.
func (b *inbox) passed(topic string, seq uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.standingIn(topic)
	return ok && c.Seq >= seq
}

// await drops the topics' frames until their subscriptions have been made anew.
func (b *inbox) await(topics ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range topics {
		b.topics.name(topic).await = true
	}
}
