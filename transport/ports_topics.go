package transport

import (
	"context"

	"github.com/restante/restante/protocol"
)

// Topics is what the transport asks of the topics' side (P-19, P-32). Names are legal by protocol.CheckTopic. As in Registry, the blocking calls wait
// on the caller's own goroutine and return early when ctx ends, and errors are *protocol.Error.
type Topics interface {
	// PublishTopic appends every body to the topic's log or none, making the topic where there is none. p.Wait is stored. The error is conflict
	// where the topic is closed.
	PublishTopic(ctx context.Context, topic string, p Publish) (protocol.TopicPublished, error)
	// Broadcast is PublishTopic to protocol.AllTopic.
	Broadcast(ctx context.Context, p Publish) (protocol.TopicPublished, error)
	// CloseTopic ends the log with a topic_closed frame, and answers with its seq; also where it was closed before. It makes no topic: not_found.
	CloseTopic(ctx context.Context, topic string) (protocol.TopicPublished, error)
	// ReadTopic returns the page of the log after since (P-7). It makes no topic: not_found. Only up_to_date waits, and not on a closed topic.
	ReadTopic(ctx context.Context, topic string, r Read) (protocol.TopicPage, error)
	// Topic describes the topic, with up to limit of its followers whose ids come after cursor.
	Topic(ctx context.Context, topic, cursor string, limit int) (protocol.TopicState, error)
	// Topics returns up to limit topics whose names come after cursor, in byte order.
	Topics(ctx context.Context, cursor string, limit int) (protocol.TopicList, error)
	// DeleteTopic forgets the topic and ends its subscriptions; not_found where there is none.
	DeleteTopic(ctx context.Context, topic string) error
	// PutTopicSnapshot, TopicSnapshot and DeleteTopicSnapshot are PutSnapshot, Snapshot and DeleteSnapshot for a topic.
	PutTopicSnapshot(ctx context.Context, topic string, asOf protocol.Cursor, data []byte) (protocol.StoredSnapshot, error)
	TopicSnapshot(ctx context.Context, topic string) (protocol.StoredSnapshot, error)
	DeleteTopicSnapshot(ctx context.Context, topic string) error
}
