package broker

import (
	"context"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
)

// Topic is a handle on one topic of the broker, from within the process: a log that many clients follow (P-19, P-32). It costs nothing to make and
// holds nothing. It is safe for concurrent use. Errors of its methods are *protocol.Error.
type Topic struct {
	b    *Broker
	name string
}

// Topic returns the handle of the topic with that name (P-32). Nothing is created before it is used.
func (b *Broker) Topic(name string) *Topic { return &Topic{b, name} }

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// Publish appends frame, a JSON object with a string type (P-2), to the topic's log, making the topic where there is none, and returns when the store has confirmed
// it (P-26). Its followers are told afterwards. frame is copied. The error is conflict where the topic is closed.
func (t *Topic) Publish(ctx context.Context, frame []byte) (protocol.TopicPublished, error) {
	return t.PublishWith(ctx, PublishOptions{}, frame)
}

// PublishWith appends frames, all or none. o.Wait can be nothing but stored: a topic has no one reader to wait for.
func (t *Topic) PublishWith(ctx context.Context, o PublishOptions, frames ...[]byte) (protocol.TopicPublished, error) {
	if err := protocol.CheckTopic(t.name); err != nil {
		return protocol.TopicPublished{}, err
	}
	p, err := t.b.topicPublish(o, frames)
	if err != nil {
		return protocol.TopicPublished{}, err
	}
	return t.b.registry.PublishTopic(ctx, t.name, p)
}

// Broadcast publishes frames to every client, all or none: those that are away get them when they return (P-32). o is as for a topic.
func (b *Broker) Broadcast(ctx context.Context, o PublishOptions, frames ...[]byte) (protocol.TopicPublished, error) {
	p, err := b.topicPublish(o, frames)
	if err != nil {
		return protocol.TopicPublished{}, err
	}
	return b.registry.Broadcast(ctx, p)
}

func (b *Broker) topicPublish(o PublishOptions, frames [][]byte) (registry.Publish, error) {
	if o.Wait != "" && o.Wait != protocol.StatusStored {
		return registry.Publish{}, protocol.Errorf(protocol.CodeBadRequest, "a topic has no one reader: its frames are stored, and no more is waited for")
	}
	return b.publish(o, frames)
}

// Close appends the topic's last frame, topic_closed, after which nothing can be published to it; what was published stays readable. Where it
// was closed before, it answers the same. The error is not_found where there is no such topic.
func (t *Topic) Close(ctx context.Context) (protocol.TopicPublished, error) {
	if err := protocol.CheckTopic(t.name); err != nil {
		return protocol.TopicPublished{}, err
	}
	return t.b.registry.CloseTopic(ctx, t.name)
}

// Read returns up to limit (1 to protocol.MaxPageFrames) frames of the log after since, nil for its beginning (P-7). Where there is nothing new it
// waits up to wait, 0 for not at all. It makes no topic: not_found.
func (t *Topic) Read(ctx context.Context, since *protocol.Cursor, limit int, wait time.Duration) (protocol.TopicPage, error) {
	if err := protocol.CheckTopic(t.name); err != nil {
		return protocol.TopicPage{}, err
	}
	if limit < 1 || limit > protocol.MaxPageFrames {
		return protocol.TopicPage{}, protocol.Errorf(protocol.CodeBadRequest, "limit is %d; a page has 1 to %d frames", limit, protocol.MaxPageFrames)
	}
	return t.b.registry.ReadTopic(ctx, t.name, registry.Read{Since: since, Limit: limit, Wait: wait})
}

// State describes the topic, with up to limit (to protocol.MaxPageFrames) of its followers whose ids come after cursor, in byte order; a limit of 0 asks for none of
// them. not_found where there is no such topic.
func (t *Topic) State(ctx context.Context, cursor string, limit int) (protocol.TopicState, error) {
	if limit < 0 || limit > protocol.MaxPageFrames {
		return protocol.TopicState{}, protocol.Errorf(protocol.CodeBadRequest, "limit is %d; it is 0 to %d followers", limit, protocol.MaxPageFrames)
	}
	return t.b.registry.Topic(ctx, t.name, cursor, limit)
}

// Delete forgets the topic and ends its subscriptions; not_found where there is none.
func (t *Topic) Delete(ctx context.Context) error {
	if err := protocol.CheckTopic(t.name); err != nil {
		return err
	}
	return t.b.registry.DeleteTopic(ctx, t.name)
}

// PutSnapshot stores data, one JSON value, as the topic's state as of a cursor of its log. It is as Client.PutSnapshot.
func (t *Topic) PutSnapshot(ctx context.Context, asOf protocol.Cursor, data []byte) error {
	if err := protocol.CheckTopic(t.name); err != nil {
		return err
	}
	compact, err := protocol.ParseSnapshotData(data)
	if err != nil {
		return err
	}
	_, err = t.b.registry.PutTopicSnapshot(ctx, t.name, asOf, compact)
	return err
}

// Snapshot returns the stored snapshot; not_found where there is none.
func (t *Topic) Snapshot(ctx context.Context) (protocol.StoredSnapshot, error) {
	return t.b.registry.TopicSnapshot(ctx, t.name)
}

// DeleteSnapshot forgets the stored snapshot; not_found where there is none.
func (t *Topic) DeleteSnapshot(ctx context.Context) error {
	return t.b.registry.DeleteTopicSnapshot(ctx, t.name)
}

// Topics returns up to limit (1 to protocol.MaxPageFrames) topics whose names come after cursor, in byte order.
func (b *Broker) Topics(ctx context.Context, cursor string, limit int) (protocol.TopicList, error) {
	if limit < 1 || limit > protocol.MaxPageFrames {
		return protocol.TopicList{}, protocol.Errorf(protocol.CodeBadRequest, "limit is %d; a page has 1 to %d topics", limit, protocol.MaxPageFrames)
	}
	return b.registry.Topics(ctx, cursor, limit)
}

// SubscribeOptions say where a subscription begins (P-19). The zero value is live only.
type SubscribeOptions struct {
	// Since is the last frame of the topic that the client holds; what came after it follows. nil for none.
	Since *protocol.Cursor
	// History asks for the topic's snapshot, or where it has none for the last so many frames of its log; nil for neither. It excludes Since.
	History *int
}

// Subscribe has the client follow a topic, or all that match a pattern, and returns when that is stored. Since and History need a topic's name.
// What a subscription brings is read as all else is: on a connection, or by an Inbox.
func (c *Client) Subscribe(ctx context.Context, topic string, o SubscribeOptions) (protocol.Subscribed, error) {
	m := protocol.Message{Type: protocol.TypeSubscribe, Topic: topic, Since: o.Since, History: -1}
	if o.History != nil {
		m.History = max(*o.History, 0)
	}
	var s protocol.Subscribed
	err := c.message(ctx, m, &s)
	return s, err
}

// Unsubscribe ends the subscription to a topic or a pattern; what it has brought already stays.
func (c *Client) Unsubscribe(ctx context.Context, topic string) error {
	return c.message(ctx, protocol.Message{Type: protocol.TypeUnsubscribe, Topic: topic, History: -1}, nil)
}
