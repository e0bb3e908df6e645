package client

import (
	"context"

	"github.com/restante/restante/protocol"
)

// SubscribeOptions say where a subscription to one topic begins (P-19). Without any of them only what is published from then on comes. Since and History exclude
// each other, and a pattern takes neither.
type SubscribeOptions struct {
	// Since is the cursor of the last frame of the topic whose effects the application's state holds, as Client.TopicCursor said when the state was saved.
	Since string
	// History asks for the topic's snapshot, if it has one, and else for the last so many frames; 0 is the snapshot alone. nil asks for nothing.
	History *int
}

func (o SubscribeOptions) check(topic string) (since *protocol.Cursor, history int, err error) {
	if err := protocol.CheckPattern(topic); err != nil {
		return nil, 0, err
	}
	history = -1
	if o.History != nil {
		if history = *o.History; history < 0 {
			return nil, 0, protocol.Errorf(protocol.CodeBadRequest, "a history of %d frames cannot be: say nil for none", history)
		}
	}
	if o.Since != "" {
		c, err := protocol.ParseCursor(o.Since)
		if err != nil {
			return nil, 0, err
		}
		since = &c
	}
	switch {
	case since != nil && history >= 0:
		err = protocol.Errorf(protocol.CodeBadRequest, "Since and History exclude each other")
	case (since != nil || history >= 0) && protocol.IsPattern(topic):
		err = protocol.Errorf(protocol.CodeBadRequest, "Since and History need the exact name of one topic, and %s is a pattern", topic)
	}
	return since, history, err
}

// Subscribe follows a topic, or all topics that a pattern takes in (P-19, P-32), and returns the broker's answer. The frames come as all others do, with Frame.Topic and
// Frame.TopicSeq: each once, after the topic's snapshot if there is one, and with Config.OnTopicHole told before a frame that does not follow.
//
// The subscription belongs to the client_id, not to this Client: it survives the connection and the process. It is asked for again after each hello with the cursor
// that the client has in the topic, so that it goes on without hole or repeat also where the broker has forgotten it; of a pattern the broker keeps no cursor, and what was
// published while it was forgotten is not seen. It lasts until Unsubscribe, or until Config.OnUnsubscribed tells of its end. To subscribe to what the client has subscribed
// to already changes nothing, and o is not looked at.
//
// When Config.OnReset is told that the outbox was too old, the frames of topics that went with it are lost to this subscription: the broker has handed them on. They
// show as a hole, and may still be in the topic's log: Unsubscribe and Subscribe with Since bring what is.
//
// The error is a *protocol.Error for what the broker refused for good and for what it would refuse; ErrTooManySubscriptions; ErrUnsubscribed; what the client
// ended with. On overloaded, rate_limited, draining and internal it is asked for again, with backoff. If ctx ends, its error is returned and the
// subscription is still asked for. Subscribe may be called before Run, and waits for it.
func (c *Client) Subscribe(ctx context.Context, topic string, o SubscribeOptions) (protocol.Subscribed, error) {
	since, history, err := o.check(topic)
	if err != nil {
		return protocol.Subscribed{}, err
	}
	w, fresh, err := c.subs.want(topic, since, history)
	if err != nil {
		return protocol.Subscribed{}, err
	}
	if fresh && since != nil {
		c.inbox.expect(topic, *since)
	}
	a := c.await(ctx, topic, w)
	return a.subscribed, a.err
}

// Unsubscribe ends a subscription, named as it was subscribed to, and returns when the broker has said that no later frame comes. What the outbox already
// holds is still handed over. It may be a subscription that an earlier process has left, or none. The errors are those of Subscribe; if ctx ends it goes on.
func (c *Client) Unsubscribe(ctx context.Context, topic string) error {
	if err := protocol.CheckPattern(topic); err != nil {
		return err
	}
	w, err := c.subs.leave(topic)
	if err != nil {
		return err
	}
	return c.await(ctx, topic, w).err
}

// await waits for the broker's word.
func (c *Client) await(ctx context.Context, topic string, w chan answer) answer {
	c.wakeWriter()
	select {
	case a := <-w:
		return a
	case <-ctx.Done():
		c.subs.giveUp(topic, w)
		return answer{err: ctx.Err()}
	}
}

// Subscriptions returns the topics and patterns that the client subscribes to or asks to subscribe to, in the order in which it did.
func (c *Client) Subscriptions() []string { return c.subs.wanted() }

// TopicCursor returns the cursor of the last frame of that topic that was handed over, which is to be kept with the state that its frames have built (P-30) and given to
// Subscribe as Since by the next process. "" where there is none: for a topic of which the client has no subscription by its name, nothing tells the epoch.
func (c *Client) TopicCursor(topic string) string { return c.inbox.topicCursor(topic) }

// topicNews tells the application what there is to tell of a topic.
func (c *Client) topicNews(n *news) {
	switch {
	case n.hole != nil:
		if c.set.OnTopicHole != nil {
			c.set.OnTopicHole(*n.hole)
		} else {
			c.report(protocol.Errorf(protocol.CodeBadFrame, "%s", n.hole))
		}
		return
	case n.end != nil:
		if c.set.OnUnsubscribed != nil {
			c.set.OnUnsubscribed(*n.end)
		}
		return
	case n.forget:
		return
	}
	if n.reset != "" && c.set.OnTopicReset != nil {
		r := TopicReset{Topic: n.topic, Reason: n.reset, Snapshot: n.snapshot}
		if n.cursor.Epoch != "" {
			r.Cursor = n.cursor.String()
		}
		c.set.OnTopicReset(r)
	}
	if n.snapshot && c.set.OnTopicSnapshot != nil {
		if err := c.set.OnTopicSnapshot(n.topic, n.cursor.Seq, n.data); err != nil {
			c.report(&SnapshotError{Topic: n.topic, AsOf: n.cursor.Seq, Err: err})
		}
	}
	if n.closedAt > 0 && n.cursor.Seq >= n.closedAt {
		c.topicClosed(n.topic)
	}
}

// topicClosed ends the subscription to a topic whose last frame has been handed over. What is told of it comes next.
func (c *Client) topicClosed(topic string) {
	if c.subs.closed(topic) {
		c.inbox.tell(&news{topic: topic, end: &Unsubscribed{Topic: topic, Closed: true}})
	}
}
